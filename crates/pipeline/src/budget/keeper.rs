//! What must be done from time to time, off the path of calls: leases extended, what is not needed given back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::Slice;
use bedplate_core::ports::StoreError;
use foldhash::fast::FixedState;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::purse::Purse;
use super::{Purses, SHARDS, index};

/// How long what others may want for is gathered before it is given back.
const GATHER: Duration = Duration::from_millis(100);
/// So many slices are given back at once: nobody who settles calls waits long for their rows.
const BATCH: usize = 1_000;

impl Purses {
    /// How often a round is due.
    pub fn pace(&self) -> Duration {
        (self.terms.lease / 8).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }

    /// Waits until a round is due. What becomes free meanwhile, and is more than this node should keep, is given back at
    /// once: other nodes may have calls that wait for it.
    pub async fn rest(&self) {
        let due = Instant::now() + self.pace();
        let mut gather = GATHER;
        while timeout_at(due, self.spare.notified()).await.is_ok() {
            sleep_until(due.min(Instant::now() + gather)).await;
            let began = Instant::now();
            self.set_aside(|_| false);
            // of a hundred thousand purses a look takes a while: no more than a tenth of the time goes into it
            gather = GATHER.max(began.elapsed() * 10);
            // what fails is said again in the round
            let _ = self.give_back().await;
        }
    }

    /// One round: extends the leases, retires windows that are over, and gives back what lies idle or what others
    /// need more.
    ///
    /// # Errors
    /// When the ledger cannot be asked; what was to be given back is said again in the next round.
    pub async fn round(&self) -> Result<(), StoreError> {
        self.retire();
        self.renew().await?;
        self.set_aside(Purse::lies_idle);
        let done = self.give_back().await;
        self.let_go();
        done
    }

    /// Takes off what is to be given back.
    fn set_aside(&self, idle: impl Fn(&Purse) -> bool) {
        let now = self.clock.now();
        for purse in self.purses() {
            if idle(&purse) || now >= purse.ends() {
                purse.empty();
            } else {
                purse.shed();
            }
        }
    }

    /// Gives back everything that is not held. To be called when no more calls come and all records are written.
    ///
    /// # Errors
    /// When the ledger cannot be asked, twice: then what this node did not spend is unknown once its lease is over. May
    /// be called again.
    pub async fn close(&self) -> Result<(), StoreError> {
        match self.hand_in().await {
            Ok(()) => Ok(()),
            Err(_) => self.hand_in().await,
        }
    }

    async fn hand_in(&self) -> Result<(), StoreError> {
        // a grant whose answer was lost is ours to give back, too
        self.renew().await?;
        self.set_aside(|_| true);
        self.give_back().await
    }

    async fn give_back(&self) -> Result<(), StoreError> {
        let purses = self.purses();
        let unsaid = purses.iter().filter_map(|purse| purse.unsaid().map(|total| (&**purse, total)));
        let unsaid: Vec<_> = unsaid.collect();
        for given in unsaid.chunks(BATCH) {
            self.say(given, self.deadline()).await?;
        }
        Ok(())
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let before: Vec<_> = self.purses().into_iter().map(|purse| (purse.spent(), purse)).collect();
        let (began, now) = (self.clock.tick(), self.clock.now());
        let asked = self.ledger.renew(&self.node, now.plus(self.terms.lease));
        let slices = self.in_time(asked, self.deadline()).await?;
        let mut slices: HashMap<_, Slice, FixedState> =
            slices.into_iter().map(|s| (s.window.clone(), s)).collect();
        for (spent, purse) in before {
            match slices.remove(purse.window()) {
                Some(slice) => purse.renewed(slice.sums, self.lease(began)),
                None => purse.gone(spent),
            }
        }
        slices.into_values().for_each(|slice| self.adopt(&slice));
        Ok(())
    }

    /// A slice that nobody spends from: granted by a question that came late, after its purse was let go.
    fn adopt(&self, slice: &Slice) {
        let Slice { window, sums, .. } = slice;
        let shard = self.lines[index::shard(&window.account, SHARDS)].write();
        if shard.get(&window.account).is_some_and(|purse| purse.window() == window) {
            return;
        }
        self.retired.lock().entry(window.clone()).or_insert_with(|| {
            let purse = Purse::new(window.clone(), Arc::clone(&self.spare));
            purse.renewed(*sums, self.clock.tick());
            Arc::new(purse)
        });
    }

    /// Puts aside purses of windows that are over and that no call asks for any more.
    fn retire(&self) {
        let now = self.clock.now();
        for shard in &self.lines {
            if shard.read().values().any(|purse| now >= purse.ends()) {
                let mut shard = shard.write();
                let mut retired = self.retired.lock();
                let over = shard.extract_if(|_, purse| now >= purse.ends());
                retired.extend(over.map(|(_, purse)| (purse.window().clone(), purse)));
            }
        }
    }

    /// Forgets retired purses that nobody holds and whose spending the ledger has in full.
    fn let_go(&self) {
        self.retired.lock().retain(|_, purse| Arc::strong_count(purse) > 1 || purse.is_open());
    }

    pub(super) fn purses(&self) -> Vec<Arc<Purse>> {
        let mut purses = Vec::new();
        for shard in &self.lines {
            purses.extend(shard.read().values().cloned());
        }
        purses.extend(self.retired.lock().values().cloned());
        purses
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.terms.deadline
    }
}
