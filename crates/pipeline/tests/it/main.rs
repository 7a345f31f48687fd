//! The life of a call, on a paused clock, against providers that fail on cue.
#![allow(clippy::unwrap_used, clippy::panic, clippy::result_large_err, reason = "tests")]

mod budget;
mod cache;
mod house;
mod life;
mod pace;
mod rates;
mod routes;
mod simulation;
