//! One command, one file.

mod admin;
pub(crate) mod budget;
pub(crate) mod cache;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod conformance;
pub(crate) mod cost;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod key;
pub(crate) mod limits;
pub(crate) mod model;
pub(crate) mod notify;
pub(crate) mod reference;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod sim;
pub(crate) mod up;

use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// The runtime of everything but the data plane.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("control")
        .build()
        .map_err(Failure::bug)
}
