//! What a call does when its purses have not enough: it asks the ledger, and waits for others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::budget::{Draw, Drawn, Return, Stand, Why};
use bedplate_core::clock::Tick;
use bedplate_core::ports::StoreError;
use bedplate_cost::budget::Outage;
use tokio::time::{Instant, sleep, timeout_at};

use super::hold::Hold;
use super::need::Need;
use super::purse::{Bounds, Heard, Purse, later};
use super::{Line, Purses, Refused};

/// Of what is left a node takes at most a quarter beyond its need.
const SHARE: i64 = 4;
/// Of the last that is left a call whose answer may be bounded takes half, so that calls beside it find some.
const HALF: i64 = 2;
/// How often a call that waits looks whether other nodes gave something back.
const LOOK: Duration = Duration::from_millis(50);
/// How soon a call asks again for what another took before it.
const AGAIN: Duration = Duration::from_millis(1);

impl Purses {
    /// Asks the ledger for what is missing, and waits for others' holds to end.
    pub(super) async fn hold_slowly(&self, lines: &mut [Line], need: &Need) -> Result<Hold, Box<Refused>> {
        let until = Instant::now() + self.terms.wait;
        let by = until + self.terms.deadline;
        let bounds: Vec<_> = lines.iter().map(|line| line.bounds).collect();
        loop {
            let mut output = need.output;
            let mut blocked = None;
            for (line, bounds) in lines.iter_mut().zip(&bounds) {
                line.bounds = *bounds;
                let Some(bounds) = line.bounds else { continue };
                match self.fill(line, bounds, need, output, by).await {
                    Ok(()) => {
                        output = output.min(need.fits(&line.budget, line.purse.free()).max(need.least));
                    }
                    Err(refused) => match (refused.blocked.why, line.budget.outage) {
                        // counted, and not limited: this budget says that calls go on then
                        (Why::Unreachable, Outage::Open) => line.bounds = None,
                        (Why::Held, _) => blocked = Some((Arc::clone(&line.purse), refused)),
                        _ => return Err(refused),
                    },
                }
            }
            let taken = self.take(lines, need, output);
            let short = match taken {
                Ok(hold) => return Ok(hold),
                Err(short) => short,
            };
            let now = Instant::now();
            match blocked {
                Some((_, refused)) if now >= until => return Err(refused),
                // what is freed here is seen at once, what other nodes give back by looking again
                Some((purse, _)) => drop(timeout_at((now + LOOK).min(until), purse.freed()).await),
                None if now >= until => {
                    let least = need.of(&short.budget, need.least).unwrap_or(0);
                    return Err(self.refused(short, least, Why::Held, None));
                }
                // another call was faster
                None => sleep(AGAIN).await,
            }
        }
    }

