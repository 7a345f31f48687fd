//! The doors: one a dialect.

pub(crate) mod bedrock;
