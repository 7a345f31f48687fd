//! What others need of a record, also while an attempt has it.

use std::sync::Arc;

use bedplate_core::call::CallId;
use bedplate_core::clock::{Tick, Timestamp};
use bedplate_cost::PriceBook;

use crate::settle::Books;

/// Facts of a call, and how long it has waited for others.
#[derive(Clone)]
pub(crate) struct Notes {
    pub(crate) id: CallId,
    pub(crate) books: Arc<Books>,
    pub(crate) admitted_at: Timestamp,
    /// Output tokens that a budget bounds the answer to.
    pub(crate) bounded: Option<u64>,
    /// Output tokens that it is bounded to because hardly any answer is longer.
    pub(super) right_sized: Option<u64>,
    /// Microseconds spent waiting for the caller's body and for upstreams.
    pub(super) waited: u64,
}

impl Notes {
    pub(super) fn new(id: CallId, books: Arc<Books>, admitted_at: Timestamp) -> Self {
        Self { id, books, admitted_at, bounded: None, right_sized: None, waited: 0 }
    }

    /// What the answer is bounded to, for whatever reason.
    pub(crate) fn longest(&self) -> Option<u64> {
        self.bounded.or(self.right_sized)
    }

    pub(crate) fn tick(&self) -> Tick {
        self.books.clock.tick()
    }

    /// The prices of the moment at which the call was admitted.
    pub(crate) fn prices(&self) -> PriceBook {
        self.books.prices.on(self.admitted_at)
    }

    /// Somebody else was waited for since `began`.
    pub(crate) fn waited(&mut self, began: Tick) {
        self.waited += micros(self.tick().since(began));
    }
}

pub(super) fn micros(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
