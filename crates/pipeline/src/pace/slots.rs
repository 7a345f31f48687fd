//! How many calls may be under way at a target at a time: what is configured, and what the target shows it can bear.
//!
//! The bound grows with answers and is cut by what goes wrong (additive increase, multiplicative decrease; doubling
//! until the first cut). First tokens that take longer than they used to hold it early. The length of answers says
//! nothing, so the total time is not looked at.

use std::time::Duration;

use bedplate_core::clock::Tick;

/// How an attempt went, for the bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Went {
    /// It was answered; how long the first token took, of a stream.
    Well(Option<Duration>),
    /// The target failed, or took too long.
    Ill,
    /// A quota was full.
    Throttled,
    /// Nothing was learned.
    Unknown,
}

pub(super) struct Slots {
    /// What is configured.
    most: Option<u32>,
    adaptive: Option<Adaptive>,
    used: u32,
    /// How long an attempt takes; seconds.
    takes: f64,
}

struct Adaptive {
    bound: f64,
    /// Nothing was cut yet.
    starting: bool,
    cut_at: Option<Tick>,
    /// First tokens of late, and as they used to be; seconds.
    lately: f64,
    usually: f64,
}

const START: f64 = 64.0;
const LEAST: f64 = 2.0;
const MOST: f64 = 100_000.0;
const CUT: f64 = 0.7;

impl Slots {
    pub(super) fn new(most: Option<u32>, adaptive: bool) -> Self {
        Self { most, adaptive: adaptive.then(Adaptive::new), used: 0, takes: 0.0 }
    }

    pub(super) fn set(&mut self, most: Option<u32>, adaptive: bool) {
        self.most = most;
        if adaptive != self.adaptive.is_some() {
            self.adaptive = adaptive.then(Adaptive::new);
        }
    }

    /// What is configured.
    pub(super) fn most(&self) -> Option<u32> {
        self.most
    }

    /// How many may be under way when so much is kept free and `share` is our part; `None` when nothing limits them.
    pub(super) fn bound(&self, share: f64, keep: f64) -> Option<u32> {
        let most = self.most.map(|most| f64::from(most) * share);
        let shown = self.adaptive.as_ref().map(|adaptive| adaptive.bound);
        let bound = match (most, shown) {
            (Some(most), Some(shown)) => most.min(shown),
            (most, shown) => most.or(shown)?,
        };
        // a limit of few never keeps all of them free
        Some(whole((bound * (1.0 - keep)).max(1.0)))
    }

    pub(super) fn room(&self, share: f64, keep: f64) -> bool {
        self.bound(share, keep).is_none_or(|bound| self.used < bound)
    }

    /// When a call may come to its turn that has so many before it.
    pub(super) fn after(&self, before: u32, share: f64) -> Duration {
        let bound = self.bound(share, 0.0).map_or(1.0, f64::from);
        let each = if self.takes > 0.0 { self.takes } else { 1.0 };
        let over = f64::from((self.used + before + 1).saturating_sub(self.bound(share, 0.0).unwrap_or(0)));
        Duration::from_secs_f64((over * each / bound).min(3_600.0))
    }

    pub(super) fn take(&mut self) {
        self.used += 1;
    }

    /// One that never went.
    pub(super) fn untake(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    pub(super) fn give_back(&mut self, began: Tick, went: Went, now: Tick) {
        let busy = f64::from(self.used);
        self.used = self.used.saturating_sub(1);
        let took = now.since(began).as_secs_f64();
        self.takes = if self.takes > 0.0 { self.takes + 0.1 * (took - self.takes) } else { took };
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.heard(went, busy, began, now);
        }
    }

    pub(super) fn used(&self) -> u32 {
        self.used
    }
}

impl Adaptive {
    fn new() -> Self {
        Self { bound: START, starting: true, cut_at: None, lately: 0.0, usually: 0.0 }
    }

