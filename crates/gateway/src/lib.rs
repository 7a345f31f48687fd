//! The data plane: doors through which applications call.
//!
//! | module | it is |
//! |---|---|
//! | [`Gateway`] | what every worker shares, and one call from request to response |
//! | `doors` | one for each dialect: reads a request into a call |
//! | `respond` | replies and refusals, in the dialect of the door |
//! | `server` | worker threads, listeners, drain |
//! | `connection` | one connection: how long it may idle, and how long its client may not read |
//! | [`tls`] | certificates from files or self-signed, reloaded without restart |
//!
//! To add a door: a module under `doors` that gives a `Call` for a request and native errors for
//! refusals, and one arm in `gateway::serve`.

mod body;
mod config;
mod connection;
mod derived;
mod doors;
mod gateway;
mod names;
mod respond;
mod server;
pub mod tls;

pub use config::{Auth, Limits, SessionToken};
pub use gateway::{Gateway, Snapshot};
pub use names::{DoorsConfig, Names};
pub use server::{Server, ServerError};
