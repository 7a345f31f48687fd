//! Operations, each once, and their faces.
//!
//! | module | it is |
//! |---|---|
//! | [`keys`] | create, import, list, disable and rotate keys |

pub mod keys;
