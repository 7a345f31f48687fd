//! The Bedrock runtime and catalogue: which operation a path is, what a body asks for, what an answer
//! used, and how errors look.

pub mod family;
pub mod path;
pub mod refuse;
pub mod usage;
pub mod view;

pub use family::Family;
pub use path::Route;
