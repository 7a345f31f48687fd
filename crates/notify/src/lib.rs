//! Notices on their way to operators.
pub mod config;
