//! This node's slice of one window.

use std::fmt;
use std::time::Duration;

use bedplate_core::budget::{Stand, Sums, Why, Window};
use bedplate_core::clock::{Tick, Timestamp};
use bedplate_cost::budget::Period;
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, Notify};

/// The slice in memory. `free = granted − returned − spent − held`, and only what is free is held.
pub(crate) struct Purse {
    window: Window,
    frame: Mutex<Frame>,
    state: Mutex<State>,
    /// Who may ask the ledger: one at a time, so that what it says is known in order.
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Purse").field(&self.window).finish()
    }
}

/// How long the window is the current one. A reload may change that and leave the window's beginning.
struct Frame {
    period: Period,
    ends: Timestamp,
}

#[derive(Default)]
struct State {
    /// As the ledger last said; `returned` also counts what is being returned.
    sums: Sums,
    /// What calls of this node came to, whether or not their records are written yet.
    spent: i64,
    held: i64,
    /// Of what was given back, what the ledger has heard of.
    said: i64,
    /// The account over its period, as the ledger last said.
    stand: Stand,
    /// Until when the slice is surely this node's.
    lease: Option<Tick>,
    /// How much more than needed was asked for last.
    ahead: i64,
    /// Spending when the ledger was last asked: tells how fast it is used up.
    used_then: i64,
    /// What blocked, when the ledger was last asked.
    limit: i64,
    /// Spending at the keeper's last rounds, and how many rounds it has been the same.
    seen: (i64, u32),
}

/// So many rounds without a call, and the slice lies idle.
const IDLE: u32 = 4;

impl State {
    fn free(&self) -> i64 {
        (self.sums.granted - self.sums.returned).saturating_sub(self.spent).saturating_sub(self.held)
    }
}

