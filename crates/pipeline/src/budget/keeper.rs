//! What must be done from time to time, off the path of calls: leases extended, what is not needed given back.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Return, Slice};
use bedplate_core::ports::StoreError;

use super::Purses;
use super::purse::{Purse, later};

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
    pub async fn round(&self) -> Result<(), StoreError> {
        self.retire();
        self.renew().await?;
        for purse in self.purses() {
            if self.clock.now() >= purse.ends() || purse.lies_idle() || purse.is_scarce() {
                self.empty(&purse).await;
            }
        }
        let done = self.give_back().await;
        self.retired.lock().retain(|purse| purse.is_open());
        done
    }

    /// Gives back everything that is not held. To be called when no more calls come and all records are written.
    ///
    /// # Errors
    /// When the ledger cannot be asked: then what this node did not spend is unknown once its lease is over.
    pub async fn close(&self) -> Result<(), StoreError> {
        for purse in self.purses() {
            self.empty(&purse).await;
        }
        self.give_back().await
    }

    async fn give_back(&self) -> Result<(), StoreError> {
        let purses = self.purses();
        let unsaid = purses.iter().filter_map(|purse| purse.unsaid().map(|total| (purse, total)));
        let (said, returns): (Vec<_>, Vec<_>) = unsaid
            .map(|(purse, total)| ((purse, total), Return { window: purse.window().clone(), total }))
            .unzip();
        if returns.is_empty() {
            return Ok(());
        }
        self.in_time(self.ledger.give_back(&self.node, &returns)).await?;
        said.into_iter().for_each(|(purse, total)| purse.said(total));
        Ok(())
    }

    /// In turn with those who draw: what the ledger grants meanwhile must not be set aside unseen.
    async fn empty(&self, purse: &Purse) {
        let _turn = purse.turn().await;
        purse.empty();
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let (began, now) = (self.clock.tick(), self.clock.now());
        let slices: Vec<Slice> =
            self.in_time(self.ledger.renew(&self.node, now.plus(self.terms.lease))).await?;
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

    fn purses(&self) -> Vec<Arc<Purse>> {
        let mut purses: Vec<_> =
            self.lines.iter().flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>()).collect();
        purses.extend(self.retired.lock().iter().cloned());
        purses
    }
}
