//! This node's slice of one window.

mod state;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Drawn, Stand, Sums, Why, Window};
use bedplate_core::clock::{Tick, Timestamp};
use bedplate_cost::budget::Period;
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, Notify};

pub(super) use state::Bounds;
use state::State;

/// The slice in memory. Only what is free is held: `free = max(granted − returned, settled) − spent − held`.
pub(crate) struct Purse {
    window: Window,
    frame: Mutex<Frame>,
    state: Mutex<State>,
    /// Who may ask the ledger: one at a time, so that what it says is known in order, and those that waited need not
    /// ask again.
    turn: tokio::sync::Mutex<Option<Heard>>,
    freed: Notify,
    /// Rung when something became free that other nodes may want for.
    spare: Arc<Notify>,
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Purse").field(&self.window).finish()
    }
}

/// How long the window is the current one, and which others count with it, by the period that a call last came with: a
/// reload may change that and leave the window's beginning.
struct Frame {
    /// `None` until a call asks for the window.
    period: Option<Period>,
    counts_from: Timestamp,
    ends: Timestamp,
}

/// What the ledger said when it had not what was needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) at: Tick,
    /// What was asked by: over another period the account stands elsewhere.
    pub(super) by: Bounds,
    pub(super) need: i64,
    /// `None` when it did not answer.
    pub(super) stand: Option<Stand>,
}

impl Purse {
    pub(super) fn new(window: Window, spare: Arc<Notify>) -> Self {
        let frame = Frame { period: None, counts_from: window.starts, ends: Timestamp(i64::MIN) };
        Self {
            window,
            frame: Mutex::new(frame),
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            freed: Notify::new(),
            spare,
        }
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// From when on windows count with this one, when what is spent `now` belongs to it; a later draw for the same call
    /// counts no less.
    pub(super) fn lasts(&self, now: Timestamp, period: &Period) -> Option<Timestamp> {
        let mut frame = self.frame.lock();
        if frame.period.as_ref() != Some(period) {
            let part = period.part(now);
            if part.starts != self.window.starts {
                return None;
            }
            *frame = Frame { period: Some(period.clone()), counts_from: part.counts_from, ends: part.ends };
        }
        (self.window.starts <= now && now < frame.ends).then_some(frame.counts_from)
    }

    pub(super) fn ends(&self) -> Timestamp {
        self.frame.lock().ends
    }

    /// Holds so much, if it is there and the slice is surely ours and within `bounds`.
    pub(super) fn hold(&self, amount: i64, bounds: Bounds, now: Tick) -> bool {
        let mut state = self.state.lock();
        let fits = state.covers(amount, bounds, now);
        if fits {
            state.hold(amount);
        }
        fits
    }

    /// Holds so much, there or not: what only tells does not limit.
    pub(super) fn hold_anyway(&self, amount: i64) {
        self.state.lock().hold(amount);
    }

    /// Ends a hold of `held`, of which `spent` is spent.
    pub(super) fn settle(&self, held: i64, spent: i64) {
        let (freed, spare) = {
            let mut state = self.state.lock();
            state.settle(held, spent);
            (spent < held, state.surplus() > 0)
        };
        if freed {
            self.freed.notify_waiters();
        }
        if spare {
            self.spare.notify_one();
        }
    }

    pub(super) fn free(&self) -> i64 {
        self.state.lock().free()
    }

    /// Whether so much could be held.
    pub(super) fn covers(&self, amount: i64, bounds: Bounds, now: Tick) -> bool {
        self.state.lock().covers(amount, bounds, now)
    }

    pub(super) async fn turn(&self) -> MutexGuard<'_, Option<Heard>> {
        self.turn.lock().await
    }

    /// Something may have become free.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// How much more than it needs the node asks for.
    pub(super) fn ahead(&self, wanted: i64, limit: i64) -> i64 {
        self.state.lock().ahead(wanted, limit)
    }

    /// The answer to a draw within `bounds`; `until` is when the lease is over that a grant extends.
    pub(super) fn drawn(&self, drawn: Drawn, bounds: Bounds, until: Tick) {
        self.state.lock().drawn(drawn, bounds, until);
    }

    /// The slice was renewed.
    pub(super) fn renewed(&self, sums: Sums, until: Tick) {
        self.state.lock().renewed(sums, until);
    }

    /// The slice was not renewed, because nothing of it is left; `spent` is what was spent when that was asked.
    pub(super) fn gone(&self, spent: i64) {
        self.state.lock().gone(spent);
    }

    /// Why `need` does not fit below `limit`, when the account stands so.
    pub(super) fn why(&self, limit: i64, need: i64, stand: Stand) -> Why {
        self.state.lock().why(limit, need, stand)
    }

    /// The stand as the ledger last said it, and what is held here.
    pub(super) fn stand(&self) -> (Stand, i64) {
        self.state.lock().stand()
    }

    /// What was spent here and the ledger has not heard of, and what is free; neither below nothing.
    pub(super) fn own(&self) -> (i64, i64) {
        let state = self.state.lock();
        (state.unrecorded(), state.free().max(0))
    }

    /// What calls came to so far.
    pub(super) fn spent(&self) -> i64 {
        self.state.lock().spent()
    }

    /// Sets aside all that is free: it is no longer ours to spend, and is given back by what [`Purse::unsaid`] says.
    pub(super) fn empty(&self) {
        self.state.lock().set_aside(i64::MAX);
    }

    /// Sets aside what other nodes may want for.
    pub(super) fn shed(&self) {
        let mut state = self.state.lock();
        let surplus = state.surplus();
        state.set_aside(surplus);
    }

    /// All that was ever given back, when the ledger may not have heard of some of it.
    pub(super) fn unsaid(&self) -> Option<i64> {
        self.state.lock().unsaid()
    }

    /// The ledger has heard of so much.
    pub(super) fn said(&self, total: i64) {
        self.state.lock().said(total);
    }

    /// Whether something is held, may be spent or is to be given back, or its records may not be written yet.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().is_open()
    }

    /// Whether no call has spent from it for some rounds; to be asked once a round.
    pub(super) fn lies_idle(&self) -> bool {
        self.state.lock().lies_idle()
    }
}

/// A moment so much later.
pub(super) fn later(tick: Tick, by: Duration) -> Tick {
    Tick(tick.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
}