impl Purse {
    pub(super) fn new(window: Window, period: Period, ends: Timestamp) -> Self {
        Self {
            window,
            frame: Mutex::new(Frame { period, ends }),
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            freed: Notify::new(),
        }
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// Whether spending still belongs to this window. A clock that goes back does not bring an old one back.
    pub(super) fn lasts(&self, now: Timestamp, period: &Period) -> bool {
        let mut frame = self.frame.lock();
        if frame.period == *period {
            return now < frame.ends;
        }
        let part = period.part(now);
        let same = part.starts == self.window.starts;
        if same {
            *frame = Frame { period: period.clone(), ends: part.ends };
        }
        same
    }

    pub(super) fn ends(&self) -> Timestamp {
        self.frame.lock().ends
    }

    pub(super) fn counts_from(&self, now: Timestamp) -> Timestamp {
        self.frame.lock().period.part(now).counts_from.min(self.window.starts)
    }

    /// Holds so much, if it is there and the slice is surely ours.
    pub(super) fn hold(&self, amount: i64, now: Tick) -> bool {
        let mut state = self.state.lock();
        let fits = state.lease.is_some_and(|until| now < until) && state.free() >= amount;
        if fits {
            state.held += amount;
        }
        fits
    }

    /// Holds so much, there or not: what only tells does not limit.
    pub(super) fn hold_anyway(&self, amount: i64) {
        let mut state = self.state.lock();
        state.held = state.held.saturating_add(amount);
    }

    /// Ends a hold of `held`, of which `spent` is spent.
    pub(super) fn settle(&self, held: i64, spent: i64) {
        let freed = {
            let mut state = self.state.lock();
            state.held -= held;
            state.spent = state.spent.saturating_add(spent);
            spent < held
        };
        if freed {
            self.freed.notify_waiters();
        }
    }

    pub(super) fn free(&self) -> i64 {
        self.state.lock().free()
    }

    /// The stand as the ledger last said it, and what is held here.
    pub(super) fn stand(&self) -> (Stand, i64) {
        let state = self.state.lock();
        (state.stand, state.held)
    }

    /// What was spent here and the ledger has not heard of, and what is free; neither below nothing.
    pub(super) fn own(&self) -> (i64, i64) {
        let state = self.state.lock();
        (state.spent.saturating_sub(state.sums.settled).max(0), state.free().max(0))
    }

    /// Whether the slice is surely ours at `now`.
    pub(super) fn is_current(&self, now: Tick) -> bool {
        self.state.lock().lease.is_some_and(|until| now < until)
    }

    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Something may have become free.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// How much more than it needs the node asks for: about what it spends until it asks again, never more than a
    /// hundredth of the limit, so that little is unknown should it die.
    pub(super) fn ahead(&self, wanted: i64, limit: i64) -> i64 {
        let mut state = self.state.lock();
        let used = state.spent.saturating_add(state.held);
        let since = used.saturating_sub(state.used_then);
        state.used_then = used;
        let grown = state.ahead.max(wanted).min(since.max(wanted)).saturating_mul(2);
        state.ahead = grown.clamp(0, (limit / 100).max(0));
        state.limit = limit;
        state.ahead
    }

    /// What the ledger said. Answers may overtake each other; each number only grows.
    pub(super) fn learn(&self, sums: Sums, stand: Stand, lease: Option<Tick>) {
        let mut state = self.state.lock();
        let mine = &mut state.sums;
        mine.granted = mine.granted.max(sums.granted);
        mine.returned = mine.returned.max(sums.returned);
        state.said = state.said.max(sums.returned);
        let mine = &mut state.sums;
        mine.settled = mine.settled.max(sums.settled);
        mine.reconciled = mine.reconciled.max(sums.reconciled);
        state.stand = stand;
        state.lease = state.lease.max(lease);
    }

    /// Extends the lease.
    pub(super) fn renewed(&self, sums: Sums, until: Tick) {
        let stand = self.state.lock().stand;
        self.learn(sums, stand, Some(until));
    }

    /// Why `need` does not fit below `ceiling`, when the account stands so.
    pub(super) fn why(&self, ceiling: i64, need: i64, stand: Stand) -> Why {
        let state = self.state.lock();
        // what this node spent and the ledger does not know yet
        let unrecorded = state.spent.saturating_sub(state.sums.settled).max(0);
        let left = ceiling.saturating_sub(stand.settled).saturating_sub(unrecorded);
        if left < need {
            Why::Spent
        } else if left.saturating_sub(stand.unknown) < need {
            Why::Unknown
        } else {
            Why::Held
        }
    }

    /// Sets aside what is free: it is no longer ours to spend, and is given back by what [`Purse::unsaid`] says.
    pub(super) fn empty(&self) {
        let mut state = self.state.lock();
        let free = state.free();
        if free > 0 {
            state.sums.returned += free;
        }
    }

    /// All that was ever given back, when the ledger may not have heard of some of it.
    pub(super) fn unsaid(&self) -> Option<i64> {
        let state = self.state.lock();
        (state.sums.returned > state.said).then_some(state.sums.returned)
    }

    /// The ledger has heard of so much.
    pub(super) fn said(&self, total: i64) {
        let mut state = self.state.lock();
        state.said = state.said.max(total);
    }

    /// Whether calls on their way hold something, or the ledger has not heard of all that was given back.
    pub(super) fn is_open(&self) -> bool {
        let state = self.state.lock();
        state.held > 0 || state.free() > 0 || state.sums.returned > state.said
    }

    /// Whether no call has spent from it for some rounds; to be asked once a round.
    pub(super) fn lies_idle(&self) -> bool {
        let mut state = self.state.lock();
        let used = state.spent.saturating_add(state.held);
        state.seen = if state.seen.0 == used { (used, state.seen.1.saturating_add(1)) } else { (used, 0) };
        state.seen.1 >= IDLE
    }

    /// Whether so little of the window was left when the ledger was last asked that other nodes may want for it.
    pub(super) fn is_scarce(&self) -> bool {
        let state = self.state.lock();
        state.limit > 0 && state.limit.saturating_sub(state.stand.taken()) < state.limit / 50
    }
}

/// A moment so much later.
pub(super) fn later(tick: Tick, by: Duration) -> Tick {
    Tick(tick.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
}
