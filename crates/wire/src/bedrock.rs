//! The Bedrock runtime and catalogue: which operation a path is, what a body asks for, what an answer
//! used, how errors look, and what may be kept.

pub mod cache;
pub mod family;
pub mod own;
pub mod path;
pub mod refuse;
pub mod usage;
pub mod view;

pub use family::{Family, maker};
pub use path::Route;
