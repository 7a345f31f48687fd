//! Waiting for room: at one lane, or at whichever of several has it first.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::pace::{Class, Lacks, Shed};
use tokio::time::{Instant, timeout_at};

use super::Pace;
use super::lane::{Lane, Room};
use super::queue::{Turn, Waiter};
use super::quota::Lack;
use crate::invoke::deadline::now;

/// What a request needs.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Want {
    pub(crate) tokens: u64,
    /// What it takes even if what was expected of its prompt is far from what that is: it goes where there can be so
    /// much. 0 where nobody asked.
    pub(crate) least: u64,
    pub(crate) class: Class,
}

/// A request that got no room.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct NoRoom {
    pub(crate) shed: Shed,
    pub(crate) lacks: Lacks,
    /// When there may be.
    pub(crate) after: Duration,
    /// It is larger than all there is at any of the lanes.
    pub(crate) never: bool,
}

/// A call in queues. Dropped, it leaves them.
struct Waiting<'a> {
    waiter: Arc<Waiter>,
    lanes: &'a [Arc<Lane>],
}

/// A call whose lanes have room looks again at least so often: what changes the room, a reload say, need not tell.
const LOOK: Duration = Duration::from_secs(1);
const SOONEST: Duration = Duration::from_millis(1);

impl Pace {
    /// Room at one of the lanes, now or before `until`; whose place in `lanes` comes with it. `may` says whether a lane
    /// may be asked at all, at that moment.
    pub(crate) async fn room<T>(
        &self,
        lanes: &[Arc<Lane>],
        want: Want,
        until: Instant,
        tick: impl Fn() -> Tick,
        mut may: impl FnMut(usize) -> Option<T>,
    ) -> Result<(usize, Room, T), NoRoom> {
        let mut look = |turn: Turn| look(lanes, want, turn, tick(), &mut may);
        let mut lack = match look(Turn::last(want.class)) {
            Ok(found) => return Ok(found),
            Err(lack) => lack,
        };
        let shed = |shed: Shed, lack: Lack| {
            if let Some(lane) = lanes.first() {
                lane.shed(want.class, shed);
            }
            NoRoom { shed, lacks: lack.lacks, after: lack.after, never: lack.never }
        };
        if lack.never || now() + lack.after > until {
            return Err(shed(Shed::Late, lack));
        }
        let turn = Turn { class: want.class, number: self.number() };
        let waiting = Waiting { waiter: Waiter::new(turn, want.tokens), lanes };
        if lanes.iter().filter(|lane| lane.join(&waiting.waiter)).count() == 0 {
            return Err(shed(Shed::Full, lack));
        }
        loop {
            match look(turn) {
                Ok(found) => return Ok(found),
                Err(lacking) => lack = lacking,
            }
            if waiting.waiter.displaced() {
                return Err(shed(Shed::Displaced, lack));
            }
            if now() >= until {
                return Err(shed(Shed::Waited, lack));
            }
            let next = now() + lack.looks.clamp(SOONEST, LOOK);
            // whether it was woken or it is time: it looks
            let _ = timeout_at(next.min(until), waiting.waiter.woken.notified()).await;
        }
    }
}

/// The first lane that may be asked and has room; else what the one lacks that has room the soonest.
fn look<T>(
    lanes: &[Arc<Lane>],
    want: Want,
    turn: Turn,
    now: Tick,
    may: &mut impl FnMut(usize) -> Option<T>,
) -> Result<(usize, Room, T), Lack> {
    let mut soonest = Lack { lacks: Lacks::Slots, after: LOOK, looks: LOOK, never: false };
    let mut any = false;
    for (at, lane) in lanes.iter().enumerate() {
        match lane.take(want, turn, now) {
            Ok(room) => {
                if let Some(may) = may(at) {
                    return Ok((at, room, may));
                }
                // who may not be asked here stands in nobody's way; and giving back what it took must not wake itself
                lane.leave(turn);
                drop(room);
            }
            Err(lack) => {
                let looks = lack.looks.min(if any { soonest.looks } else { lack.looks });
                if !any || lack.after < soonest.after {
                    (soonest, any) = (lack, true);
                }
                soonest.looks = looks;
            }
        }
    }
    Err(soonest)
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.lanes.iter().for_each(|lane| lane.leave(self.waiter.turn));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bedplate_testkit::ManualClock;

    use super::*;
    use crate::pace::lane::LaneTerms;

    const WANT: Want = Want { tokens: 0, least: 0, class: Class::Interactive };

    #[tokio::test(start_paused = true)]
    async fn who_may_not_be_asked_somewhere_stands_in_nobodys_way_there() {
        let pace = Pace::new(Arc::new(ManualClock::at("2026-11-22T12:00:00Z")));
        let terms = LaneTerms { quota: None, slots: Some(1), adaptive: false, origin: None };
        let lane = |name: &str| Lane::new("p".into(), name.into(), terms, Arc::clone(&pace.common), Tick(0));
        let lanes = [lane("full"), lane("ill")];
        let _taken = lanes[0].take_now(WANT, Tick(0)).unwrap();
        let looks = Cell::new(0);
        let tick = || {
            looks.set(looks.get() + 1);
            assert!(looks.get() < 100, "it wakes itself");
            Tick(0)
        };
        let waits = pace.room(&lanes, WANT, now() + LOOK * 5, tick, |at| (at == 0).then_some(()));
        let other = async {
            tokio::time::sleep(LOOK).await;
            assert!(lanes[1].take_now(WANT, Tick(0)).is_some(), "there is room for others");
        };
        let (waited, ()) = tokio::join!(waits, other);
        assert_eq!(waited.err().map(|no_room| no_room.shed), Some(Shed::Waited));
    }
}
