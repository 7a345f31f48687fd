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

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::route::Standing;
use bedplate_core::setting::Span;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[breaker]`: when a target is left alone, and how it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// So many failures one after the other open it; 0 switches breakers off.
    pub failures: u32,
    /// So many percent of the calls of `window` open it, too, from `calls` on.
    pub percent: u8,
    /// Fewer calls than this say nothing about a share.
    pub calls: u32,
    /// Over which failures are counted.
    pub window: Span,
    /// How long it stays open the first time; each time that follows twice as long.
    pub open: Span,
    /// How long at most.
    pub longest: Span,
    /// How long it takes a target to get all of its calls again.
    pub returning: Span,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            percent: 50,
            calls: 20,
            window: Span::secs(30),
            open: Span::secs(5),
            longest: Span::secs(120),
            returning: Span::secs(20),
        }
    }
}

impl BreakerConfig {
    /// Everything that is wrong, each with its member.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let mut must = |good: bool, member: &'static str, what: &str| {
            if !good {
                wrong.push((member, format!("`[breaker] {member}` must be {what}")));
            }
        };
        must((1..=100).contains(&self.percent), "percent", "from 1 to 100");
        must(self.calls > 0, "calls", "at least 1");
        must(self.window >= Span::secs(1), "window", "at least 1s");
        must(self.open >= Span::millis(100), "open", "at least 100ms");
        must(self.longest >= self.open, "longest", "at least `open`");
        wrong
    }
}

/// The breaker of one target, shared by all calls of the process.
pub(crate) struct Breaker {
    inner: Mutex<Inner>,
}

struct Inner {
    terms: BreakerConfig,
    state: State,
    /// How often it opened since it was last closed.
    times: u32,
    /// Failures one after the other.
    row: u32,
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
    said: bool,
}

impl Breaker {
    pub(crate) fn new(terms: BreakerConfig) -> Arc<Self> {
        let inner = Inner { terms, state: State::Closed, times: 0, row: 0, window: Window::default() };
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
        Some(Pass { breaker: Arc::clone(self), probe, said: false })
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

    fn judge(&self, verdict: Verdict, probe: bool, now: Tick, jitter: u32) {
        let mut inner = self.inner.lock();
        let terms = inner.terms;
        if terms.failures == 0 {
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
                let (ill, all) = inner.window.sums();
                let many =
                    all >= terms.calls && u64::from(ill) * 100 >= u64::from(all) * u64::from(terms.percent);
                if inner.row >= terms.failures || many {
                    inner.open(now, jitter);
                }
            }
            // of calls that went before it opened nothing new is learned
            (Verdict::Well | Verdict::Ill, State::Open { .. } | State::Probing) | (Verdict::Unknown, _) => {}
        }
    }
}

impl Inner {
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
        self.row = 0;
        self.window = Window::default();
    }

    fn close(&mut self) {
        (self.state, self.times, self.row) = (State::Closed, 0, 0);
    }
}

impl Pass {
    /// Says how it went; `jitter` is any number.
    pub(crate) fn judge(mut self, verdict: Verdict, now: Tick, jitter: u32) {
        self.said = true;
        self.breaker.judge(verdict, self.probe, now, jitter);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // the next call may probe
        if self.probe && !self.said {
            let mut inner = self.breaker.inner.lock();
            if inner.state == State::Probing {
                inner.state = State::Open { until: Tick(0) };
            }
        }
    }
}

const SLOTS: usize = 10;

/// Failures and calls of the last while, by tenths of it.
#[derive(Default)]
struct Window {
    slots: [(u32, u32); SLOTS],
    /// The tenth that is counted now, since the clock began.
    at: u64,
}

impl Window {
    fn roll(&mut self, now: Tick, window: Duration) {
        let tenth = (u64::try_from(window.as_nanos()).unwrap_or(u64::MAX) / SLOTS as u64).max(1);
        let at = now.0 / tenth;
        let gone = at.saturating_sub(self.at).min(SLOTS as u64);
        for n in 0..gone {
            self.slots[Self::slot(at - n)] = (0, 0);
        }
        self.at = self.at.max(at);
    }

    fn count(&mut self, ill: bool) {
        let slot = &mut self.slots[Self::slot(self.at)];
        slot.0 = slot.0.saturating_add(u32::from(ill));
        slot.1 = slot.1.saturating_add(1);
    }

    fn sums(&self) -> (u32, u32) {
        self.slots.iter().fold((0, 0), |(ill, all), slot| (ill + slot.0, all + slot.1))
    }

    #[expect(clippy::cast_possible_truncation, reason = "below ten")]
    fn slot(at: u64) -> usize {
        (at % SLOTS as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    struct Bed {
        breaker: Arc<Breaker>,
        now: Tick,
    }

    impl Bed {
        fn new() -> Self {
            Self { breaker: Breaker::new(BreakerConfig::default()), now: Tick(1_000 * SECOND) }
        }

        fn wait(&mut self, secs: u64) {
            self.now = Tick(self.now.0 + secs * SECOND);
        }

        /// Whether a call may go, and what becomes of it.
        fn call(&self, verdict: Verdict) -> bool {
            let pass = self.breaker.pass(self.now, 0);
            pass.map(|pass| pass.judge(verdict, self.now, 0)).is_some()
        }

        fn broken() -> Self {
            let bed = Self::new();
            (0..5).for_each(|_| assert!(bed.call(Verdict::Ill)));
            assert_eq!(bed.breaker.standing(bed.now), Standing::Open);
            bed
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_that_works_starts_the_row_anew() {
        let bed = Bed::new();
        for _ in 0..10 {
            (0..4).for_each(|_| assert!(bed.call(Verdict::Ill)));
            assert!(bed.call(Verdict::Well));
            (0..20).for_each(|_| assert!(bed.call(Verdict::Well)));
        }
        assert_eq!(bed.breaker.standing(bed.now), Standing::Closed);
        let bed = Bed::broken();
        assert!(!bed.call(Verdict::Well));
    }

    #[test]
    fn a_share_of_failures_opens_it_and_old_ones_are_forgotten() {
        let mut bed = Bed::new();
        for n in 0..20 {
            assert!(bed.call(if n % 2 == 0 { Verdict::Ill } else { Verdict::Well }), "{n}");
        }
        assert!(bed.call(Verdict::Ill));
        assert_eq!(bed.breaker.standing(bed.now), Standing::Open);

        let mut slow = Bed::new();
        for _ in 0..40 {
            assert!(slow.call(Verdict::Ill) && slow.call(Verdict::Well));
            slow.wait(4);
        }
        assert_eq!(slow.breaker.standing(slow.now), Standing::Closed, "never twenty calls in the window");
        bed.wait(1);
    }

    #[test]
    fn one_probe_at_a_time_and_the_way_back_is_slow() {
        let mut bed = Bed::broken();
        bed.wait(5);
        assert_eq!(bed.breaker.standing(bed.now), Standing::HalfOpen);
        let probe = bed.breaker.pass(bed.now, 0).unwrap();
        assert!(bed.breaker.pass(bed.now, 0).is_none(), "one at a time");
        probe.judge(Verdict::Well, bed.now, 0);
        assert_eq!(bed.breaker.standing(bed.now), Standing::Returning);
        let admitted = |bed: &Bed| {
            let chances = (0..1_000u32).map(|n| n * (u32::MAX / 1_000));
            chances.filter(|chance| bed.breaker.pass(bed.now, *chance).is_some()).count()
        };
        assert!((90..=110).contains(&admitted(&bed)), "{}", admitted(&bed));
        bed.wait(10);
        assert!((480..=520).contains(&admitted(&bed)), "{}", admitted(&bed));
        bed.wait(10);
        assert_eq!(admitted(&bed), 1_000);
        assert_eq!(bed.breaker.standing(bed.now), Standing::Closed);
    }

    #[test]
    fn a_probe_that_fails_doubles_the_time_up_to_the_longest() {
        let mut bed = Bed::broken();
        for secs in [5, 10, 20, 40, 80, 120, 120] {
            bed.wait(secs - 1);
            assert!(!bed.call(Verdict::Well), "{secs}");
            bed.wait(1);
            assert!(bed.call(Verdict::Ill), "{secs}");
        }
    }

    #[test]
    fn a_probe_that_nobody_waited_for_frees_its_place() {
        let mut bed = Bed::broken();
        bed.wait(5);
        drop(bed.breaker.pass(bed.now, 0).unwrap());
        let again = bed.breaker.pass(bed.now, 0).unwrap();
        again.judge(Verdict::Unknown, bed.now, 0);
        assert!(bed.call(Verdict::Well), "nothing was learned: the next one probes");
    }

    #[test]
    fn late_words_of_calls_that_went_before_change_nothing() {
        let bed = Bed::new();
        let early: Vec<Pass> = (0..10).map(|_| bed.breaker.pass(bed.now, 0).unwrap()).collect();
        (0..5).for_each(|_| assert!(bed.call(Verdict::Ill)));
        for pass in early {
            pass.judge(Verdict::Well, bed.now, 0);
        }
        assert_eq!(bed.breaker.standing(bed.now), Standing::Open);
    }

    #[test]
    fn switched_off_it_never_opens() {
        let breaker = Breaker::new(BreakerConfig { failures: 0, ..BreakerConfig::default() });
        for _ in 0..100 {
            breaker.pass(Tick(0), 0).unwrap().judge(Verdict::Ill, Tick(0), 0);
        }
        assert_eq!(breaker.standing(Tick(0)), Standing::Closed);
    }

    proptest::proptest! {
        /// Whatever happens in whatever order, a target that works again is asked again.
        #[test]
        fn it_always_comes_back(steps in proptest::collection::vec((0u8..5, 0u64..200), 0..200)) {
            let mut bed = Bed::new();
            let mut passes = Vec::new();
            for (step, secs) in steps {
                bed.wait(secs);
                match step {
                    0 => passes.extend(bed.breaker.pass(bed.now, 7)),
                    1 => drop(passes.pop()),
                    2..=4 => if let Some(pass) = passes.pop() {
                        let verdict = [Verdict::Well, Verdict::Ill, Verdict::Unknown][usize::from(step - 2)];
                        pass.judge(verdict, bed.now, 3);
                    },
                    _ => {}
                }
            }
            drop(passes);
            for _ in 0..400 {
                bed.wait(1);
                bed.call(Verdict::Well);
            }
            proptest::prop_assert_eq!(bed.breaker.standing(bed.now), Standing::Closed);
        }
    }
}
