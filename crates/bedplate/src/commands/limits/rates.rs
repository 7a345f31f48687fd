//! Requests and tokens a minute of throttles, for people.

use std::time::Duration;

use bedplate_core::rate::{CountStand, RateStands, Refused};
use bedplate_core::setting::Span;

use super::count;
use crate::out;

pub(super) fn page(rates: &RateStands) -> String {
    let mut table = out::table(&["rate", "used", "left", "full again", "refused"]);
    for stand in &rates.counts {
        let CountStand { throttle, of, kind, limit, used, left, full_in_ms, refused } = stand;
        table.add_row([
            format!("{throttle} {of}").trim_end().to_owned(),
            format!("{} of {} {kind}/min", count(*used), count(*limit)),
            count(*left),
            match full_in_ms {
                0 => String::new(),
                ms => format!("in {}", Span(rounded(*ms))),
            },
            away(*refused),
        ]);
    }
    table.to_string()
}

/// What else there is to say.
pub(super) fn notes(rates: &RateStands) -> Vec<String> {
    let mut notes = Vec::new();
    if rates.more > 0 {
        notes.push(format!("{} counts of throttles more are in use", count(rates.more)));
    }
    if rates.refused_others > 0 {
        let others = count(rates.refused_others);
        notes.push(format!("{others} calls more were refused under names that are not remembered"));
    }
    match (&rates.missing, rates.alone) {
        (Some(why), true) => notes.push(format!("rates are this node's alone: {why}")),
        (Some(why), false) => notes.push(format!("there may be more rates in use: {why}")),
        (None, _) => {}
    }
    notes
}

/// Up to whole seconds, from one on: people read it.
fn rounded(ms: u64) -> Duration {
    if ms < 1_000 { Duration::from_millis(ms) } else { Duration::from_secs(ms.div_ceil(1_000)) }
}

/// `12 (full 10, too large 2)`
fn away(refused: Refused) -> String {
    let whys = [("full", refused.full), ("too large", refused.too_large)];
    let whys: Vec<String> =
        whys.into_iter().filter(|(_, n)| *n > 0).map(|(why, n)| format!("{why} {}", count(n))).collect();
    if whys.is_empty() { "0".into() } else { format!("{} ({})", count(refused.all()), whys.join(", ")) }
}

#[cfg(test)]
mod tests {
    use bedplate_core::rate::Kind;

    use super::*;

    #[test]
    fn what_is_used_left_and_refused_is_said_and_what_cannot_be_known() {
        let stand = CountStand {
            throttle: "keys[each key]".into(),
            of: "key=key_a".into(),
            kind: Kind::Tokens,
            limit: 200_000,
            used: 150_000,
            left: 50_000,
            full_in_ms: 44_877,
            refused: Refused { full: 10, too_large: 2 },
        };
        let mut rates = RateStands { counts: vec![stand], ..RateStands::default() };
        let shown = page(&rates);
        for cell in [
            "keys[each key] key=key_a",
            "150,000 of 200,000 tokens/min",
            "in 45s",
            "12 (full 10, too large 2)",
        ] {
            assert!(shown.contains(cell), "{cell}: {shown}");
        }
        assert!(notes(&rates).is_empty());
        rates =
            RateStands { more: 7, alone: true, missing: Some("redis h: no answer in 50 ms".into()), ..rates };
        assert_eq!(
            notes(&rates),
            [
                "7 counts of throttles more are in use",
                "rates are this node's alone: redis h: no answer in 50 ms"
            ]
        );
    }
}
