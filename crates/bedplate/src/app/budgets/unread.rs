//! Stored budgets that this version cannot read: nothing is held for them, so the gateway says that it is not ready.

use std::collections::{BTreeMap, HashSet};

use bedplate_core::budget::BudgetId;

/// Those that stand, and why each cannot be read.
#[derive(Default)]
pub(super) struct Unread(BTreeMap<BudgetId, String>);

/// How many are named: an answer to a probe is no list.
const NAMED: usize = 3;

impl Unread {
    pub(super) fn add(&mut self, id: BudgetId, said: String) {
        // it was checked before it was stored: a newer version may have made it
        tracing::error!(budget = %id, "a stored budget cannot be read, and is not in force: {said}");
        self.0.insert(id, said);
    }

    pub(super) fn remove(&mut self, id: &BudgetId) {
        self.0.remove(id);
    }

    /// What to do about those in whose place the configuration has none; `None` when there are none.
    pub(super) fn said(&self, configured: &HashSet<&BudgetId>) -> Option<String> {
        let unread: Vec<_> = self.0.iter().filter(|(id, _)| !configured.contains(id)).collect();
        let each: Vec<String> =
            unread.iter().take(NAMED).map(|(id, said)| format!("`{id}`: {said}")).collect();
        let more = match unread.len().checked_sub(NAMED) {
            None if unread.is_empty() => return None,
            None | Some(0) => String::new(),
            Some(more) => format!("; {more} more"),
        };
        Some(format!(
            "stored budgets cannot be read, and are not in force. Run the version of bedplate that made them, or \
             remove each with `bedplate budget remove NAME`. {}{more}",
            each.join("; ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_count_are_named_a_few_at_a_time() {
        let mut unread = Unread::default();
        assert_eq!(unread.said(&HashSet::new()), None);
        for name in ["a", "b", "c", "d", "e"] {
            unread.add(BudgetId(name.into()), "unknown field `x`".into());
        }
        let said = unread.said(&HashSet::new()).unwrap();
        assert!(said.contains("`a`: unknown field `x`; `b`: "), "{said}");
        assert!(said.ends_with("`c`: unknown field `x`; 2 more"), "{said}");
        let configured = ["a", "b", "c", "d"].map(|name| BudgetId(name.into()));
        let said = unread.said(&configured.iter().collect()).unwrap();
        assert!(said.ends_with("`e`: unknown field `x`"), "{said}");
        unread.remove(&BudgetId("e".into()));
        assert_eq!(unread.said(&configured.iter().collect()), None);
    }
}
