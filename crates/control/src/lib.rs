//! Operations, each once, and their faces: the admin API, the console and the probes, on the control
//! listener.
//!
//! | module | it is |
//! |---|---|
//! | [`budgets`] | create, list, remove and reconcile budgets; where they stand, stood, and why they block |
//! | [`keys`] | create, import, list, disable and rotate keys |
//! | [`live`] | the last calls and what they came to, kept in memory for the console |
//! | [`health`] | what `/readyz` says |
//! | [`server`] | the control listener |
//! | `gate` | who may: the local admin key, browser sessions, too many failures |
//! | `routes` | every path, and the answers they share |
//! | `probes` | `/livez`, `/readyz`, `/metrics`: the only paths that need no key |
//! | `api` | `/admin/v1/…`, JSON |
//! | `pages` | the console, HTML |
//!
//! Whatever is not in the short list of open paths needs the local admin key: a route that is added
//! later is closed until somebody opens it there.

mod api;
pub mod budgets;
mod cache;
mod gate;
pub mod health;
pub mod keys;
pub mod live;
mod pages;
mod probes;
mod routes;
pub mod server;

pub use cache::{CacheCounts, CacheDesk, CacheTally};
pub use health::{Health, Part, Readiness};
pub use live::Live;
pub use server::{Parts, Server, ServerError};

#[cfg(test)]
#[path = "../tests/it/outcomes.rs"]
mod outcomes;
