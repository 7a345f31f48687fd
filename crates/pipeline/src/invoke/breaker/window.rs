//! Failures and calls of the last while.

use std::time::Duration;

use bedplate_core::clock::Tick;

const SLOTS: usize = 10;

/// Failures and calls of the last while, by tenths of it.
#[derive(Default)]
pub(super) struct Window {
    slots: [(u32, u32); SLOTS],
    /// The tenth that is counted now, since the clock began.
    at: u64,
}

impl Window {
    pub(super) fn roll(&mut self, now: Tick, window: Duration) {
        let tenth = (u64::try_from(window.as_nanos()).unwrap_or(u64::MAX) / SLOTS as u64).max(1);
        let at = now.0 / tenth;
        let gone = at.saturating_sub(self.at).min(SLOTS as u64);
        for n in 0..gone {
            self.slots[Self::slot(at - n)] = (0, 0);
        }
        self.at = self.at.max(at);
    }

    pub(super) fn count(&mut self, ill: bool) {
        let slot = &mut self.slots[Self::slot(self.at)];
        slot.0 = slot.0.saturating_add(u32::from(ill));
        slot.1 = slot.1.saturating_add(1);
    }

    /// A call that is counted already failed in the end.
    pub(super) fn was_ill(&mut self) {
        let slot = &mut self.slots[Self::slot(self.at)];
        slot.0 = slot.0.saturating_add(1);
    }

    pub(super) fn sums(&self) -> (u32, u32) {
        self.slots.iter().fold((0, 0), |(ill, all), slot| (ill + slot.0, all + slot.1))
    }

    #[expect(clippy::cast_possible_truncation, reason = "below ten")]
    fn slot(at: u64) -> usize {
        (at % SLOTS as u64) as usize
    }
}
