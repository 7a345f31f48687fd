//! The ledger on real databases. PostgreSQL is named by `BEDPLATE_TEST_POSTGRES`; `scripts/test`
//! starts one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod bed;
mod conformance;
mod draws;
mod faulty;
mod journal;
mod outcomes;
mod postgres;
mod sqlite;
