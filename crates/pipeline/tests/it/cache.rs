//! Kept answers: who gets them, who never does, and what happens when somebody fails.

mod flights;
pub(crate) mod hall;
mod isolation;
mod keeping;
mod trouble;
