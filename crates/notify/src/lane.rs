//! The way to one target: one notice at a time, each at its own pace, so that one which is refused over and over
//! holds up no other.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::notice::Notice;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use self::queue::{Parcel, Queue};
use crate::counts::{Counts, OfTarget};
use crate::dead::{DeadLetter, DeadLetters};
use crate::journal::Journal;
use crate::notifier::Phase;
use crate::once::Once;
use crate::target::{self, Again, Target, Trouble};

/// The most that is waited after the first failure, and after the last.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// What the desk and all lanes have in common.
pub(crate) struct Shared {
    pub(crate) journal: Mutex<Journal>,
    pub(crate) dead: DeadLetters,
    pub(crate) counts: Arc<Counts>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
}

impl Shared {
    /// Gives a notice up.
    pub(crate) fn bury(&self, target: &str, notice: &Notice, tries: u32, why: &str) {
        let letter = DeadLetter {
            at: self.clock.now(),
            target: target.to_owned(),
            tries,
            why: why.to_owned(),
            notice: notice.clone(),
        };
        let id = &notice.id;
        match self.dead.add(&letter) {
            Ok(()) => tracing::error!(
                "notice {id} to `{target}` is given up after {tries} tries, see `bedplate notify dead list`: {why}"
            ),
            Err(e) => {
                self.counts.lost.add(1);
                tracing::error!(
                    "notice {id} to `{target}` is lost after {tries} tries: {why}; not kept: {e}"
                );
            }
        }
        if let Some(counts) = self.counts.targets.iter().find(|counts| counts.name == target) {
            counts.dead.add(1);
        }
        self.journal.lock().done(id, target);
    }
}

pub(crate) struct Lane {
    target: Arc<dyn Target>,
    pub(crate) queue: Arc<Queue>,
    shared: Arc<Shared>,
    counts: Arc<OfTarget>,
    /// Of one try.
    timeout: Duration,
    deadline: Duration,
    /// Until when the target wants to be left alone.
    rest_until: Instant,
    said: Once,
}

impl Lane {
    pub(crate) fn new(
        target: Arc<dyn Target>,
        queue: Arc<Queue>,
        shared: Arc<Shared>,
        counts: Arc<OfTarget>,
        (timeout, deadline): (Duration, Duration),
    ) -> Self {
        let (rest_until, said) = (Instant::now(), Once::default());
        Self { target, queue, shared, counts, timeout, deadline, rest_until, said }
    }

    /// Until no more notices come and none is due now: those that wait for another try stay in the journal.
    pub(crate) async fn run(mut self, mut phase: watch::Receiver<Phase>) {
        loop {
            // read before the last look: what comes before the end is seen by it
            let ended = *phase.borrow_and_update() >= Phase::Ended;
            let due = self.queue.first().map(|due| due.max(self.rest_until));
            match due {
                Some(due) if due <= Instant::now() => {
                    if let Some(parcel) = self.queue.take() {
                        self.deliver(parcel).await;
                    }
                }
                _ if ended => return,
                due => {
                    tokio::select! {
                        () = at(due) => {}
                        () = self.queue.rung() => {}
                        _ = phase.changed() => {}
                    }
                }
            }
        }
    }

    async fn deliver(&mut self, parcel: Parcel) {
        let parcel = Parcel { tries: parcel.tries.saturating_add(1), ..parcel };
        let counts = Arc::clone(&self.counts);
        let name = &counts.name;
        match target::attempt(&*self.target, self.timeout, &parcel.notice).await {
            Ok(()) => {
                counts.delivered.add(1);
                self.queue.gone();
                self.shared.journal.lock().done(&parcel.notice.id, name);
                self.said.well(|| format!("notices to `{name}` are delivered again"));
            }
            Err(Trouble { why, again }) => {
                counts.failures.add(1);
                match self.next_try(&parcel, again) {
                    Some(due) => {
                        self.said.ill(|| format!("notices to `{name}` cannot be delivered and wait: {why}"));
                        self.queue.put_back(due, parcel);
                    }
                    None => {
                        self.queue.gone();
                        self.shared.bury(name, &parcel.notice, parcel.tries, &why);
                    }
                }
            }
        }
    }

    /// When to try again: after a wait by chance, not before the target wants it, and once more at the deadline.
    fn next_try(&mut self, parcel: &Parcel, again: Again) -> Option<Instant> {
        let now = Instant::now();
        let not_before = match again {
            Again::Never => return None,
            Again::Soon => now,
            Again::After(wait) => {
                // whoever asks for years is not asked again for one deadline
                self.rest_until = now + wait.min(self.deadline);
                now.checked_add(wait)?
            }
        };
        if now >= parcel.give_up || not_before > parcel.give_up {
            return None;
        }
        let wait = backoff(parcel.tries, &*self.shared.ids);
        Some((now + wait).max(not_before).min(parcel.give_up))
    }
}

/// Any time up to twice as much as the last time ("full jitter"), so that nodes do not come back together.
fn backoff(tries: u32, ids: &dyn Ids) -> Duration {
    let (first, longest) = WAITS;
    let most = first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(longest);
    let mut chance = [0; 4];
    ids.fill(&mut chance);
    most.mul_f64(f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX))
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use bedplate_testkit::SeededIds;

    use super::*;

    #[test]
    fn waits_are_anything_up_to_five_minutes() {
        let ids = SeededIds::new(1);
        for (tries, most) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (u32::MAX, 300)] {
            let waits: Vec<f64> = (0..1_000).map(|_| backoff(tries, &ids).as_secs_f64()).collect();
            let (most, mean) = (f64::from(most), waits.iter().sum::<f64>() / 1_000.0);
            assert!(waits.iter().all(|wait| *wait <= most));
            assert!((mean / most - 0.5).abs() < 0.05, "{tries}: {mean}");
            assert!(waits.iter().any(|wait| *wait < most / 20.0));
        }
    }
}
