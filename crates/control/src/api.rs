//! The admin API: `/admin/v1/…`, JSON in and out. `docs/reference/admin-api.md` describes it.
//!
//! An operation that is added gets a file here, a line in `routes`, and a section in that page.

pub(crate) mod asked;
pub(crate) mod budgets;
pub(crate) mod cache;
pub(crate) mod calls;
pub(crate) mod error;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod live;
pub(crate) mod models;
pub(crate) mod totals;
