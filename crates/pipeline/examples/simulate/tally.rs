//! What happened in all runs together: proof that they reach what they are to test.

use std::fmt;

use bedplate_core::budget::Why;
use bedplate_pipeline::budget::Hold;

use crate::rule::Rule;
use crate::schedule::{Event, Fate};

/// What is counted.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Count {
    Processes,
    Calls,
    Holds,
    Bounded,
    Several,
    Cancelled,
    Overruns,
    Unsure,
    Lost,
    Crashes,
    Freezes,
    Drains,
    Starts,
    Cuts,
    Slow,
    Jams,
    Failovers,
    Faults,
    Steps,
    Reloads,
    Repeats,
    Again,
    Reconciled,
    Probes,
}

const COUNTS: [&str; 24] = [
    "processes",
    "calls",
    "- held for and sent",
    "- bounded to what is left",
    "- in several budgets",
    "- given up by their caller",
    "- dearer than their worst case",
    "- of a cost nobody is sure of",
    "- lost with their process",
    "crashes",
    "freezes",
    "drains",
    "starts anew",
    "cut off from the ledger",
    "slow ways to the ledger",
    "records or returns jammed",
    "failovers of the ledger",
    "questions lost, late, or done unheard",
    "clock steps",
    "reloads",
    "records written again on purpose",
    "records whose writing failed, or was not heard of",
    "slices reconciled",
    "calls for all that is left",
];
const WHY: [Why; 6] = [Why::Spent, Why::Held, Why::Unknown, Why::TooLarge, Why::Unpriced, Why::Unreachable];

#[derive(Default, Debug)]
pub(crate) struct Tally {
    counts: [u64; COUNTS.len()],
    refused: [u64; WHY.len()],
    checked: [u64; Rule::ALL.len()],
}

impl Tally {
    pub(crate) fn count(&mut self, what: Count) {
        self.counts[what as usize] += 1;
    }

    /// So many records were written again.
    pub(crate) fn again(&mut self, times: u64) {
        self.counts[Count::Again as usize] += times;
    }

    pub(crate) fn happened(&mut self, event: &Event) {
        match event {
            Event::Call(plan) => {
                self.count(Count::Calls);
                match plan.fate {
                    Fate::Unsure(_) => self.count(Count::Unsure),
                    Fate::Costs(part) if part > 1_000 => self.count(Count::Overruns),
                    Fate::Costs(_) | Fate::Dropped => {}
                }
            }
            Event::Crash(_) => self.count(Count::Crashes),
            Event::Freeze(..) => self.count(Count::Freezes),
            Event::Drain(..) => self.count(Count::Drains),
            Event::Start(_) => self.count(Count::Starts),
            Event::Cut(..) => self.count(Count::Cuts),
            Event::Slow(..) => self.count(Count::Slow),
            Event::Jam(..) => self.count(Count::Jams),
            Event::Failover(_) => self.count(Count::Failovers),
            Event::Cue(..) => self.count(Count::Faults),
            Event::Step(..) => self.count(Count::Steps),
            Event::Reload(..) => self.count(Count::Reloads),
            Event::Deliver(_) | Event::Reconcile | Event::Repeat => {}
        }
    }

    pub(crate) fn held(&mut self, hold: &Hold) {
        self.count(Count::Holds);
        if hold.output().is_some() {
            self.count(Count::Bounded);
        }
        if hold.parts().count() > 1 {
            self.count(Count::Several);
        }
    }

    pub(crate) fn refused(&mut self, why: Why) {
        self.refused[WHY.iter().position(|w| *w == why).unwrap()] += 1;
    }

    /// A rule was looked at.
    pub(crate) fn checked(&mut self, rule: Rule) {
        self.checked_often(rule, 1);
    }

    pub(crate) fn checked_often(&mut self, rule: Rule, times: u64) {
        self.checked[rule as usize] += times;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let add = |mine: &mut [u64], theirs: &[u64]| mine.iter_mut().zip(theirs).for_each(|(m, t)| *m += t);
        add(&mut self.counts, &other.counts);
        add(&mut self.refused, &other.refused);
        add(&mut self.checked, &other.checked);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<52} {:>12}", "what happened", "times")?;
        for (name, count) in COUNTS.iter().zip(self.counts) {
            writeln!(f, "{name:<52} {count:>12}")?;
        }
        for (why, count) in WHY.iter().zip(self.refused) {
            writeln!(f, "{:<52} {count:>12}", format!("refused: {}", why.name().replace('_', " ")))?;
        }
        writeln!(f, "\n{:<8} {:>12}  what held each time", "rule", "checked")?;
        for (rule, count) in Rule::ALL.iter().zip(self.checked) {
            writeln!(f, "{:<8} {count:>12}  {}", rule.name(), rule.says())?;
        }
        Ok(())
    }
}