    /// Draws until the purse holds what the call needs at least, or it is known why it cannot.
    async fn fill(
        &self,
        line: &Line,
        bounds: Bounds,
        need: &Need,
        output: u64,
        by: Instant,
    ) -> Result<(), Box<Refused>> {
        let Line { budget, purse, .. } = line;
        let least = need.of(budget, need.least.min(output)).unwrap_or(0);
        let wanted = need.of(budget, output).unwrap_or(0);
        let covers = |amount| purse.covers(amount, bounds, self.clock.tick());
        let refuse = |why, cause| Err(self.refused(line, least, why, cause));
        if least > bounds.limit {
            return refuse(Why::TooLarge, None);
        }
        if covers(wanted) {
            return Ok(());
        }
        if budget.outage == Outage::Open && self.is_down() {
            return refuse(Why::Unreachable, None);
        }
        match self.ask(purse, bounds, least, wanted, by).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) if covers(least) => Ok(()),
            Ok(Some(stand)) => refuse(purse.why(bounds.limit, least, stand), None),
            Err(_) if budget.outage == Outage::Slice && covers(least) => Ok(()),
            Err(cause) => refuse(Why::Unreachable, Some(cause)),
        }
    }

    /// Asks in turn: one call asks, and the others take its answer where that is theirs, too. Gives where the account
    /// stands when not even `least` was there.
    async fn ask(
        &self,
        purse: &Purse,
        bounds: Bounds,
        least: i64,
        wanted: i64,
        by: Instant,
    ) -> Result<Option<Stand>, StoreError> {
        let came = self.clock.tick();
        let mut turn = timeout_at(by, purse.turn()).await.map_err(|_| late())?;
        if purse.covers(wanted, bounds, self.clock.tick()) {
            return Ok(None);
        }
        let missing = least.saturating_sub(purse.free());
        match *turn {
            Some(Heard { at, stand: None, .. }) if at > came => return Err(late()),
            Some(Heard { at, by, need, stand }) if at > came && by == bounds && need <= missing => {
                return Ok(stand);
            }
            _ => {}
        }
        let mut drawn = self.draw(purse, bounds, wanted, wanted, SHARE, by).await;
        if matches!(drawn, Ok(Drawn::Short { .. })) && purse.free() < wanted && least < wanted {
            drawn = self.draw(purse, bounds, least, wanted, HALF, by).await;
        }
        let stand = match &drawn {
            Ok(Drawn::Granted { .. }) => {
                *turn = None;
                return Ok(None);
            }
            Ok(Drawn::Short { stand, .. }) => Some(*stand),
            Err(_) => None,
        };
        *turn = Some(Heard { at: self.clock.tick(), by: bounds, need: missing, stand });
        drawn.map(|_| stand)
    }

    /// Asks the ledger once.
    async fn draw(
        &self,
        purse: &Purse,
        bounds: Bounds,
        least: i64,
        wanted: i64,
        share: i64,
        by: Instant,
    ) -> Result<Drawn, StoreError> {
        if let Some(total) = purse.unsaid() {
            // else it would stand in the way of this draw
            self.say(&[(purse, total)], by).await?;
        }
        let (began, now) = (self.clock.tick(), self.clock.now());
        let free = purse.free();
        let draw = Draw {
            window: purse.window().clone(),
            counts_from: bounds.counts_from,
            limit: bounds.limit,
            need: least.saturating_sub(free).max(0),
            want: wanted.saturating_sub(free).max(0).saturating_add(purse.ahead(wanted, bounds.limit)),
            share,
            node: self.node.clone(),
            lease_until: now.plus(self.terms.lease),
        };
        let drawn = self.in_time(self.ledger.draw(&draw, now), by).await?;
        purse.drawn(drawn, bounds, self.lease(began));
        Ok(drawn)
    }

    /// Tells the ledger what is given back.
    pub(super) async fn say(&self, given: &[(&Purse, i64)], by: Instant) -> Result<(), StoreError> {
        let back = |(purse, total): &(&Purse, i64)| Return { window: purse.window().clone(), total: *total };
        let returns: Vec<_> = given.iter().map(back).collect();
        self.in_time(self.ledger.give_back(&self.node, &returns), by).await?;
        given.iter().for_each(|(purse, total)| purse.said(*total));
        Ok(())
    }

    /// Until when a slice is surely ours if the ledger was asked at `began`: half the lease, so that this node thinks it
    /// over before anybody else does, though their clocks differ.
    pub(super) fn lease(&self, began: Tick) -> Tick {
        later(began, self.terms.lease / 2)
    }

    /// Waits for the ledger within the deadline, and notes whether it answered.
    pub(super) async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, StoreError>>,
        by: Instant,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.terms.deadline;
        let answer = timeout_at(deadline.min(by), asked).await.unwrap_or_else(|_| Err(late()));
        if answer.is_ok() || deadline <= by {
            self.down.store(answer.is_err(), Ordering::Relaxed);
        }
        answer
    }
}

fn late() -> StoreError {
    StoreError::Unavailable("no answer in time".into())
}
