//! What must be done from time to time, off the path of calls: leases extended, what is not needed given back.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Return, Slice};
use bedplate_core::ports::StoreError;

use super::Purses;
use super::purse::{Purse, later};

/// What the keeper remembers between rounds.
#[derive(Default)]
pub struct Keeper {
    /// Returns that the ledger may not have heard of. They are totals, so they may be said again.
    owed: Vec<Return>,
}

impl Purses {
    /// How often a round is due.
    pub fn pace(&self) -> Duration {
        (self.terms.lease / 8).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }

    /// One round: extends the leases, retires windows that are over, and gives back what lies idle or what others
    /// need more.
    ///
    /// # Errors
    /// When the ledger cannot be asked; what was to be given back is said again in the next round.
    pub async fn round(&self, keeper: &mut Keeper) -> Result<(), StoreError> {
        self.retire();
        self.renew().await?;
        let mut returns = std::mem::take(&mut keeper.owed);
        for purse in self.purses() {
            let over = self.clock.now() >= purse.ends();
            if over || purse.lies_idle() || purse.is_scarce() {
                returns.extend(self.empty(&purse).await);
            }
        }
        self.retired.lock().retain(|purse| purse.is_open());
        self.give_back(keeper, returns).await
    }

    /// Gives back everything that is not held. To be called when no more calls come and all records are written.
    ///
    /// # Errors
    /// When the ledger cannot be asked: then what this node did not spend is unknown once its lease is over.
    pub async fn close(&self, keeper: &mut Keeper) -> Result<(), StoreError> {
        let mut returns = std::mem::take(&mut keeper.owed);
        for purse in self.purses() {
            returns.extend(self.empty(&purse).await);
        }
        self.give_back(keeper, returns).await
    }

    async fn give_back(&self, keeper: &mut Keeper, returns: Vec<Return>) -> Result<(), StoreError> {
        if returns.is_empty() {
            return Ok(());
        }
        let asked = self.ledger.give_back(&self.node, &returns);
        match tokio::time::timeout(self.terms.deadline, asked).await {
            Ok(Ok(())) => Ok(()),
            failed => {
                keeper.owed = returns;
                failed.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
            }
        }
    }

    /// Takes out what is free, in turn with those who draw.
    async fn empty(&self, purse: &Purse) -> Option<Return> {
        let _turn = purse.turn().await;
        purse.empty().map(|total| Return { window: purse.window().clone(), total })
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let (began, now) = (self.clock.tick(), self.clock.now());
        let asked = self.ledger.renew(&self.node, now.plus(self.terms.lease));
        let slices: Vec<Slice> = tokio::time::timeout(self.terms.deadline, asked)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
            .inspect_err(|_| self.down.store(true, std::sync::atomic::Ordering::Relaxed))?;
        self.down.store(false, std::sync::atomic::Ordering::Relaxed);
        for purse in self.purses() {
            if let Some(slice) = slices.iter().find(|slice| slice.window == *purse.window()) {
                purse.renewed(slice.sums, later(began, self.terms.lease / 2));
            }
        }
        Ok(())
    }

    /// Puts aside purses of windows that are over and that no call asks for any more.
    fn retire(&self) {
        let now = self.clock.now();
        for shard in &self.lines {
            if shard.read().values().any(|purse| now >= purse.ends()) {
                let mut shard = shard.write();
                let over: Vec<_> =
                    shard.iter().filter(|(_, p)| now >= p.ends()).map(|(a, _)| a.clone()).collect();
                let mut retired = self.retired.lock();
                retired.extend(over.iter().filter_map(|account| shard.remove(account)));
            }
        }
    }

    pub(super) fn purses(&self) -> Vec<Arc<Purse>> {
        let mut purses: Vec<_> =
            self.lines.iter().flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>()).collect();
        purses.extend(self.retired.lock().iter().cloned());
        purses
    }
}
