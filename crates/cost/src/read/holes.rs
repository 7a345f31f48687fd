//! Rows that leave out what calls will use. A list may be silent, and its silence is shown as unknown; an operator
//! who writes a row means to price calls with it.

use super::Read;
use super::values::bad;
use crate::entry::{Counter, Entry, Rates};

/// Looks through the rows of a model that a file wrote prices for; `price` itself when it was written, or when there
/// is no list that says it.
pub(super) fn find(entry: &Entry, price_written: bool, place: &str) -> Read<()> {
    if price_written || entry.mode.is_empty() {
        row(entry, &entry.price, &format!("{place}.price"))?;
    }
    for (name, rates) in &entry.tiers {
        row(entry, rates, &format!("{place}.price_tiers.{name}"))?;
    }
    for (name, rates) in &entry.regions {
        row(entry, rates, &format!("{place}.price_by_region.{name}"))?;
    }
    for (i, long) in entry.long_context.iter().enumerate() {
        row(entry, &long.rates, &format!("{place}.price_long_context[{i}]"))?;
    }
    match &entry.optimized {
        Some(rates) => row(entry, rates, &format!("{place}.price_latency_optimized")),
        None => Ok(()),
    }
}

fn row(entry: &Entry, rates: &Rates, place: &str) -> Read<()> {
    let has = |counter| rates.get(counter).is_some();
    if Counter::ALL.into_iter().all(|counter| !has(counter)) {
        return Err(bad(place, "no price stands here"));
    }
    let silent = entry.max_output_tokens == Some(0);
    if has(Counter::Input) && !has(Counter::Output) && !silent {
        return Err(bad(place, "`output` is missing; write 0 when the model gives none"));
    }
    let pieces = [Counter::InputImage, Counter::InputVideoSecond, Counter::InputAudioSecond, Counter::Query];
    if rates.get(Counter::Output).is_some_and(|picos| picos > 0)
        && !has(Counter::Input)
        && !pieces.into_iter().any(has)
    {
        return Err(bad(place, "`input` is missing"));
    }
    if entry.price.get(Counter::Input).is_some() && !has(Counter::Input) {
        return Err(bad(place, "`input` is missing: of `price` nothing is taken over"));
    }
    Ok(())
}
