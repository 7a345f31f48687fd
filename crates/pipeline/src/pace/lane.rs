//! A place where calls wait for room: a model at a provider, with its quota and its slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::pace::{Class, Lacks, LaneStand, Origin, Shed};
use bedplate_core::usage::Usage;
use parking_lot::Mutex;

use super::Common;
use super::queue::{Queue, Turn, Waiter};
use super::quota::{Lack, Quota, QuotaTerms};
use super::slots::{Slots, Went};
use super::wait::Want;

/// What a lane is bounded by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LaneTerms {
    pub(crate) quota: Option<QuotaTerms>,
    /// Calls at a time.
    pub(crate) slots: Option<u32>,
    /// Whether it is learned how many calls at a time it can bear.
    pub(crate) adaptive: bool,
    /// Where the numbers of its quota come from, for people.
    pub(crate) origin: Option<Origin>,
}

/// Shared by all calls of the process.
pub(crate) struct Lane {
    place: Arc<str>,
    name: Arc<str>,
    common: Arc<Common>,
    state: Mutex<State>,
}

struct State {
    quota: Option<Quota>,
    origin: Option<Origin>,
    slots: Slots,
    queue: Queue,
    passed: [u64; 3],
    shed: [[u64; 4]; 3],
    throttled: u64,
    used_at: Tick,
}

/// Room for one request. Dropped without being settled, the request never went.
pub(crate) struct Room {
    lane: Arc<Lane>,
    reserved: u64,
    burndown: u64,
    class: Class,
    began: Tick,
    open: AtomicBool,
}

impl Lane {
    pub(super) fn new(
        place: Arc<str>,
        name: Arc<str>,
        terms: LaneTerms,
        common: Arc<Common>,
        now: Tick,
    ) -> Arc<Self> {
        let state = State {
            quota: terms.quota.map(|terms| Quota::new(terms, now)),
            origin: terms.origin,
            slots: Slots::new(terms.slots, terms.adaptive),
            queue: Queue::default(),
            passed: [0; 3],
            shed: [[0; 4]; 3],
            throttled: 0,
            used_at: now,
        };
        Arc::new(Self { place, name, common, state: Mutex::new(state) })
    }

    /// The same, where it is asked each time: mostly nothing changes.
    pub(super) fn resize(&self, terms: LaneTerms, now: Tick) {
        if self.state.lock().slots.most() != terms.slots {
            self.set(terms, now);
        }
    }

    /// From now on it goes by these terms; what it knows stays.
    pub(super) fn set(&self, terms: LaneTerms, now: Tick) {
        let mut state = self.state.lock();
        state.slots.set(terms.slots, terms.adaptive);
        state.origin = terms.origin;
        match (&mut state.quota, terms.quota) {
            (Some(quota), Some(terms)) => quota.set(terms),
            (quota, terms) => *quota = terms.map(|terms| Quota::new(terms, now)),
        }
        state.queue.wake();
    }

    /// The model or profile; of slots whose they are.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Room for a request, unless somebody's turn comes before.
    pub(super) fn take(self: &Arc<Self>, want: Want, turn: Turn, now: Tick) -> Result<Room, Lack> {
        let tokens = want.tokens;
        let (share, keep) = (self.common.share(), self.common.keep(turn.class));
        let mut state = self.state.lock();
        let before = state.queue.before(turn);
        let state = &mut *state;
        if let Some(quota) = &mut state.quota {
            if quota.whole().is_some_and(|whole| want.least > whole) {
                return Err(Lack::NEVER);
            }
            quota.room(tokens, before.1, share, keep, now)?;
        }
        if before.0 > 0 || !state.slots.room(share, keep) {
            let after = state.slots.after(before.0, share);
            return Err(Lack { lacks: Lacks::Slots, after, looks: after, never: false });
        }
        if let Some(quota) = &mut state.quota {
            quota.take(tokens);
        }
        state.slots.take();
        state.passed[turn.class.index()] += 1;
        state.used_at = now;
        let burndown = state.quota.as_ref().map_or(1, |quota| quota.terms().burndown);
        let open = AtomicBool::new(true);
        Ok(Room { lane: Arc::clone(self), reserved: tokens, burndown, class: turn.class, began: now, open })
    }

    /// Room for a request that does not wait.
    pub(crate) fn take_now(self: &Arc<Self>, want: Want, now: Tick) -> Option<Room> {
        self.take(want, Turn::last(want.class), now).ok()
    }

