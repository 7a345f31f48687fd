//! Wire formats against other people's implementations, against samples, and against chance.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod adapted;
mod bodies;
mod canonical;
mod chat;
mod converse;
mod dialects;
mod eventstream;
mod family;
mod messages;
mod messages_bad;
mod messages_carried;
mod messages_streams;
mod openai;
mod refusals;
mod samples;
mod sigv4;
mod sigv4_suite;
mod spoofing;
mod streams;
mod usage;
