//! What happened in all runs together: proof that they reach what they are to test.

use std::collections::BTreeMap;
use std::fmt;

use bedplate_core::record::CallRow;

use super::plan::{Caller, Event};
use super::rule::Rule;

#[derive(Default, Debug)]
pub(super) struct Tally {
    counts: BTreeMap<String, u64>,
    checked: [u64; Rule::ALL.len()],
}

impl Tally {
    pub(super) fn happened(&mut self, what: &str) {
        match self.counts.get_mut(what) {
            Some(times) => *times += 1,
            None => _ = self.counts.insert(what.into(), 1),
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Call(plan) => {
                self.happened("calls");
                match plan.caller {
                    Caller::Stays => {}
                    Caller::Leaves(_) => self.happened("- whose caller hangs up in time"),
                    Caller::Reads(_) => self.happened("- whose caller hangs up in mid-stream"),
                    Caller::Silent(_) => self.happened("- whose caller stops reading"),
                }
            }
            Event::Outage(_, Some(_)) => self.happened("outages"),
            Event::Outage(_, None) => {}
            Event::Reload(_) => self.happened("reloads"),
            Event::Nodes(_) => self.happened("other numbers of processes"),
            Event::Truth(..) => self.happened("other quotas of upstreams"),
        }
    }

    pub(super) fn ended(&mut self, row: &CallRow) {
        let code = row.code.map_or(String::new(), |code| format!(", {code:?}"));
        self.happened(&format!("- {}{code}", row.ending.name()));
    }

    /// A rule was looked at.
    pub(super) fn checked(&mut self, rule: Rule) {
        self.checked[rule as usize] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (what, times) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += times;
        }
        self.checked.iter_mut().zip(other.checked).for_each(|(mine, theirs)| *mine += theirs);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<52} {:>12}", "what happened", "times")?;
        let (parts, wholes): (Vec<_>, Vec<_>) =
            self.counts.iter().partition(|(what, _)| what.starts_with('-'));
        for (what, times) in wholes {
            writeln!(f, "{what:<52} {times:>12}")?;
            for (what, times) in parts.iter().filter(|_| what == "calls") {
                writeln!(f, "{what:<52} {times:>12}")?;
            }
        }
        writeln!(f, "\n{:<10} {:>12}  what held each time", "rule", "checked")?;
        for (rule, count) in Rule::ALL.iter().zip(self.checked) {
            writeln!(f, "{:<10} {count:>12}  {}", rule.name(), rule.says())?;
        }
        Ok(())
    }
}
