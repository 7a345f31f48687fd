//! Written down once: to the ledger, then to the other sinks, in their order.

pub(crate) mod notes;
pub(crate) mod record;
pub(crate) mod used;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::{Intake, Sink};
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_cost::PriceBook;

use crate::budget::Purses;
use crate::estimate::Estimates;
use crate::pace::Pace;

/// Where records go, and what they are priced by.
pub struct Books {
    pub clock: Arc<dyn Clock>,
    pub intake: Arc<dyn Intake>,
    pub sinks: Vec<Arc<dyn Sink>>,
    pub prices: Arc<PriceBook>,
    /// What calls may spend; `None` where nothing is budgeted.
    pub purses: Option<Arc<Purses>>,
    /// Where calls wait for room.
    pub pace: Arc<Pace>,
    /// What prompts probably have in tokens, by what this process has seen.
    pub estimates: Arc<Estimates>,
    /// How long admission waits for room in the ledger's queue.
    pub wait: Duration,
    /// Records that are open, over all workers and snapshots.
    pub open: Arc<AtomicU64>,
    /// The team of a caller who is not known: the empty string, made once.
    pub nobody: Arc<str>,
}

/// Whether a record has a place in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    Placed,
    /// The ledger takes no records: the call is refused, and only the other sinks hear of it.
    TurnedAway,
}

impl Books {
    /// Takes a place in the ledger for a call that is about to begin.
    ///
    /// # Errors
    /// `BP1301` when there is none within `wait`: usage is never dropped, so nothing is begun.
    pub async fn reserve(&self) -> Result<(), Refusal> {
        if self.intake.try_reserve() {
            return Ok(());
        }
        let refused = |cause: String| {
            Refusal::of(Code::LedgerUnavailable).retry(Retry::After(Duration::from_secs(2))).because(cause)
        };
        match tokio::time::timeout(self.wait, self.intake.reserve()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(refused(e.to_string())),
            Err(_) => Err(refused(self.intake.why_full().to_string())),
        }
    }
}
