//! What a call took from rates, in its record.

use bedplate_core::rate::Throttled;

use super::Record;
use crate::pace::{Room, Went};
use crate::throttle::{Rated, Toll};

impl Record {
    /// So the rates stand that concern the call.
    pub(crate) fn rated(&mut self, rated: Rated) {
        self.rated = Some(rated);
    }

    /// How the rates stood that concern the call; `None` when none does, or none was asked.
    pub fn how_rated(&self) -> Option<Rated> {
        self.rated
    }

    /// From now on the record settles these tokens.
    pub(crate) fn tolls(&mut self, toll: Option<Toll>) {
        self.toll = toll;
    }

    /// A slot of a throttle is the call's until it is settled.
    pub(crate) fn takes_slot(&mut self, slot: Room) {
        self.slots.push(slot);
    }

    /// Gives back the slots.
    pub(super) fn leave_slots(&mut self) {
        let now = self.tick();
        for slot in std::mem::take(&mut self.slots) {
            slot.settle(Went::Unknown, None, now);
        }
    }

    /// A throttle refused the call.
    pub(crate) fn throttled(&mut self, throttled: Throttled) {
        self.write(|call| call.throttled = Some(Box::new(throttled)));
    }
}
