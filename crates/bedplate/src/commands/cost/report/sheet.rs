//! The columns of a report for programs: one list, so that JSON and CSV say the same.

use bedplate_core::spend::SpendSums;

use crate::commands::cost::money::{each, exact, percent};

/// A cell.
pub(super) enum Cell {
    Number(i128),
    /// A decimal number.
    Decimal(String),
    /// There is none.
    Nothing,
}

/// Names and values, in order. Money stands as whole nano-dollars, and as exact dollars where people look.
pub(super) fn cells(sums: &SpendSums, total: &SpendSums) -> Vec<(&'static str, Cell)> {
    let number = |n: u64| Cell::Number(i128::from(n));
    let decimal = |text: String| if text.is_empty() { Cell::Nothing } else { Cell::Decimal(text) };
    vec![
        ("calls", number(sums.calls)),
        ("requests", number(sums.requests)),
        ("input_tokens", number(sums.input)),
        ("cache_read_tokens", number(sums.cache_read)),
        ("cache_write_5m_tokens", number(sums.cache_write_5m)),
        ("cache_write_1h_tokens", number(sums.cache_write_1h)),
        ("output_tokens", number(sums.output)),
        ("spent_nano_usd", Cell::Number(sums.spent)),
        ("spent_usd", Cell::Decimal(exact(sums.spent))),
        ("unpriced", number(sums.unpriced)),
        ("share_percent", decimal(percent(sums.spent, total.spent))),
        ("nano_usd_per_call", each(sums.spent, sums.calls).map_or(Cell::Nothing, Cell::Number)),
        ("retries", number(sums.retries)),
        ("retries_nano_usd", Cell::Number(sums.spent_retries)),
        ("abandoned", number(sums.abandoned)),
        ("abandoned_nano_usd", Cell::Number(sums.spent_abandoned)),
        ("estimated", number(sums.estimated)),
        ("estimated_nano_usd", Cell::Number(sums.spent_estimated)),
        ("unmetered", number(sums.unmetered)),
        ("cached", number(sums.cached)),
        ("avoided_nano_usd", Cell::Number(sums.avoided)),
        ("avoided_usd", Cell::Decimal(exact(sums.avoided))),
        ("avoided_unpriced", number(sums.avoided_unpriced)),
    ]
}
