//! The Bedrock simulator: an endpoint that a real SDK cannot tell from Amazon Bedrock on the wire.
//!
//! It serves the services `bedrock-runtime` and `bedrock` on one address, over HTTP/1.1 and HTTP/2 (in the
//! clear with prior knowledge, or by TLS). It uses nothing of ours but `bedplate-core`: signatures are
//! checked by signing again with `aws-sigv4`, frames are written by `aws-smithy-eventstream`, and bodies are
//! read here in its own way, so that a mistake elsewhere in the workspace cannot hide in both.
//!
//! What the models say is simple and repeatable: see `answer`. What it takes in time, tokens and quota, what
//! is cached and what goes wrong follows Bedrock's rules and the [`Config`].
//!
//! Faults: `[[sim.fault]]`, the header `x-sim-fault: KIND[;after=N][;delay=1s][;exception=NAME]`, or the same
//! text as request metadata `sim-fault` with `,` for `;`. About itself: `GET /__sim/health`,
//! `/__sim/requests` (the last requests) and `/__sim/models` (error rates, latencies, quotas).

mod admin;
mod answer;
mod async_invoke;
mod auth;
mod body;
mod cache;
mod catalogue;
mod complete;
mod config;
mod control;
mod converse;
mod embeddings;
mod errors;
mod families;
mod fault;
mod glob;
mod guardrails;
mod handle;
mod infer;
mod latency;
mod prompt;
mod quota;
mod request;
mod route;
mod seed;
mod server;
mod shape;
mod state;
mod stream;
pub mod tls;
mod tokens;
mod words;

pub use config::*;
pub use server::{Sim, SimError};
