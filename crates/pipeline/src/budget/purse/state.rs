//! What a purse knows: the ledger's sums, and this node's own.

use bedplate_core::budget::{Drawn, Stand, Sums, Why};
use bedplate_core::clock::{Tick, Timestamp};

/// What an account must keep to, by the configuration that a call goes by.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::budget) struct Bounds {
    pub(in crate::budget) limit: i64,
    /// Windows that begin at or after this count together.
    pub(in crate::budget) counts_from: Timestamp,
    /// Which state of the configuration it is: what the ledger said before it was changed need no longer be so.
    pub(in crate::budget) epoch: u64,
}

impl Bounds {
    /// Whether what keeps to these keeps to `other`, too.
    fn imply(self, other: Self) -> bool {
        self.limit <= other.limit && self.counts_from <= other.counts_from && self.epoch >= other.epoch
    }
}

#[derive(Default)]
pub(super) struct State {
    /// As the ledger last said; `returned` also counts what is being returned.
    sums: Sums,
    /// What calls of this node came to, whether or not their records are written yet.
    spent: i64,
    held: i64,
    /// Of what was given back, what the ledger has heard of.
    said: i64,
    /// The account over its period, as the ledger last said.
    stand: Stand,
    /// What the ledger was last asked by.
    bounds: Bounds,
    /// Whether the account was within them then, this slice included.
    within: bool,
    /// Until when the slice is surely this node's.
    lease: Option<Tick>,
    /// How much more than needed was asked for last.
    ahead: i64,
    /// Spending when the ledger was last asked: tells how fast it is used up.
    used_then: i64,
    /// Spending at the keeper's last rounds, and how many rounds it has been the same.
    seen: (i64, u32),
    /// Whether the ledger has the records of all that was spent.
    recorded: bool,
}

/// So many rounds without a call, and the slice lies idle.
const IDLE: u32 = 2;
/// When less than this part of a limit is left it is scarce: what a node does not need at once others may want for.
const SCARCE: i64 = 10;
/// A node asks for no more than this part of a limit beyond its need, so that little is unknown should it die.
const MOST: i64 = 100;

impl State {
    pub(super) fn free(&self) -> i64 {
        let mine = (self.sums.granted - self.sums.returned).max(self.sums.settled);
        mine.saturating_sub(self.spent).saturating_sub(self.held)
    }

    /// Whether so much is there, and the slice is surely ours and within `bounds`.
    pub(super) fn covers(&self, amount: i64, bounds: Bounds, now: Tick) -> bool {
        let ours = self.lease.is_some_and(|until| now < until);
        ours && self.within && self.bounds.imply(bounds) && self.free() >= amount
    }

    pub(super) fn hold(&mut self, amount: i64) {
        self.held = self.held.saturating_add(amount);
    }

    /// Ends a hold of `held`, of which `spent` is spent.
    pub(super) fn settle(&mut self, held: i64, spent: i64) {
        self.held -= held;
        self.spent = self.spent.saturating_add(spent);
        self.recorded &= spent == 0;
    }

    /// The answer to a draw within `bounds`; `until` is when the lease is over that a grant extends.
    pub(super) fn drawn(&mut self, drawn: Drawn, bounds: Bounds, until: Tick) {
        self.learn(drawn.sums());
        (self.stand, self.bounds) = (drawn.stand(), bounds);
        // what is beyond is nobody's to spend, nor what calls on their way give back, until the account is within
        let beyond = self.stand.taken().saturating_sub(bounds.limit);
        self.within = beyond <= 0;
        self.set_aside(beyond);
        if matches!(drawn, Drawn::Granted { .. }) {
            self.lease = self.lease.max(Some(until));
        }
    }

    /// The slice was renewed. A grant that only comes to light now may have been asked for by other bounds: the ledger is
    /// asked before it is spent.
    pub(super) fn renewed(&mut self, sums: Sums, until: Tick) {
        self.within &= sums.granted <= self.sums.granted;
        self.learn(sums);
        self.lease = self.lease.max(Some(until));
        self.recorded = false;
    }

    /// The slice was not renewed: nothing of it is left. When nothing was spent since `spent`, all of that is recorded.
    pub(super) fn gone(&mut self, spent: i64) {
        self.lease = None;
        self.recorded = self.held == 0 && self.spent == spent;
    }

    /// Answers may overtake each other: each number only grows.
    fn learn(&mut self, sums: Sums) {
        let mine = &mut self.sums;
        mine.granted = mine.granted.max(sums.granted);
        mine.returned = mine.returned.max(sums.returned);
        mine.settled = mine.settled.max(sums.settled);
        mine.reconciled = mine.reconciled.max(sums.reconciled);
        self.said = self.said.max(sums.returned);
        // an earlier purse of this window spent, too; it was let go when all of that was recorded
        self.spent = self.spent.max(sums.settled);
    }

    /// So much of what is free is no longer ours to spend, and is given back by what [`State::unsaid`] says.
    pub(super) fn set_aside(&mut self, amount: i64) {
        self.sums.returned += amount.min(self.free()).max(0);
    }

    /// All that was ever given back, when the ledger may not have heard of some of it.
    pub(super) fn unsaid(&self) -> Option<i64> {
        (self.sums.returned > self.said).then_some(self.sums.returned)
    }

    pub(super) fn said(&mut self, total: i64) {
        self.said = self.said.max(total);
    }

    /// How much more than it needs the node asks for: about what it spends until it asks again.
    pub(super) fn ahead(&mut self, wanted: i64, limit: i64) -> i64 {
        let used = self.used();
        let since = used.saturating_sub(self.used_then);
        self.used_then = used;
        let grown = self.ahead.max(wanted).min(since.max(wanted)).saturating_mul(2);
        self.ahead = grown.clamp(0, (limit / MOST).max(0));
        self.ahead
    }

    /// Why `need` does not fit below `limit`, when the account stands so.
    pub(super) fn why(&self, limit: i64, need: i64, stand: Stand) -> Why {
        let left = limit.saturating_sub(stand.settled).saturating_sub(self.unrecorded());
        if left < need {
            Why::Spent
        } else if left.saturating_sub(stand.unknown) < need {
            Why::Unknown
        } else {
            Why::Held
        }
    }

    /// What was spent here and the ledger does not know yet.
    pub(super) fn unrecorded(&self) -> i64 {
        self.spent.saturating_sub(self.sums.settled).max(0)
    }

    pub(super) fn stand(&self) -> (Stand, i64) {
        (self.stand, self.held)
    }

    pub(super) fn spent(&self) -> i64 {
        self.spent
    }

    /// Whether something is held, may be spent or is to be given back, or its records may not be written yet.
    pub(super) fn is_open(&self) -> bool {
        self.held > 0 || self.free() > 0 || self.unsaid().is_some() || !self.recorded
    }

    /// Whether no call has spent from it for some rounds; to be asked once a round.
    pub(super) fn lies_idle(&mut self) -> bool {
        let used = self.used();
        self.seen = if self.seen.0 == used { (used, self.seen.1.saturating_add(1)) } else { (used, 0) };
        self.seen.1 >= IDLE
    }

    /// What is free and should be given back at once: all of it where so little is left that other nodes may want for it,
    /// else what calls left over that cost much less than they might have.
    pub(super) fn surplus(&self) -> i64 {
        let (free, limit) = (self.free(), self.bounds.limit);
        if limit.saturating_sub(self.stand.taken()) < limit / SCARCE {
            free.max(0)
        } else if free > limit / MOST {
            free - limit / MOST / 2
        } else {
            0
        }
    }

    fn used(&self) -> i64 {
        self.spent.saturating_add(self.held)
    }
}
