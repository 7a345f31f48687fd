//! Sums by slots of time, the oldest of which are overwritten.

use bedplate_core::clock::Timestamp;
use bedplate_core::record::Outcome;

use super::sums::Sums;

pub(super) struct Ring {
    /// Seconds that a slot is long.
    width: i64,
    slots: Vec<Slot>,
}

struct Slot {
    /// Which slot since 1970; `i64::MIN` while it was never used.
    number: i64,
    sums: Sums,
}

impl Ring {
    pub(super) fn new(width: i64, slots: usize) -> Self {
        let slots = (0..slots).map(|_| Slot { number: i64::MIN, sums: Sums::default() }).collect();
        Self { width, slots }
    }

    pub(super) fn count(&mut self, at: Timestamp, now: Timestamp, outcome: &Outcome) {
        let number = self.number(at);
        if self.number(now) - number >= self.len() {
            return;
        }
        let n = self.place(number);
        let slot = &mut self.slots[n];
        if slot.number != number {
            slot.number = number;
            slot.sums.clear();
        }
        slot.sums.count(outcome);
    }

    /// Everything in the last `minutes` and in the running slot, and how many seconds of them lie
    /// after `since`.
    pub(super) fn last(&self, minutes: u32, now: Timestamp, since: Timestamp) -> (Sums, u64) {
        let running = self.number(now);
        let full = i64::from(minutes) * 60 / self.width;
        let mut all = Sums::default();
        for number in running - full..=running {
            if let Some(sums) = self.at(number) {
                all.add(sums);
            }
        }
        let began = ((running - full) * self.width).max(since.secs());
        (all, u64::try_from(now.secs() - began).unwrap_or(0).max(1))
    }

    /// Each slot up to now, oldest first; `None` where nothing happened.
    pub(super) fn minutes(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Option<&Sums>)> {
        let running = self.number(now);
        (running - self.len() + 1..=running)
            .map(|number| (Timestamp::from_secs(number * self.width), self.at(number)))
    }

    fn at(&self, number: i64) -> Option<&Sums> {
        let slot = &self.slots[self.place(number)];
        (slot.number == number).then_some(&slot.sums)
    }

    fn number(&self, at: Timestamp) -> i64 {
        at.secs().div_euclid(self.width)
    }

    fn place(&self, number: i64) -> usize {
        usize::try_from(number.rem_euclid(self.len())).unwrap_or(0)
    }

    fn len(&self) -> i64 {
        i64::try_from(self.slots.len()).unwrap_or(1)
    }
}
