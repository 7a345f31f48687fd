//! One question at a time: of several callers who ask the same, one asks the upstream and the others wait.
//!
//! Whoever comes first *leads*. When its answer can be kept, all who follow get it. When it fails, or its answer may
//! not be kept, the flight is *open*: those who follow ask for themselves, [`ABREAST`] at a time, and the first answer
//! that can be kept serves all who still wait. Flights belong to one process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bedplate_core::cache::{CacheKey, Entry};
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// How many ask at once when the first of them could not answer for all.
pub(crate) const ABREAST: usize = 16;

/// The questions under way.
pub(crate) struct Flights {
    shards: Box<[Shard]>,
}

#[derive(Default)]
struct Shard {
    under_way: Mutex<HashMap<CacheKey, Arc<Flight>, RandomState>>,
    /// Answers that have been put into the cache.
    landed: AtomicU64,
}

struct Flight {
    answer: watch::Sender<Option<Arc<Entry>>>,
    /// None while somebody leads.
    abreast: Arc<Semaphore>,
}

/// What a caller does about a question.
pub(crate) enum Role {
    /// Asks. When `again`, answers were put into the cache since `mark`: one may be this one.
    Lead {
        seat: Seat,
        again: bool,
    },
    Follow(Follower),
}

/// Somebody who asks; others may wait for the answer. Dropped without one, it lets others ask.
pub(crate) struct Seat {
    flights: Arc<Flights>,
    key: CacheKey,
    flight: Arc<Flight>,
    as_what: AsWhat,
}

enum AsWhat {
    Leader,
    /// One of several, given back with the permit.
    OneOf(#[expect(dead_code, reason = "held until the seat is left")] OwnedSemaphorePermit),
    /// The answer is there; late comers find it here until it is in the cache.
    Landed,
}

/// Somebody who waits.
pub(crate) struct Follower {
    flights: Arc<Flights>,
    key: CacheKey,
    flight: Arc<Flight>,
}

/// How waiting ends.
pub(crate) enum Followed {
    Answered(Arc<Entry>),
    /// It is up to the follower to ask.
    Go(Seat),
    /// The caller's own deadline has passed.
    TooLate,
}

impl Default for Flights {
    fn default() -> Self {
        Self { shards: (0..64).map(|_| Shard::default()).collect() }
    }
}

impl Flights {
    /// To be asked before the cache is looked at.
    pub(crate) fn mark(&self, key: &CacheKey) -> u64 {
        self.shard(key).landed.load(Ordering::Acquire)
    }

    pub(crate) fn join(self: &Arc<Self>, key: CacheKey, mark: u64) -> Role {
        let shard = self.shard(&key);
        let mut under_way = shard.under_way.lock();
        let flights = Arc::clone(self);
        if let Some(flight) = under_way.get(&key) {
            return Role::Follow(Follower { flights, key, flight: Arc::clone(flight) });
        }
        let flight =
            Arc::new(Flight { answer: watch::Sender::new(None), abreast: Arc::new(Semaphore::new(0)) });
        under_way.insert(key, Arc::clone(&flight));
        let again = shard.landed.load(Ordering::Acquire) != mark;
        Role::Lead { seat: Seat { flights, key, flight, as_what: AsWhat::Leader }, again }
    }

    /// From now on nobody joins a flight that began before. Who waits already goes on waiting.
    pub(crate) fn forget(&self) {
        for shard in &self.shards {
            shard.under_way.lock().clear();
        }
    }

    fn shard(&self, key: &CacheKey) -> &Shard {
        &self.shards[usize::from(key.bytes()[0]) % self.shards.len()]
    }

