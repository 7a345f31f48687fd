//! The ledger on real databases. PostgreSQL is named by `BEDPLATE_TEST_POSTGRES`, Redis by
//! `BEDPLATE_TEST_REDIS`; `scripts/test` starts both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod bed;
mod cache;
mod conformance;
mod draws;
mod faulty;
mod journal;
mod outcomes;
mod postgres;
mod rates;
mod sqlite;
