//! Whether a target is worth asking.
//!
//! ```text
//! closed ──too much fails──▶ open ──time──▶ half open: one probe ──answered──▶ returning ──time──▶ closed
//!                             ▲                      │                           │
//!                             └──────── fails ───────┴────────── fails ──────────┘
//! ```
//!
//! A target that comes back gets more and more of its calls, so that what broke it once does not come down on it all at
//! once again. Throttling says nothing about health: it is what a quota does.

mod config;
mod window;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::route::Standing;
use parking_lot::Mutex;

pub use config::BreakerConfig;
use window::Window;

/// The breaker of one target, shared by all calls of the process.
pub(crate) struct Breaker {
    inner: Mutex<Inner>,
}

struct Inner {
    terms: BreakerConfig,
    state: State,
    /// How often it opened since it was last closed.
    times: u32,
    /// How often it opened ever: words of calls that went before the last time say nothing about what is now.
    opened: u64,
    /// Failures one after the other.
    row: u32,
    /// Streams one after the other that began and then failed.
    cut: u32,
    window: Window,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Closed,
    Open {
        until: Tick,
    },
    /// The one probe is on its way.
    Probing,
    Returning {
        since: Tick,
    },
}

/// What an attempt says about its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It works; also when the call was wrong.
    Well,
    /// It does not.
    Ill,
    /// Nothing was learned: the caller left, or a quota was full.
    Unknown,
}

/// Leave to ask a target once. Dropped without a verdict nothing was learned.
pub(crate) struct Pass {
    breaker: Arc<Breaker>,
    probe: bool,
    /// How often the breaker had opened when it was given.
    opened: u64,
    said: bool,
}

/// What tells a target's breaker how a stream ended whose beginning was judged.
pub(crate) struct Watch {
    breaker: Arc<Breaker>,
    opened: u64,
}

impl Breaker {
    pub(crate) fn new(terms: BreakerConfig) -> Arc<Self> {
        let inner = Inner {
            terms,
            state: State::Closed,
            times: 0,
            opened: 0,
            row: 0,
            cut: 0,
            window: Window::default(),
        };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    /// From now on it goes by these terms; what it knows stays.
    pub(crate) fn set(&self, terms: BreakerConfig) {
        let mut inner = self.inner.lock();
        inner.terms = terms;
        if terms.failures == 0 {
            inner.close();
        }
    }

    /// Leave to ask the target now; `chance` is any number, each as likely as another.
    pub(crate) fn pass(self: &Arc<Self>, now: Tick, chance: u32) -> Option<Pass> {
        let mut inner = self.inner.lock();
        let probe = match inner.state {
            State::Closed => false,
            State::Open { until } if now >= until => {
                inner.state = State::Probing;
                true
            }
            State::Open { .. } | State::Probing => return None,
            State::Returning { since } => match inner.share(now.since(since)) {
                None => {
                    inner.close();
                    false
                }
                Some(share) if chance <= share => false,
                Some(_) => return None,
            },
        };
        Some(Pass { breaker: Arc::clone(self), probe, opened: inner.opened, said: false })
    }

    pub(crate) fn standing(&self, now: Tick) -> Standing {
        let inner = self.inner.lock();
        match inner.state {
            State::Closed => Standing::Closed,
            State::Open { until } if now < until => Standing::Open,
            State::Open { .. } | State::Probing => Standing::HalfOpen,
            State::Returning { since } if inner.share(now.since(since)).is_some() => Standing::Returning,
            State::Returning { .. } => Standing::Closed,
        }
    }

    fn judge(&self, verdict: Verdict, (probe, opened): (bool, u64), now: Tick, jitter: u32) {
        let mut inner = self.inner.lock();
        let terms = inner.terms;
        // of calls that went before it opened nothing new is learned
        if terms.failures == 0 || opened != inner.opened {
            return;
        }
        inner.window.roll(now, terms.window.0);
        match (verdict, inner.state) {
            (Verdict::Well, State::Probing) if probe => inner.state = State::Returning { since: now },
            (Verdict::Unknown, State::Probing) if probe => inner.state = State::Open { until: now },
            (Verdict::Ill, State::Probing) if probe => inner.open(now, jitter),
            (Verdict::Ill, State::Returning { .. }) => inner.open(now, jitter),
            (Verdict::Well, State::Closed | State::Returning { .. }) => {
                inner.row = 0;
                inner.window.count(false);
            }
            (Verdict::Ill, State::Closed) => {
                inner.row += 1;
                inner.window.count(true);
                if inner.row >= terms.failures || inner.fails_often() {
                    inner.open(now, jitter);
                }
            }
            (Verdict::Well | Verdict::Ill, State::Open { .. } | State::Probing) | (Verdict::Unknown, _) => {}
        }
    }
}

impl Breaker {
    /// A stream ended that was counted as answered when it began.
    fn judge_end(&self, well: bool, opened: u64, now: Tick, jitter: u32) {
        let mut inner = self.inner.lock();
        let terms = inner.terms;
        if terms.failures == 0 || opened != inner.opened {
            return;
        }
        inner.window.roll(now, terms.window.0);
        match inner.state {
            _ if well => inner.cut = 0,
            State::Returning { .. } => inner.open(now, jitter),
            State::Closed => {
                inner.cut += 1;
                inner.window.was_ill();
                if inner.cut >= terms.failures || inner.fails_often() {
                    inner.open(now, jitter);
                }
            }
            State::Open { .. } | State::Probing => {}
        }
    }
}

impl Inner {
    /// Whether the share of failures is what opens it.
    fn fails_often(&self) -> bool {
        let (ill, all) = self.window.sums();
        all >= self.terms.calls && u64::from(ill) * 100 >= u64::from(all) * u64::from(self.terms.percent)
    }

