//! Slots of callers: so many calls at a time of a team, a feature, a key. Held from before a call holds money until it is
//! settled.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use bedplate_core::pace::LaneStand;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::lane::{Lane, LaneTerms};
use super::{Common, Pace};

/// The slots of all throttles, each of whom they are counted for.
#[derive(Default)]
pub(super) struct Shared {
    shards: [Mutex<HashMap<Name, Arc<Lane>, FixedState>>; SHARDS],
}

/// Throttle, and whose they are.
type Name = (Arc<str>, Arc<str>);

const SHARDS: usize = 16;
/// A shard with more lanes lets go of those that nobody uses.
const MANY: usize = 1_024;

impl Pace {
    /// The slots of a throttle that are counted for `of`: as many calls at a time as `slots`.
    pub(crate) fn slots(&self, throttle: &Arc<str>, of: &Arc<str>, slots: u32) -> Arc<Lane> {
        let now = self.clock.tick();
        let terms = LaneTerms { quota: None, slots: Some(slots), adaptive: false, origin: None };
        let name = (Arc::clone(throttle), Arc::clone(of));
        let mut shard = self.shared.shard(&name).lock();
        if let Some(lane) = shard.get(&name) {
            lane.resize(terms, now);
            return Arc::clone(lane);
        }
        if shard.len() >= MANY {
            // whoever was given one may be about to take a slot of it
            shard.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        let lane = Lane::new(name.0.clone(), name.1.clone(), terms, Arc::<Common>::clone(&self.common), now);
        shard.insert(name, Arc::clone(&lane));
        lane
    }
}

impl Shared {
    fn shard(&self, name: &Name) -> &Mutex<HashMap<Name, Arc<Lane>, FixedState>> {
        let at = FixedState::default().hash_one(name) % SHARDS as u64;
        &self.shards[usize::try_from(at).unwrap_or(0)]
    }

    /// How those stand that somebody uses.
    pub(super) fn stands(&self, now: bedplate_core::clock::Tick) -> Vec<LaneStand> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let used = shard.lock();
            all.extend(used.values().filter(|lane| lane.idle_for(now).is_zero()).map(|lane| lane.stand(now)));
        }
        all
    }

    /// Of those that somebody uses, or that turned somebody away, the busiest; and how many there are besides.
    pub(super) fn busiest(&self, most: usize, now: bedplate_core::clock::Tick) -> (Vec<LaneStand>, u64) {
        let (mut all, mut more) = (Vec::new(), 0);
        let shed = |stand: &LaneStand| stand.shed.iter().flatten().sum::<u64>();
        let used = |stand: &LaneStand| stand.under_way + stand.waiting.iter().sum::<u32>();
        for shard in &self.shards {
            let stands = shard.lock().values().map(|lane| lane.stand(now)).collect::<Vec<_>>();
            all.extend(stands.into_iter().filter(|stand| used(stand) > 0 || shed(stand) > 0));
            all.sort_by(|a, b| {
                let by = |s: &LaneStand| std::cmp::Reverse((used(s), shed(s)));
                (by(a), &a.place, &a.name).cmp(&(by(b), &b.place, &b.name))
            });
            more += all.len().saturating_sub(most) as u64;
            all.truncate(most);
        }
        (all, more)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bedplate_testkit::ManualClock;

    use super::*;
    use crate::pace::Want;

    /// Between being given a lane and taking a slot of it a call holds nothing, and may be late: others come meanwhile.
    #[test]
    fn slots_that_a_call_was_given_are_not_forgotten_before_it_takes_one() {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let pace = Pace::new(Arc::new(clock.clone()));
        let throttle: Arc<str> = "keys[each key]".into();
        let slots = |key: &str| pace.slots(&throttle, &format!("key={key}").into(), 1);
        let (given, taken) = (slots("given"), slots("taken"));
        let room = taken.take_now(Want::default(), pace.clock.tick()).unwrap();
        drop(taken);
        clock.advance(Duration::from_secs(3_600));
        (0..4 * SHARDS * MANY).for_each(|n| drop(slots(&n.to_string())));
        let kept: usize = pace.shared.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(kept <= SHARDS * MANY, "{kept} of those that nobody uses");
        let now = pace.clock.tick();
        let _slow = given.take_now(Want::default(), now).unwrap();
        assert!(slots("given").take_now(Want::default(), now).is_none(), "one at a time, whoever asks");
        assert!(slots("taken").take_now(Want::default(), now).is_none(), "nor while one is under way");
        drop(room);
        assert!(slots("taken").take_now(Want::default(), now).is_some());
    }

    #[test]
    fn operators_see_the_busiest_and_who_turned_calls_away() {
        let pace = Pace::new(Arc::new(ManualClock::at("2026-11-22T12:00:00Z")));
        let throttle: Arc<str> = "keys[each key]".into();
        let now = pace.clock.tick();
        let lanes: Vec<_> =
            (0..60).map(|n| pace.slots(&throttle, &format!("key={n:02}").into(), 9)).collect();
        let rooms: Vec<_> =
            lanes[..40].iter().map(|lane| lane.take_now(Want::default(), now).unwrap()).collect();
        let _second = lanes[3].take_now(Want::default(), now).unwrap();
        lanes[50].shed(bedplate_core::pace::Class::Batch, bedplate_core::pace::Shed::Late);
        let (busiest, more) = pace.bounds(10);
        assert_eq!((busiest.len(), more), (10, 31), "40 in use and one that turned a call away");
        assert_eq!((&*busiest[0].name, busiest[0].under_way), ("key=03", 2));
        drop((rooms, _second));
        let (busiest, more) = pace.bounds(10);
        assert_eq!(
            (&*busiest[0].name, busiest[0].shed[1], busiest.len(), more),
            ("key=50", [0, 1, 0, 0], 1, 0)
        );
        assert!(pace.stands().iter().all(|stand| &*stand.place == "keys[each key]"));
    }
}
