//! What a call took from rates, in its record.

use bedplate_core::rate::Throttled;

use super::Record;
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

    /// A throttle refused the call.
    pub(crate) fn throttled(&mut self, throttled: Throttled) {
        self.write(|call| call.throttled = Some(Box::new(throttled)));
    }
}