    /// Which part of its calls a target gets that returned so long ago, out of `u32::MAX`; `None` for all. A tenth from
    /// the start.
    fn share(&self, gone: Duration) -> Option<u32> {
        let whole = self.terms.returning.0;
        if gone >= whole {
            return None;
        }
        let part = gone.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 1")]
        let share = (part.max(0.1) * f64::from(u32::MAX)) as u32;
        Some(share)
    }

    /// `jitter` spreads the probes of many nodes over a quarter of the time.
    fn open(&mut self, now: Tick, jitter: u32) {
        let doubled = self.terms.open.0.saturating_mul(1 << self.times.min(16)).min(self.terms.longest.0);
        let spread = doubled.mul_f64(f64::from(jitter) / f64::from(u32::MAX) / 4.0);
        let nanos = u64::try_from((doubled + spread).as_nanos()).unwrap_or(u64::MAX);
        self.state = State::Open { until: Tick(now.0.saturating_add(nanos)) };
        self.times = self.times.saturating_add(1);
        self.opened += 1;
        (self.row, self.cut) = (0, 0);
        self.window = Window::default();
    }

    fn close(&mut self) {
        (self.state, self.times, self.row, self.cut) = (State::Closed, 0, 0, 0);
    }
}

impl Pass {
    /// Says how it went; `jitter` is any number.
    pub(crate) fn judge(mut self, verdict: Verdict, now: Tick, jitter: u32) {
        self.said = true;
        self.breaker.judge(verdict, (self.probe, self.opened), now, jitter);
    }

    /// For the end of a stream that it is the leave of.
    pub(crate) fn watch(&self) -> Watch {
        Watch { breaker: Arc::clone(&self.breaker), opened: self.opened }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // the next call may probe
        if self.probe && !self.said {
            let mut inner = self.breaker.inner.lock();
            if inner.state == State::Probing && inner.opened == self.opened {
                inner.state = State::Open { until: Tick(0) };
            }
        }
    }
}

impl Watch {
    /// Says how the stream ended; `jitter` is any number.
    pub(crate) fn judge(&self, verdict: Verdict, now: Tick, jitter: u32) {
        match verdict {
            Verdict::Well => self.breaker.judge_end(true, self.opened, now, jitter),
            Verdict::Ill => self.breaker.judge_end(false, self.opened, now, jitter),
            Verdict::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests;