    fn heard(&mut self, went: Went, busy: f64, began: Tick, now: Tick) {
        match went {
            Went::Well(first) => {
                if let Some(first) = first {
                    self.first_token(first.as_secs_f64());
                }
                // a bound that nobody touches says nothing about what lies beyond it
                if busy * 2.0 >= self.bound && !self.slower() {
                    let more = if self.starting { 1.0 } else { 1.0 / self.bound };
                    self.bound = (self.bound + more).min(MOST);
                }
            }
            Went::Ill | Went::Throttled => {
                // those that were under way when it was cut say nothing new
                if self.cut_at.is_none_or(|cut| began > cut) {
                    self.bound = (self.bound.min(busy) * CUT).max(LEAST);
                    (self.starting, self.cut_at) = (false, Some(now));
                }
            }
            Went::Unknown => {}
        }
    }

    fn first_token(&mut self, secs: f64) {
        let near = |mean: f64, part: f64| if mean > 0.0 { mean + part * (secs - mean) } else { secs };
        self.lately = near(self.lately, 0.2);
        // what is slow for long becomes what is usual
        self.usually = near(self.usually, 0.005);
    }

    fn slower(&self) -> bool {
        self.lately > self.usually * 2.0 + 0.05
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1; the cast saturates")]
fn whole(n: f64) -> u32 {
    n as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Tick {
        Tick(millis * 1_000_000)
    }

    const FAST: Went = Went::Well(Some(Duration::from_millis(200)));

    /// Fills all slots, and gives them back all at once.
    fn round(slots: &mut Slots, went: Went, now: u64) {
        let mut taken = 0;
        while slots.room(1.0, 0.0) && taken < 10_000 {
            slots.take();
            taken += 1;
        }
        (0..taken).for_each(|_| slots.give_back(at(now), went, at(now + 100)));
    }

    #[test]
    fn what_is_configured_holds_and_a_part_is_kept_free() {
        let mut slots = Slots::new(Some(10), false);
        assert_eq!(
            (slots.bound(1.0, 0.0), slots.bound(1.0, 0.1), slots.bound(0.5, 0.0)),
            (Some(10), Some(9), Some(5))
        );
        (0..9).for_each(|_| slots.take());
        assert!(slots.room(1.0, 0.0) && !slots.room(1.0, 0.1));
        assert_eq!(Slots::new(Some(1), false).bound(0.25, 0.1), Some(1));
        assert_eq!(Slots::new(None, false).bound(1.0, 0.1), None);
    }

    #[test]
    fn the_bound_grows_with_answers_and_is_cut_once_for_what_was_under_way() {
        let mut slots = Slots::new(None, true);
        round(&mut slots, FAST, 0);
        let doubled = slots.bound(1.0, 0.0).unwrap();
        assert!((80..=128).contains(&doubled), "{doubled}");
        round(&mut slots, Went::Throttled, 1_000);
        let cut = slots.bound(1.0, 0.0).unwrap();
        assert_eq!(cut, doubled * 7 / 10);
        round(&mut slots, FAST, 2_000);
        assert!(slots.bound(1.0, 0.0).unwrap() <= cut + 1, "by one a round from then on");
    }

    #[test]
    fn slow_first_tokens_hold_it_and_long_answers_do_not() {
        let mut slots = Slots::new(None, true);
        (0..200).for_each(|n| round(&mut slots, FAST, n * 1_000));
        let before = slots.bound(1.0, 0.0).unwrap();
        let slow = Went::Well(Some(Duration::from_secs(3)));
        // the first of them still count as usual
        round(&mut slots, slow, 300_000);
        let held = slots.bound(1.0, 0.0).unwrap();
        assert!(held <= before + 5, "{before} {held}");
    }

    #[test]
    fn an_idle_target_learns_nothing() {
        let mut slots = Slots::new(None, true);
        (0..1_000).for_each(|n| {
            slots.take();
            slots.give_back(at(n), FAST, at(n + 1));
        });
        assert_eq!(slots.bound(1.0, 0.0), Some(64));
    }
}
