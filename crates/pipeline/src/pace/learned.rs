//! What AWS lets through, as a part of what is configured.
//!
//! A throttle says that it is less than we thought: the part is cut a little. While calls wait and nothing is
//! throttled it grows: at first evenly, and once a throttle has shown where the end is, fast towards it, slowly past it,
//! and fast again when the end has moved (the curve of CUBIC, RFC 9438). The more often the end was where it was before,
//! the slower: a quota that stays as it is is touched ever more seldom.

use bedplate_core::clock::Tick;

/// What was learned of one quota.
pub(super) struct Learned {
    factor: f64,
    /// Where the last throttle was.
    end: Option<f64>,
    /// Seconds in which calls waited since then.
    pressed: f64,
    /// In so many of them it grows back.
    back: f64,
    pressed_at: Tick,
    cut_at: Option<Tick>,
}

/// To this a throttle cuts the part.
const CUT: f64 = 0.95;
/// After so many seconds of calls that wait it has grown to where the throttle was, the first time.
const BACK: f64 = 20.0;
/// And after so many at most, when the end stays where it is.
const BACK_MOST: f64 = 120.0;
/// Ends that differ by no more are the same.
const SAME: f64 = 0.04;
/// How it grows in a second as long as nothing was throttled.
const GROWTH: f64 = 0.01;
/// Waiting is counted in steps of no more than this.
const STEP: f64 = 1.0;
const LEAST: f64 = 0.02;
const MOST: f64 = 4.0;

impl Learned {
    pub(super) fn new(now: Tick) -> Self {
        Self { factor: 1.0, end: None, pressed: 0.0, back: BACK, pressed_at: now, cut_at: None }
    }

    /// What is configured is another now.
    pub(super) fn forget(&mut self) {
        (self.factor, self.end, self.pressed, self.back) = (1.0, None, 0.0, BACK);
    }

    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// A call has to wait.
    pub(super) fn pressed(&mut self, now: Tick) {
        let step = now.since(self.pressed_at).as_secs_f64().min(STEP);
        self.pressed_at = now.max(self.pressed_at);
        self.pressed += step;
        let factor = match self.end {
            None => self.factor * (1.0 + GROWTH * step),
            Some(end) => {
                // past the end as fast as ever: it has moved
                let past = if self.pressed < self.back { self.back } else { BACK };
                end * (1.0 + (1.0 - CUT) * ((self.pressed - self.back) / past).powi(3))
            }
        };
        self.factor = factor.clamp(LEAST, MOST);
    }

    /// A request that went at `began` was throttled. Those that were under way when it was cut say nothing new.
    pub(super) fn throttled(&mut self, began: Tick, now: Tick) {
        if self.cut_at.is_some_and(|cut| began <= cut) {
            return;
        }
        // an end that comes sooner than the last has moved down: less is hoped for
        let same = self.end.is_some_and(|end| (self.factor / end - 1.0).abs() < SAME);
        self.back = if same { (self.back * 1.5).min(BACK_MOST) } else { BACK };
        let sooner = self.end.is_some_and(|end| self.factor < end);
        self.end = Some(if sooner { self.factor * f64::midpoint(1.0, CUT) } else { self.factor });
        self.factor = (self.factor * CUT).max(LEAST);
        (self.pressed, self.pressed_at, self.cut_at) = (0.0, now, Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Tick {
        Tick(secs * 1_000_000_000)
    }

    fn press(learned: &mut Learned, secs: std::ops::Range<u64>) {
        secs.for_each(|s| learned.pressed(at(s)));
    }

    #[test]
    fn it_grows_while_calls_wait_and_not_otherwise() {
        let mut learned = Learned::new(at(0));
        press(&mut learned, 1..37);
        assert!((1.40..1.46).contains(&learned.factor()), "{}", learned.factor());
        let before = learned.factor();
        // nobody waited in the meantime
        learned.pressed(at(1_000));
        assert!(learned.factor() < before * 1.02);
    }

    #[test]
    fn a_throttle_cuts_it_and_it_comes_back_slowly() {
        let mut learned = Learned::new(at(0));
        learned.throttled(at(1), at(1));
        assert!((learned.factor() - 0.95).abs() < 1e-9);
        press(&mut learned, 2..12);
        let half = learned.factor();
        assert!((0.99..1.0).contains(&half), "{half}");
        press(&mut learned, 12..22);
        assert!((learned.factor() - 1.0).abs() < 0.001, "{}", learned.factor());
        press(&mut learned, 22..62);
        assert!(learned.factor() > 1.3, "the end has moved: {}", learned.factor());
    }

    #[test]
    fn those_under_way_do_not_cut_again() {
        let mut learned = Learned::new(at(0));
        (0..50).for_each(|_| learned.throttled(at(1), at(2)));
        assert!((learned.factor() - 0.95).abs() < 1e-9);
        learned.throttled(at(3), at(4));
        assert!(learned.factor() < 0.91);
    }

    #[test]
    fn it_never_comes_to_nothing() {
        let mut learned = Learned::new(at(0));
        (0..500).for_each(|n| learned.throttled(at(n * 2 + 1), at(n * 2 + 2)));
        assert!((learned.factor() - LEAST).abs() < 1e-9);
        press(&mut learned, 2_000..2_400);
        assert!(learned.factor() > 0.1, "and comes back: {}", learned.factor());
    }
}
