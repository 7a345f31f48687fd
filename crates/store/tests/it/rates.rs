//! Rates: what everything that counts them must do, and what is Redis' own.

mod bed;
mod conformance_rates;
mod memory;
mod redis;
