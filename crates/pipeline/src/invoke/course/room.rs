//! Room for the next request of a call.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_core::route::Standing;

use super::{Course, Last};
use crate::compose::{least, want};
use crate::invoke::deadline::now;
use crate::model::Target;
use crate::pace::{Lane, NoRoom, Want};
use crate::settle::record::Record;

impl Course<'_> {
    /// Takes room for the next request: at the target that is aimed at, else at another of the alias, now or after a
    /// wait. `false` when there is none anywhere.
    pub(in crate::invoke) async fn room(&mut self, record: &mut Record) -> bool {
        let Some(lane) = self.composed.aim.lane.clone() else { return true };
        let mut want = want(&self.composed.admitted, &self.composed.aim.model, record.notes());
        self.reserves = want.tokens;
        if cannot_hold(&lane, want.tokens) {
            want.least = least(&self.composed.admitted, &self.composed.aim.model, record.notes());
        }
        match lane.take_now(want, record.tick()) {
            Some(room) => self.room = Some(room),
            None => return self.wait_for_room(lane, want, record).await,
        }
        true
    }

    /// Waits at the targets that may be asked, whichever has room first.
    async fn wait_for_room(&mut self, lane: Arc<Lane>, mut want: Want, record: &mut Record) -> bool {
        let began = record.tick();
        let pace = Arc::clone(&record.books().pace);
        let left = self.left();
        // what stands in for the targets does not make the caller wait as well
        let patience = if self.rungs > 0 { Duration::ZERO } else { pace.patience(want.class).min(left) };
        let mut lanes = vec![lane];
        let others = self.others(&mut lanes, began);
        if want.least == 0 && lanes.iter().any(|lane| cannot_hold(lane, want.tokens)) {
            want.least = least(&self.composed.admitted, &self.composed.aim.model, record.notes());
        }
        let clock = Arc::clone(&record.books().clock);
        let chances = &mut self.chances;
        let may = |at: usize| match at.checked_sub(1) {
            None => Some(None),
            Some(other) => {
                let (_, target) = others.get(other)?;
                target.breaker.pass(clock.tick(), chances.next()).map(Some)
            }
        };
        let found = pace.room(&lanes, want, now() + patience, || clock.tick(), may).await;
        record.queued(began);
        match found {
            Ok((0, room, _)) => {
                self.room = Some(room);
                true
            }
            Ok((at, room, pass)) => {
                let Some((place, target)) = others.get(at - 1) else { return false };
                self.tried.add(*place);
                self.at = *place;
                let turned = self.turn_to(target, pass, record).await;
                self.room = turned.then_some(room);
                turned
            }
            Err(no_room) => {
                match self.too_large(want).filter(|_| no_room.never) {
                    // how another target went wrong says more
                    Some(too_large) => drop(self.last.get_or_insert(too_large)),
                    None => self.last = Some(Last::Full(no_room)),
                }
                false
            }
        }
    }

    /// Whether the call is larger than all that any target allows, also of those that may not be asked now.
    fn too_large(&self, want: Want) -> Option<Last> {
        let body = &self.composed.admitted.call.body;
        let way = self.composed.way.as_ref().filter(|_| self.rungs == 0);
        let mut whole = self.composed.aim.lane.as_ref()?.whole()?;
        for target in way.iter().flat_map(|way| &way.alias.targets).filter(|t| body.fits(&t.model)) {
            whole = whole.max(target.lanes.of(&target.model, true)?.whole()?);
        }
        (want.least > whole).then_some(Last::TooLarge { least: want.least, whole })
    }

    /// Other targets that may be asked in this round; their lanes are added in the same order.
    fn others(&self, lanes: &mut Vec<Arc<Lane>>, now: Tick) -> Vec<(usize, Target)> {
        let Some(way) = self.composed.way.as_ref().filter(|_| self.rungs == 0) else { return Vec::new() };
        let body = &self.composed.admitted.call.body;
        let mut others = Vec::new();
        for at in way.alias.untried(self.tried, |model| body.fits(model)) {
            if let Some(target) = way.alias.targets.get(at)
                && target.weight > 0
                // who may not be asked is not waited for
                && target.breaker.standing(now) != Standing::Open
                && let Some(lane) = target.lanes.of(&target.model, true)
            {
                lanes.push(lane);
                others.push((at, target.clone()));
            }
        }
        others
    }
}

pub(super) fn full(no_room: NoRoom) -> Refusal {
    let NoRoom { shed, lacks, after, .. } = no_room;
    let after = after.clamp(SOONEST, LATEST);
    let (shed, lacks) = (shed.name(), lacks.name());
    Refusal::of(Code::NoRoom).retry(Retry::After(after)).because(format_args!("{shed}: no {lacks} left"))
}

pub(super) fn too_large(least: u64, whole: u64) -> Refusal {
    let said = format!(
        "this call takes at least {least} tokens, more than the quota of any target allows in a minute: {whole}"
    );
    Refusal::new(Code::TooLarge, said)
}

/// Whether so many tokens are more than all of its quota.
fn cannot_hold(lane: &Lane, tokens: u64) -> bool {
    lane.whole().is_some_and(|whole| tokens > whole)
}

/// When a caller may try again who got no room.
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(60);