    /// Whether a request of this class would get room now.
    pub(crate) fn has_room(&self, tokens: u64, class: Class, now: Tick) -> bool {
        let (share, keep) = (self.common.share(), self.common.keep(class));
        let mut state = self.state.lock();
        let before = state.queue.before(Turn::last(class));
        before.0 == 0
            && state.slots.room(share, keep)
            && state.quota.as_mut().is_none_or(|quota| quota.room(tokens, 0, share, keep, now).is_ok())
    }

    /// Whether it knows the quota, so that a call of so many tokens which is throttled comes to its turn when there is
    /// room again.
    pub(crate) fn paces(&self, tokens: u64) -> bool {
        let share = self.common.share();
        self.state.lock().quota.as_ref().is_some_and(|quota| !quota.alone(tokens, share))
    }

    /// Tokens a minute that no call may be larger than; `None` where nobody says.
    pub(crate) fn whole(&self) -> Option<u64> {
        self.state.lock().quota.as_ref().and_then(Quota::whole)
    }

    /// Lets a call wait here.
    pub(super) fn join(&self, waiter: &Arc<Waiter>) -> bool {
        self.state.lock().queue.join(waiter, self.common.queue())
    }

    /// Whoever leaves the queue lets the next one look.
    pub(super) fn leave(&self, turn: Turn) {
        let mut state = self.state.lock();
        state.queue.leave(turn);
        state.queue.wake();
    }

    pub(super) fn shed(&self, class: Class, why: Shed) {
        self.state.lock().shed[class.index()][why as usize] += 1;
    }

    pub(super) fn idle_for(&self, now: Tick) -> Duration {
        let state = self.state.lock();
        if state.slots.used() > 0 || !state.queue.is_empty() {
            Duration::ZERO
        } else {
            now.since(state.used_at)
        }
    }

    pub(super) fn stand(&self, now: Tick) -> LaneStand {
        let share = self.common.share();
        let mut state = self.state.lock();
        let (requests, tokens) = state.quota.as_mut().map_or((None, None), |quota| quota.stands(share, now));
        LaneStand {
            place: Arc::clone(&self.place),
            name: Arc::clone(&self.name),
            requests,
            tokens,
            origin: state.origin,
            learned: state.quota.as_ref().and_then(Quota::learned),
            under_way: state.slots.used(),
            slots: state.slots.bound(share, 0.0),
            waiting: state.queue.lengths(),
            passed: state.passed,
            shed: state.shed,
            throttled: state.throttled,
        }
    }

    fn give_back(&self, room: &Room, went: Went, used: Option<u64>, now: Tick) {
        let share = self.common.share();
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(quota) = &mut state.quota {
            quota.ends(room.reserved);
            if let Some(used) = used {
                quota.settle(room.reserved, used);
                if matches!(went, Went::Well(_)) {
                    quota.answered(room.reserved, used, now.since(room.began));
                }
            }
            // one that was larger than all of it says nothing about how much that is
            if went == Went::Throttled && !quota.alone(room.reserved, share) {
                quota.throttled(room.began, share, now);
            }
        }
        state.throttled += u64::from(went == Went::Throttled);
        // a quota that is known says itself what a throttle means
        let went = if went == Went::Throttled && state.quota.is_some() { Went::Unknown } else { went };
        state.slots.give_back(room.began, went, now);
        state.queue.wake();
    }
}

impl Room {
    /// The request ended; `used` is what it used, `None` when nobody knows: then it is taken for what was reserved.
    pub(crate) fn settle(&self, went: Went, used: Option<&Usage>, now: Tick) {
        if self.open.swap(false, Ordering::AcqRel) {
            let used = used.map(|usage| quota_tokens(usage, self.burndown));
            self.lane.give_back(self, went, used, now);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.open.swap(false, Ordering::AcqRel) {
            let mut state = self.lane.state.lock();
            if let Some(quota) = &mut state.quota {
                quota.untake(self.reserved);
            }
            state.slots.untake();
            state.passed[self.class.index()] -= 1;
            state.queue.wake();
        }
    }
}

/// What a call used of a quota of tokens: cache reads are free.
fn quota_tokens(usage: &Usage, burndown: u64) -> u64 {
    let prompt = usage.prompt().saturating_sub(usage.cache_read);
    prompt.saturating_add(usage.output.saturating_mul(burndown))
}
