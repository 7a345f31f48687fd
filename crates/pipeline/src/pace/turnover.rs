//! How fast the calls under way at a lane give back what was reserved for them.
//!
//! A call reserves the longest answer it may get and mostly uses a small part of that, so who waits need not wait for
//! the minute to flow off: when calls end there is room. How soon they end, and how much they give back, is learned. It
//! is a hope: as long as nothing was learned the best is believed, and of what was learned the better half. How long a
//! call waits in the end its class bounds, not this.

use std::time::Duration;

/// Reservations of calls under way.
#[derive(Default)]
pub(super) struct Turnover {
    under_way: f64,
    learned: Option<Learned>,
}

struct Learned {
    /// The part that is given back, and how far single calls are from it.
    part: f64,
    strays: f64,
    /// Seconds from reservation to settlement.
    takes: f64,
}

/// The newest call counts for this part.
const NEW: f64 = 0.1;
/// Seconds that a call is hoped to take when none has ended yet.
const SOON: f64 = 0.25;
const LEAST: f64 = 0.001;

impl Turnover {
    pub(super) fn begins(&mut self, reserved: f64) {
        self.under_way += reserved;
    }

    pub(super) fn ends(&mut self, reserved: f64) {
        self.under_way = (self.under_way - reserved).max(0.0);
    }

    /// A call was answered for which so much had been reserved.
    pub(super) fn learn(&mut self, reserved: f64, used: f64, took: Duration) {
        if reserved <= 0.0 {
            return;
        }
        let (part, took) = ((1.0 - used / reserved).clamp(0.0, 1.0), took.as_secs_f64());
        self.learned = Some(match &self.learned {
            None => Learned { part, strays: 0.0, takes: took },
            Some(Learned { part: mean, strays, takes }) => Learned {
                part: mean + NEW * (part - mean),
                strays: strays + NEW * ((part - mean).abs() - strays),
                takes: takes + NEW * (took - takes),
            },
        });
    }

    /// Seconds until there is room for `need` tokens after `before` that go first, at the soonest: of `most` so many
    /// are `used` now, reservations among them, and `flows` are freed in a second.
    ///
    /// Two things take their time. What calls use of what they reserve has to flow off. And all of it has to be
    /// reserved once, in the place of what the calls under way give back.
    pub(super) fn wait(&self, (used, most, flows): (f64, f64, f64), before: f64, need: f64) -> f64 {
        let (part, takes) = self.hoped();
        let under_way = self.under_way.min(used);
        let stays = used - part * under_way + (1.0 - part) * before + need - most;
        let turns = (used + before + need - most) / (flows + part * under_way / takes);
        (stays / flows).max(turns).max(0.0)
    }

    fn hoped(&self) -> (f64, f64) {
        self.learned.as_ref().map_or((1.0, SOON), |learned| {
            ((learned.part + learned.strays).min(1.0), learned.takes.max(LEAST))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: f64 = 60_000.0;
    const FLOWS: f64 = 1_000.0;

    fn near(is: f64, should: f64) -> bool {
        (is - should).abs() < 1e-6
    }

    #[test]
    fn what_is_used_up_is_waited_for_and_what_is_reserved_is_not() {
        let mut turnover = Turnover::default();
        assert!(near(turnover.wait((MINUTE, MINUTE, FLOWS), 0.0, 3_000.0), 3.0), "nothing is given back");
        turnover.begins(MINUTE);
        assert!(turnover.wait((MINUTE, MINUTE, FLOWS), 0.0, 3_000.0) < SOON, "the best is believed");
        turnover.learn(3_000.0, 30.0, Duration::from_millis(300));
        let wait = turnover.wait((MINUTE, MINUTE, FLOWS), 57_000.0, 3_000.0);
        assert!((0.25..0.4).contains(&wait), "all of them once: {wait}");
        turnover.ends(MINUTE);
        assert!(near(turnover.wait((0.0, MINUTE, FLOWS), 0.0, 3_000.0), 0.0));
    }

    #[test]
    fn calls_that_use_what_they_reserve_give_nothing_back() {
        let mut turnover = Turnover::default();
        turnover.begins(MINUTE);
        (0..50).for_each(|_| turnover.learn(3_000.0, 3_000.0, Duration::from_millis(300)));
        let wait = turnover.wait((MINUTE, MINUTE, FLOWS), 6_000.0, 3_000.0);
        assert!(near(wait, 9.0), "as a minute flows off: {wait}");
        (0..50).for_each(|_| turnover.learn(3_000.0, 1_500.0, Duration::from_millis(300)));
        let wait = turnover.wait((MINUTE, MINUTE, FLOWS), 60_000.0, 3_000.0);
        assert!((1.0..3.1).contains(&wait), "half of it is used: {wait}");
    }
}
