//! Formats without I/O: no sockets, no configuration, no policy.
//!
//! | module | it reads and writes |
//! |---|---|
//! | [`sigv4`] | AWS Signature Version 4, both ways, through one canonicaliser |
//! | [`eventstream`] | the framing of streamed answers |
//! | [`openai`], [`anthropic`] | errors and lists of models as these vendors say them |
//! | [`envelope`] | which model a vendor's body names, and how the answer is to come |
//! | [`sse`] | server-sent events |
//! | [`bedrock`] | paths, bodies, usage and errors of the Bedrock runtime and catalogue |
//! | [`translate`] | from one form of requests and answers to another

pub mod anthropic;
pub mod bedrock;
mod chat;
mod converse;
pub mod envelope;
pub mod eventstream;
mod family;
mod json;
mod messages;
mod nova;
pub mod openai;
pub mod sigv4;
pub mod sse;
pub mod translate;
