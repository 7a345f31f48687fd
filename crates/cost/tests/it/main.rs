//! The price book against figures worked out by hand and against its own list.
#![allow(clippy::unwrap_used, reason = "tests")]

mod explained;
mod generated;
mod golden;
mod laws;
mod listed;
mod overrides;
mod table;

use bedplate_core::usage::{Unit, Usage};
use bedplate_cost::{Ask, PriceBook, Priced};

fn price(model: &str, region: &str, tier: &str, usage: &Usage) -> Priced {
    PriceBook::embedded().price(Ask { model, region, tier, usage })
}

fn tokens(input: u64, cache_read: u64, w5m: u64, w1h: u64, output: u64) -> Usage {
    Usage { input, cache_read, cache_write_5m: w5m, cache_write_1h: w1h, output, ..Usage::default() }
}

fn units(units: &[(Unit, u64)]) -> Usage {
    Usage { units: units.to_vec(), ..Usage::default() }
}
