//! What an application called and cost, by model.

use std::collections::BTreeMap;

use bedplate_core::money::Cost;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::usage::Usage;
use serde_json::json;

use crate::exit::Failure;
use crate::out::{Format, note, table};

struct Line {
    calls: u64,
    failed: u64,
    usage: Usage,
    cost: Cost,
    /// Milliseconds to the first token, or to the first byte of whole answers.
    first: Vec<u64>,
}

/// Prints to standard error: standard output belongs to the application.
pub(super) fn print(calls: &[Outcome], format: Format) -> Result<(), Failure> {
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    for outcome in calls {
        let c = &outcome.call;
        let line = lines.entry(&c.model).or_insert_with(|| Line {
            calls: 0,
            failed: 0,
            usage: Usage::default(),
            cost: Cost::FREE,
            first: Vec::new(),
        });
        line.calls += 1;
        line.failed += u64::from(c.ending != Ending::Answered);
        line.usage.add(&c.usage);
        line.cost = line.cost.plus(c.cost);
        line.first.extend(c.timings.first_token.or(c.timings.first_byte).map(|us| us / 1000));
    }
    if format == Format::Json {
        for (model, l) in &mut lines {
            l.first.sort_unstable();
            note(json!({
                "model": model, "calls": l.calls, "failed": l.failed,
                "input_tokens": l.usage.prompt(), "output_tokens": l.usage.output,
                "cost_usd": l.cost.priced().to_string(), "cost_known": l.cost.is_known(),
                "first_token_ms_p50": percentile(&l.first, 50), "first_token_ms_p95": percentile(&l.first, 95),
            }).to_string());
        }
        return Ok(());
    }
    if lines.is_empty() {
        note("\nbedplate: the application made no call");
        return Ok(());
    }
    let mut table =
        table(&["MODEL", "CALLS", "FAILED", "TOKENS IN", "TOKENS OUT", "COST", "FIRST TOKEN P50", "P95"]);
    for (model, l) in &mut lines {
        l.first.sort_unstable();
        let ms = |p| percentile(&l.first, p).map_or_else(|| "-".into(), |ms| format!("{ms} ms"));
        table.add_row([
            (*model).to_owned(),
            l.calls.to_string(),
            l.failed.to_string(),
            l.usage.prompt().to_string(),
            l.usage.output.to_string(),
            l.cost.to_string(),
            ms(50),
            ms(95),
        ]);
    }
    note(format!("\n{table}"));
    Ok(())
}

/// Nearest rank.
fn percentile(sorted: &[u64], p: usize) -> Option<u64> {
    let rank = (sorted.len() * p).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[1, 2, 3, 4], 50), Some(2));
        assert_eq!(percentile(&[1, 2, 3, 4], 95), Some(4));
    }
}
