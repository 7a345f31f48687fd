//! The Bedrock simulator: an endpoint that a real SDK cannot tell from Amazon Bedrock on the wire.

mod config;
mod server;
pub mod tls;

pub use config::*;
pub use server::{Sim, SimError};
