//! A second request beside one that is slow to answer: the first good answer wins.
//!
//! It goes to another target, before the first token, and only where there is room for it: in the alias' share of hedges,
//! at the target and in budgets. Who loses is let go and written down with what it may have cost.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use tokio::time::timeout_at;

use super::breaker::Pass;
use super::course::Course;
use super::deadline::{Deadlines, now};
use super::hedges::{Bet, Won};
use super::inflight::Attempting;
use super::race::{Ended, First, Race, Runner, Which};
use super::told::Told;
use super::trouble::Trouble;
use super::{ask, attempting};
use crate::budget::Hold;
use crate::compose::{Aim, want};
use crate::pace::Room;
use crate::provider::{Answer, Failed};
use crate::reserve::reserve_another;
use crate::settle::notes::Notes;
use crate::settle::record::Record;

/// A second request that may go.
struct Second {
    rival: Rival,
    room: Option<Room>,
    hold: Option<Hold>,
}

/// Whom the second request goes to.
struct Rival {
    at: usize,
    aim: Aim,
    /// `None` once it was judged.
    pass: Option<Pass>,
    bet: Bet,
}

/// Waits for a request, and for a second one when it takes long. The course is set to the one whose result this is.
pub(super) async fn race(
    course: &mut Course<'_>,
    after: Duration,
    attempt: BoxFuture<'static, Result<Answer, Failed>>,
    attempting: Attempting,
    record: Record,
) -> (Result<Answer, Failed>, Attempting, Record) {
    let (notes, began) = (record.notes().clone(), attempting.began);
    let mut race = Race::new(attempt, attempting, record);
    let mut rival = None;
    let mut ended = match timeout_at(now() + after, race.ended()).await {
        Ok(ended) => ended,
        Err(_) => match race.beside(course.second(&notes)).await {
            First::Ended(ended) => ended,
            First::Done(None) => race.ended().await,
            First::Done(Some(second)) => {
                let (runner, whom) = course.send(second, &notes);
                let attempting = Attempting { waits_from: began, ..runner.attempting };
                race.join(Runner { attempting, ..runner });
                rival = Some(whom);
                race.ended().await
            }
        },
    };
    // what is bad does not end it while the other may be better
    while !is_good(&ended.result) && race.is_on() {
        course.fell_out(ended, &mut rival, &mut race);
        ended = race.ended().await;
    }
    let Some(mut record) = race.over() else { return std::future::pending().await };
    let Ended { which, result, attempting, hold } = ended;
    course.came_in(which, is_good(&result), rival, hold, &mut record);
    (result, attempting, record)
}

/// An answer for the caller. What is wrong with the call at one target may not be at the other.
fn is_good(result: &Result<Answer, Failed>) -> bool {
    matches!(result, Ok(answer) if answer.status < 400)
}

impl Course<'_> {
    /// After how long a second request may follow the one that was just made, if any may.
    pub(super) fn hedge(&self) -> Option<Duration> {
        let hedge = self.composed.way.as_ref()?.alias.hedge.as_ref()?;
        let may = !self.hedged
            && !self.over
            && self.rungs == 0
            && self.made < self.of_targets()
            && self.composed.admitted.call.operation.metered();
        may.then_some(hedge.after)
    }

    /// Finds whom the second request may go to, and takes room for it.
    async fn second(&mut self, notes: &Notes) -> Option<Second> {
        let alias = Arc::clone(&self.composed.way.as_ref()?.alias);
        let hedge = alias.hedge.as_ref().filter(|hedge| hedge.may())?;
        let admitted = &self.composed.admitted;
        let fits = |model: &str| admitted.call.body.fits(model);
        let wanted = want(admitted, &self.composed.aim.model, notes);
        let whose = self.composed.way.as_ref().and_then(|way| way.whose);
        let (at, pass) = alias.choose(self.tried, fits, wanted, notes.tick(), &mut self.chances, whose)?;
        let target = alias.targets.get(at)?;
        // what it waits for here the first request is waited for, too
        let aim = self.composed.aim_to(target, &mut notes.clone()).await.ok()?;
        let hold = reserve_another(&self.composed, &aim.model, notes).await.ok()?;
        // last, so that nothing that waits holds room
        let wanted = want(admitted, &aim.model, notes);
        let room = match &aim.lane {
            Some(lane) => Some(lane.take_now(wanted, notes.tick())?),
            None => None,
        };
        let bet = hedge.take()?;
        Some(Second { rival: Rival { at, aim, pass: Some(pass), bet }, room, hold })
    }

    fn send(&mut self, second: Second, notes: &Notes) -> (Runner, Rival) {
        let Second { rival, room, hold } = second;
        self.hedged = true;
        self.made += 1;
        self.tried.add(rival.at);
        let deadlines = Deadlines::starting_now(&self.terms.timeouts.after(now() - self.began));
        let attempting = attempting(
            &self.composed,
            &rival.aim,
            notes,
            (deadlines, self.terms.until),
            self.terms.drain,
            (rival.pass.as_ref(), room),
        );
        let ask = ask(&mut self.composed.admitted, &rival.aim, false, &attempting);
        let attempt = Arc::clone(&rival.aim.provider).attempt(ask, attempting.deadlines.clone());
        let attempt = match self.fill.as_ref().filter(|_| self.composed.aim.is_same_place(&rival.aim)) {
            Some(fill) => fill.through(attempt),
            None => attempt,
        };
        (Runner { attempt, attempting, hold }, rival)
    }

    /// One of two went wrong while the other is under way.
    fn fell_out(&mut self, ended: Ended, rival: &mut Option<Rival>, race: &mut Race) {
        let Ended { which, result, attempting, hold } = ended;
        let trouble = Trouble::of(&result);
        if let (None, Ok(answer)) = (trouble, &result) {
            self.refused = Some(Told::error(answer));
        }
        let pass = match which {
            Which::First => self.pass.take(),
            Which::Second => rival.as_mut().and_then(|rival| rival.pass.take()),
        };
        let billed = self.billed;
        race.write(|record| {
            self.judge_pass(pass, trouble, &attempting, record);
            record.apart(hold, |record| self.went_wrong(result, &attempting, record));
        });
        if which == Which::Second {
            // what it held for itself is settled
            self.billed = billed;
        }
    }

    /// The race is over, and this is whose result it has.
    fn came_in(
        &mut self,
        which: Which,
        good: bool,
        rival: Option<Rival>,
        hold: Option<Hold>,
        record: &mut Record,
    ) {
        let Some(Rival { at, aim, pass, mut bet }) = rival else { return };
        if good {
            bet.won = if which == Which::First { Won::First } else { Won::Second };
        }
        if which == Which::First {
            return;
        }
        if let Some(hold) = hold {
            record.holds_another(hold);
            self.billed = false;
        }
        (self.at, self.pass) = (at, pass);
        self.turn(aim, record);
    }
}
