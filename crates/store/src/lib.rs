//! The ledger, behind the ports of [`bedplate_core::ports`]: SQLite for one machine, PostgreSQL for
//! many nodes, mirrored file for file; and the [`Journal`], which writes calls in batches off the
//! path of a call.
//!
//! Calls and attempts lie in partitions by UTC day of admission, so that retention drops whole
//! tables. Sums by day, team, feature, environment and model are kept in the same transaction as
//! the rows and outlive them; so is what calls spend of budgets, in the slices that nodes draw.
//!
//! Kept answers are in memory or in Redis, behind the port [`bedplate_core::cache::Cache`]; so are the counts of rates,
//! behind [`bedplate_core::rate::Rates`].
//!
//! A new store: a folder beside `sqlite` with the same files, an arm in [`Config::open`], and a line
//! in `tests/it/conformance.rs`.

mod budgets;
mod claims;
mod config;
mod day;
mod fault;
mod filter;
mod hot;
mod journal;
mod keys;
mod lease;
mod memory;
mod migrate;
mod postgres;
mod rates;
mod redis;
mod rows;
mod slices;
mod spend;
mod sqlite;
mod sums;
mod sweep;

pub use config::{Config, LedgerConfig};
pub use hot::{Hot, HotConfig, Means};
pub use journal::{Health, Journal, Ticket};
pub use memory::Room;
