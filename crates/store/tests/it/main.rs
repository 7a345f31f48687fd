//! The ledger on real databases. PostgreSQL is named by `BEDPLATE_TEST_POSTGRES`; `scripts/test`
//! starts one.

mod bed;
mod conformance;
mod faulty;
mod journal;
mod outcomes;
mod postgres;
mod sqlite;
