//! A running simulator, driven over its socket and by boto3.

mod auth;
mod boto;
mod faults;
mod http2;
mod support;
mod wire;
