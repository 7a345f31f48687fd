//! What a call holds in budgets, in its record.

use bedplate_core::budget::{Blocked, Charge};

use super::Record;
use crate::budget::{Hold, Spent};

impl Record {
    /// From now on the record settles this hold.
    pub(crate) fn holds(&mut self, hold: Hold) {
        self.hold = Some(hold);
    }

    /// What was held stays spent as far as it is, or may be; this is held for what comes.
    pub(crate) fn holds_another(&mut self, hold: Hold) {
        let spent = std::mem::replace(&mut self.spent, Spent::NOTHING);
        if let Some(before) = self.hold.replace(hold) {
            let charges = before.settle(spent);
            self.write(|call| charge(&mut call.charges, charges));
        }
    }

    /// A budget blocked the call.
    pub(crate) fn blocked(&mut self, blocked: Blocked) {
        self.write(|call| call.blocked = Some(Box::new(blocked)));
    }

    /// A budget bounds the answer to so many tokens.
    pub(crate) fn bound(&mut self, tokens: u64) {
        self.notes.bounded = Some(tokens);
        self.write(|call| call.bounded = Some(tokens));
    }

    /// The answer is bounded to what those of its alias are.
    pub(crate) fn right_sized(&mut self, tokens: u64) {
        self.notes.right_sized = Some(tokens);
    }

    /// What a budget bounds it to.
    pub(crate) fn bounded(&self) -> Option<u64> {
        self.notes.bounded
    }
}

/// One charge a window.
pub(super) fn charge(all: &mut Vec<Charge>, more: Vec<Charge>) {
    if all.is_empty() {
        *all = more;
        return;
    }
    for charge in more {
        match all.iter_mut().find(|there| there.window == charge.window && there.node == charge.node) {
            Some(there) => there.amount = there.amount.saturating_add(charge.amount),
            None => all.push(charge),
        }
    }
}
