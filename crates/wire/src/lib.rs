//! Formats without I/O: no sockets, no configuration, no policy.
//!
//! | module | it reads and writes |
//! |---|---|
//! | [`sigv4`] | AWS Signature Version 4, both ways, through one canonicaliser |
//! | [`eventstream`] | the framing of streamed answers |
//! | [`sse`] | server-sent events |
//! | [`bedrock`] | paths, bodies, usage and errors of the Bedrock runtime and catalogue |
//! | [`translate`] | from one form of requests and answers to another

pub mod bedrock;
pub mod eventstream;
mod json;
pub mod sigv4;
pub mod sse;
pub mod translate;