    fn leave(&self, key: &CacheKey, flight: &Arc<Flight>) {
        let mut under_way = self.shard(key).under_way.lock();
        if under_way.get(key).is_some_and(|this| Arc::ptr_eq(this, flight)) {
            under_way.remove(key);
        }
    }
}

impl Seat {
    /// Gives the answer to all who wait. To be dropped when it is in the cache.
    pub(crate) fn land(mut self, entry: Arc<Entry>) -> Self {
        self.flight.answer.send_replace(Some(entry));
        if matches!(self.as_what, AsWhat::Leader) {
            self.as_what = AsWhat::Landed;
        }
        self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match self.as_what {
            AsWhat::Leader => {
                self.flights.leave(&self.key, &self.flight);
                self.flight.abreast.add_permits(ABREAST);
            }
            AsWhat::Landed => {
                // first told, then taken away: whoever leads next looks again
                self.flights.shard(&self.key).landed.fetch_add(1, Ordering::Release);
                self.flights.leave(&self.key, &self.flight);
            }
            AsWhat::OneOf(_) => {
                self.flights.shard(&self.key).landed.fetch_add(1, Ordering::Release);
            }
        }
    }
}

impl Follower {
    pub(crate) async fn wait(self, until: Instant) -> Followed {
        let Self { flights, key, flight } = self;
        let mut answer = flight.answer.subscribe();
        let abreast = Arc::clone(&flight.abreast);
        let entry = tokio::select! {
            biased;
            found = answer.wait_for(Option::is_some) => found.ok().and_then(|entry| entry.clone()),
            permit = abreast.acquire_owned() => match permit {
                Ok(permit) => {
                    let flight = Arc::clone(&flight);
                    return Followed::Go(Seat { flights, key, flight, as_what: AsWhat::OneOf(permit) });
                }
                Err(_) => None,
            },
            () = tokio::time::sleep_until(until) => None,
        };
        entry.map_or(Followed::TooLate, Followed::Answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_core::cache::{Fingerprint, KeyParts};
    use bedplate_core::call::{CallId, Operation};
    use bedplate_core::clock::Timestamp;
    use std::time::Duration;

    fn key() -> CacheKey {
        let none = Fingerprint::NONE;
        CacheKey::of(&KeyParts {
            tenant: ["", "", ""],
            rights: none,
            operation: Operation::Converse,
            provider: ["", "", ""],
            target: "",
            family: "",
            prompt: none,
            guard: none,
            policy: none,
            request: none,
        })
    }

    fn entry() -> Arc<Entry> {
        let never = Timestamp(0);
        Arc::new(Entry {
            call: CallId(Default::default()),
            headers: Default::default(),
            body: Default::default(),
            usage: None,
            target: "".into(),
            region: "".into(),
            tier: String::new(),
            stop_reason: None,
            made_at: never,
            fresh_until: never,
            kept_until: never,
        })
    }

    fn lead(role: Role) -> (Seat, bool) {
        match role {
            Role::Lead { seat, again } => (seat, again),
            Role::Follow(_) => panic!("somebody leads already"),
        }
    }

    fn follow(role: Role) -> Follower {
        match role {
            Role::Follow(follower) => follower,
            Role::Lead { .. } => panic!("nobody leads"),
        }
    }

    fn long() -> Instant {
        crate::invoke::deadline::now() + Duration::from_secs(3_600)
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_get_the_answer_and_late_comers_too_until_it_is_kept() {
        let flights = Arc::<Flights>::default();
        let mark = flights.mark(&key());
        let (seat, _) = lead(flights.join(key(), mark));
        let waits = follow(flights.join(key(), mark)).wait(long());
        let landed = seat.land(entry());
        assert!(matches!(waits.await, Followed::Answered(_)));
        assert!(matches!(follow(flights.join(key(), mark)).wait(long()).await, Followed::Answered(_)));
        drop(landed);
        let (_seat, again) = lead(flights.join(key(), mark));
        assert!(again, "an answer came into the cache after the look");
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_first_fails_a_few_ask_at_a_time_and_one_answer_serves_the_rest() {
        let flights = Arc::<Flights>::default();
        let (seat, _) = lead(flights.join(key(), 0));
        let waiting: Vec<_> =
            (0..100).map(|_| Box::pin(follow(flights.join(key(), 0)).wait(long()))).collect();
        drop(seat);
        let (mut asking, mut served, mut still) = (Vec::new(), 0, Vec::new());
        for mut waits in waiting {
            match futures_poll(&mut waits).await {
                Some(Followed::Go(seat)) => asking.push(seat),
                Some(_) => served += 1,
                None => still.push(waits),
            }
        }
        assert_eq!((asking.len(), served, still.len()), (ABREAST, 0, 100 - ABREAST));
        // one fails, another one takes its place
        drop(asking.pop());
        let mut next = still.remove(0);
        assert!(matches!(futures_poll(&mut next).await, Some(Followed::Go(_))));
        let _landed = asking.pop().map(|seat| seat.land(entry()));
        for waits in still {
            assert!(matches!(waits.await, Followed::Answered(_)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_they_may() {
        let flights = Arc::<Flights>::default();
        let (_seat, _) = lead(flights.join(key(), 0));
        let until = crate::invoke::deadline::now() + Duration::from_secs(8);
        assert!(matches!(follow(flights.join(key(), 0)).wait(until).await, Followed::TooLate));
        assert_eq!(crate::invoke::deadline::now(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_after_a_purge_waits_for_nobody_who_came_before() {
        let flights = Arc::<Flights>::default();
        let (old, _) = lead(flights.join(key(), 0));
        let before = follow(flights.join(key(), 0)).wait(long());
        flights.forget();
        let (_new, _) = lead(flights.join(key(), 0));
        drop(old.land(entry()));
        assert!(matches!(before.await, Followed::Answered(_)));
        assert!(matches!(flights.join(key(), 0), Role::Follow(_)), "the old one took the new one away");
    }

    async fn futures_poll<F: Future + Unpin>(waits: &mut F) -> Option<F::Output> {
        tokio::time::timeout(Duration::ZERO, waits).await.ok()
    }
}
