//! What calls have cost: today by the ledger, the last hour by this process.

use std::collections::HashMap;

use bedplate_core::money::Cost;
use bedplate_core::ports::Total;

use super::{chart, fresh, show};
use crate::live::{SpendLine, Window};

/// How many lines are shown.
const LINES: usize = 6;

#[derive(Clone, Debug)]
pub(super) struct Spend {
    pub(super) today: String,
    pub(super) hour: String,
    pub(super) calls_today: String,
    /// Calls of today whose cost is not fully known; empty when there are none.
    pub(super) unpriced: String,
    /// Why the ledger does not say; empty when it does.
    pub(super) trouble: String,
    pub(super) features: Vec<Line>,
    pub(super) models: Vec<Line>,
    pub(super) more_features: usize,
    pub(super) more_models: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    /// Per cent of the longest.
    pub(super) width: String,
    pub(super) today: String,
    pub(super) hour: String,
    pub(super) calls: String,
}

#[derive(Clone, Copy)]
struct Sum {
    today: Cost,
    hour: Cost,
    calls: u64,
}

const NOTHING: Sum = Sum { today: Cost::FREE, hour: Cost::FREE, calls: 0 };

impl Spend {
    pub(super) fn of(today: &fresh::Answer<Vec<Total>>, hour: &Window) -> Self {
        let (totals, trouble) = match today {
            Ok(totals) => (totals.as_slice(), String::new()),
            Err(e) => (&[][..], e.clone()),
        };
        let all = totals.iter().fold(Cost::FREE, |sum, t| sum.plus(t.cost));
        let unpriced: u64 = totals.iter().map(|t| t.unpriced).sum();
        let known = trouble.is_empty();
        let who = |t: &Total| match &*t.team {
            "" => "not recognised".to_owned(),
            team => format!("{team}/{}", t.feature),
        };
        let model = |t: &Total| if t.model.is_empty() { "no model".to_owned() } else { t.model.clone() };
        let (features, more_features) = lines(totals, who, &hour.features, known);
        let (models, more_models) = lines(totals, model, &hour.models, known);
        Self {
            today: if known { show::cost(all) } else { "–".into() },
            hour: show::cost(hour.cost),
            calls_today: show::count(totals.iter().map(|t| t.calls).sum()),
            unpriced: if unpriced > 0 { show::count(unpriced) } else { String::new() },
            trouble,
            features,
            models,
            more_features,
            more_models,
        }
    }
}

/// The dearest lines, and how many others there are. Without the ledger the last hour has to do.
fn lines(
    totals: &[Total],
    name: impl Fn(&Total) -> String,
    hour: &[SpendLine],
    known: bool,
) -> (Vec<Line>, usize) {
    let mut sums: HashMap<String, Sum> = HashMap::new();
    for total in totals {
        let sum = sums.entry(name(total)).or_insert(NOTHING);
        sum.today = sum.today.plus(total.cost);
        sum.calls += total.calls;
    }
    for line in hour {
        let sum = sums.entry(line.name.clone()).or_insert(NOTHING);
        sum.hour = line.cost;
        // just after midnight, or not yet in the ledger
        sum.calls = sum.calls.max(if known { 0 } else { line.calls });
    }
    let weight = |s: &Sum| if known { s.today.priced().0 } else { s.hour.priced().0 };
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(an, a), (bn, b)| {
        (weight(b), b.hour.priced(), b.calls).cmp(&(weight(a), a.hour.priced(), a.calls)).then(an.cmp(bn))
    });
    let most = sums.first().map_or(0, |(_, s)| weight(s));
    let more = sums.len().saturating_sub(LINES);
    sums.truncate(LINES);
    let line = |(name, s): (String, Sum)| Line {
        name,
        width: chart::percent(weight(&s), most),
        today: if known { show::cost(s.today) } else { "–".into() },
        hour: show::cost(s.hour),
        calls: show::count(s.calls),
    };
    (sums.into_iter().map(line).collect(), more)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bedplate_core::clock::Timestamp;
    use bedplate_core::money::Nanos;
    use bedplate_core::usage::Usage;

    use super::*;

    fn total(team: &str, model: &str, cost: Cost) -> Total {
        Total {
            day: Timestamp(0),
            team: team.into(),
            feature: "chat".into(),
            environment: "prod".into(),
            model: model.into(),
            calls: 2,
            refused: 0,
            usage: Usage::default(),
            cost,
            unpriced: u64::from(!cost.is_known()),
        }
    }

    #[test]
    fn what_is_unknown_says_so_and_the_dearest_stands_first() {
        let totals = vec![
            total("a", "m1", Cost::Known(Nanos(1_000_000_000))),
            total("b", "m1", Cost::Known(Nanos(3_000_000_000))),
            total("a", "m2", Cost::Unknown(Nanos(0))),
        ];
        let spend = Spend::of(&Ok(Arc::new(totals)), &Window::empty());
        assert_eq!((&*spend.today, &*spend.unpriced), ("≥ $4.00", "1"));
        let names: Vec<_> = spend.features.iter().map(|l| (&*l.name, &*l.today, &*l.width)).collect();
        assert_eq!(names, [("b/chat", "$3.00", "100.0"), ("a/chat", "≥ $1.00", "33.3")]);
        assert_eq!(spend.models[1].today, "unknown");
    }

    #[test]
    fn without_the_ledger_nothing_is_called_zero() {
        let spend = Spend::of(&Err("the disk is gone".into()), &Window::empty());
        assert_eq!((&*spend.today, &*spend.trouble), ("–", "the disk is gone"));
    }
}
