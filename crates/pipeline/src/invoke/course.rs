//! Who is asked next when an attempt went wrong.
//!
//! First the other targets of the alias, at once; then, when all were asked, again after a while; then what its
//! fallback says, in order. What each step may cost the upstreams is bounded: by the number of requests to a call, by
//! the breakers, and by a budget of retries for the rest.

mod room;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::record::Degraded;
use bedplate_core::refusal::Code;
use tokio::time::{Instant, sleep, timeout_at};

use super::breaker::{Pass, Verdict};
use super::chances::Chances;
use super::deadline::{Deadlines, now};
use super::inflight::Attempting;
use super::retries::{Retries, backoff};
use super::trouble::Trouble;
use super::{Given, Terms, Told, ask, attempting, refusal};
use crate::cache::{Fill, Filling, Kept};
use crate::compose::{Aim, Composed, want};
use crate::model::{Alias, Rung, Target, Tried};
use crate::pace::{NoRoom, Room};
use crate::pipeline::Refused;
use crate::provider::{Answer, Failed};
use crate::reserve::reserve_another;
use crate::settle::record::Record;

/// A call on its way from target to target.
pub(super) struct Course<'a> {
    pub(super) composed: Composed,
    pub(super) terms: Terms<'a>,
    pub(super) fill: Option<Filling>,
    pub(super) began: Instant,
    /// Requests so far.
    pub(super) made: u32,
    /// The target that is asked, among those of the alias.
    pub(super) at: usize,
    /// Of this round.
    pub(super) tried: Tried,
    /// How often the call has waited.
    waits: u32,
    pub(super) chances: Chances,
    /// Rungs of the fallback that are behind us.
    pub(super) rungs: usize,
    pub(super) pass: Option<Pass>,
    /// What the last retry cost.
    paid: Option<u32>,
    /// An attempt may have been billed for which nothing is held any more.
    pub(super) billed: bool,
    /// No upstream may be asked any more.
    pub(super) over: bool,
    /// A second request was sent beside another.
    pub(super) hedged: bool,
    /// What is wrong with the call by one of two requests, for when the other has no answer.
    pub(super) refused: Option<Told>,
    /// The target is one of the fallback.
    lighter: bool,
    room: Option<Room>,
    /// Tokens that were last reserved.
    reserves: u64,
    last: Option<Last>,
}

/// How the last attempt went wrong.
enum Last {
    Told(Told),
    Failed(Failed),
    /// Nobody was asked: there was no room.
    Full(NoRoom),
    /// Nobody was asked: the call takes so many tokens at least, and no target allows more than so many in a minute.
    TooLarge {
        least: u64,
        whole: u64,
    },
}

/// What happens next.
pub(super) enum Next {
    /// The target that the course is set to is asked.
    Ask,
    Kept(Kept),
    Told(Told),
    /// There is nothing else.
    End,
}

enum Step {
    /// A target, after so long.
    Ask(Target, Option<Pass>, Duration),
    /// The same again, after so long: there is no alias.
    Again(Duration),
    Lighter(Target, Pass),
    Stale,
    Answer(Arc<str>),
}

impl<'a> Course<'a> {
    pub(super) fn new(mut composed: Composed, terms: Terms<'a>, fill: Option<Fill>, record: &Record) -> Self {
        let mut tried = Tried::default();
        let (mut pass, mut chances) = (None, Chances::of(record.id()));
        let at = composed.way.as_ref().map_or(0, |way| way.at);
        if let Some(way) = &mut composed.way {
            tried.add(at);
            (pass, chances) = (way.pass.take(), way.chances);
        }
        Self {
            composed,
            terms,
            fill: fill.map(Filling::new),
            began: now(),
            made: 0,
            at,
            tried,
            waits: 0,
            chances,
            rungs: 0,
            pass,
            paid: None,
            billed: false,
            over: false,
            hedged: false,
            refused: None,
            lighter: false,
            room: None,
            reserves: 0,
            last: None,
        }
    }

    /// Whether what the fallback has comes before a target that should not be asked now.
    pub(super) fn passes_over(&self) -> bool {
        let way = self.composed.way.as_ref();
        self.pass.is_none() && way.is_some_and(|way| !way.alias.fallback.is_empty())
    }

    /// Whether there is anything beyond an attempt that went wrong.
    pub(super) fn goes_on(&self) -> bool {
        let way = self.composed.way.as_ref();
        self.made < self.composed.most || way.is_some_and(|way| self.rungs < way.alias.fallback.len())
    }

    pub(super) fn attempting(&mut self, record: &Record) -> Attempting {
        let deadlines = Deadlines::starting_now(&self.terms.timeouts.after(now() - self.began));
        let composed = &self.composed;
        attempting(
            composed,
            &composed.aim,
            record.notes(),
            (deadlines, self.terms.until),
            self.terms.drain,
            (self.pass.as_ref(), self.room.take()),
        )
    }

    pub(super) fn attempt(&mut self, attempting: &Attempting) -> BoxFuture<'static, Result<Answer, Failed>> {
        self.made += 1;
        if self.made == 1
            && let Some(hedge) = self.composed.way.as_ref().and_then(|way| way.alias.hedge.as_ref())
        {
            hedge.earn();
        }
        let last = self.composed.way.is_none() && self.made >= self.composed.most;
        let Composed { admitted, aim, .. } = &mut self.composed;
        let ask = ask(admitted, aim, last, attempting);
        let provider = Arc::clone(&self.composed.aim.provider);
        let attempt = provider.attempt(ask, attempting.deadlines.clone());
        match &self.fill {
            Some(fill) => fill.through(attempt),
            None => attempt,
        }
    }

    /// Tells the target's breaker and the budget of retries how an attempt went.
    pub(super) fn judge(&mut self, trouble: Option<Trouble>, attempting: &Attempting, record: &Record) {
        let pass = self.pass.take();
        self.judge_pass(pass, trouble, attempting, record);
    }

    /// The same of a request whose leave that is.
    pub(super) fn judge_pass(
        &mut self,
        pass: Option<Pass>,
        trouble: Option<Trouble>,
        attempting: &Attempting,
        record: &Record,
    ) {
        if self.composed.way.is_none() && self.composed.most == 1 {
            return;
        }
        if let Some(pass) = pass {
            let verdict = trouble.map_or(Verdict::Well, |trouble| trouble.verdict(attempting.impatient()));
            pass.judge(verdict, record.tick(), self.chances.next());
        }
        if trouble.is_none() {
            let paid = self.paid.take();
            self.retries().answered(paid);
        }
    }

    /// An answer goes to the caller.
    pub(super) fn answers(&self, answer: &Answer, record: &mut Record) {
        record.dropped(&answer.dropped);
        if answer.status == 200 && self.lighter {
            record.degrade(Degraded::LighterModel);
        } else if let Some(way) = self.composed.way.as_ref().filter(|_| answer.status == 200) {
            way.answered(self.at, &self.composed.admitted.call, record.tick());
        }
    }

    /// Writes down an attempt that others may follow.
    pub(super) fn went_wrong(
        &mut self,
        result: Result<Answer, Failed>,
        attempting: &Attempting,
        record: &mut Record,
    ) {
        self.last = Some(match result {
            Ok(answer) => {
                let told = Told::error(&answer);
                record.attempt_unread(attempting, answer);
                Last::Told(told)
            }
            Err(failed) => {
                record.attempt_failed(attempting, &failed);
                self.billed |= failed.sent && attempting.operation.metered();
                Last::Failed(failed)
            }
        });
    }

    /// Finds what comes after an attempt that went wrong, and waits until it is time.
    pub(super) async fn next(
        &mut self,
        trouble: Trouble,
        stale: &mut Option<Kept>,
        record: &mut Record,
    ) -> Next {
        while let Some(step) = self.step(trouble, record) {
            match step {
                Step::Again(wait) => {
                    if self.affords(record).await && self.wait(wait, record).await {
                        return Next::Ask;
                    }
                }
                Step::Ask(target, pass, wait) => {
                    if self.turn_to(&target, pass, record).await && self.wait(wait, record).await {
                        return Next::Ask;
                    }
                }
                Step::Lighter(target, pass) => {
                    if self.turn_to(&target, Some(pass), record).await {
                        self.lighter = true;
                        return Next::Ask;
                    }
                }
                Step::Stale => {
                    if let Some(kept) = self.earlier(stale, record).await {
                        return Next::Kept(kept);
                    }
                }
                Step::Answer(text) => {
                    if let Some(answer) = self.composed.admitted.call.body.answer(&text) {
                        record.degrade(Degraded::Static);
                        return Next::Told(Told::own(answer));
                    }
                }
            }
        }
        Next::End
    }

    /// What the caller hears when nothing else is left: how the last attempt went wrong.
    pub(super) fn end(self, record: Record) -> Result<Given, Refused> {
        match self.last {
            Some(Last::Told(told)) => Ok(Given::Told(told, record)),
            Some(Last::Full(no_room)) => Err(Refused::new(room::full(no_room), record)),
            Some(Last::TooLarge { least, whole }) => Err(Refused::new(room::too_large(least, whole), record)),
            Some(Last::Failed(failed)) => {
                Err(Refused::new(refusal(failed.code, failed.said, failed.cause), record))
            }
            None => {
                let refusal = refusal(Code::Unreachable, None, "nobody was asked".into());
                Err(Refused::new(refusal, record))
            }
        }
    }

    fn step(&mut self, trouble: Trouble, record: &Record) -> Option<Step> {
        let left = self.left();
        let asks = !self.over && left > Duration::ZERO;
        if asks && !trouble.full && self.rungs == 0 && self.made < self.of_targets() {
            let step = match self.composed.way.is_some() {
                true => self.other(trouble, left, record),
                false => self.again(trouble, left).map(Step::Again),
            };
            if step.is_some() {
                return step;
            }
        }
        let alias = Arc::clone(&self.composed.way.as_ref()?.alias);
        while let Some(rung) = alias.fallback.get(self.rungs) {
            self.rungs += 1;
            match rung {
                Rung::Stale => return Some(Step::Stale),
                Rung::Answer(text) => return Some(Step::Answer(Arc::clone(text))),
                Rung::Target(target) => {
                    let fits = self.composed.admitted.call.body.fits(&target.model);
                    if asks
                        && fits
                        && self.made < self.composed.most
                        && let Some(pass) = target.breaker.pass(record.tick(), self.chances.next())
                    {
                        // throttling opens no breaker: a lighter model is asked as often as it answers
                        if trouble.throttled {
                            let Some(paid) = alias.retries.take(false) else { continue };
                            self.paid = Some(paid);
                        }
                        return Some(Step::Lighter(target.clone(), pass));
                    }
                }
            }
        }
        None
    }

    /// Requests that the targets may have: one is left for each lighter model.
    pub(super) fn of_targets(&self) -> u32 {
        let lighter =
            |alias: &Alias| alias.fallback.iter().filter(|rung| matches!(rung, Rung::Target(_))).count();
        let lighter = self.composed.way.as_ref().map_or(0, |way| lighter(&way.alias));
        self.composed.most.saturating_sub(u32::try_from(lighter).unwrap_or(u32::MAX)).max(1)
    }

    /// Another target; when all were asked, one of them again.
    fn other(&mut self, trouble: Trouble, left: Duration, record: &Record) -> Option<Step> {
        let alias = Arc::clone(&self.composed.way.as_ref()?.alias);
        let ask = |at: usize, pass, wait| Some(Step::Ask(alias.targets.get(at)?.clone(), Some(pass), wait));
        if let Some((at, pass)) = self.choose(&alias, record) {
            // what fails opens a breaker soon, and then it is not asked; a full quota does not
            if trouble.throttled {
                self.paid = Some(alias.retries.take(false)?);
            }
            return ask(at, pass, Duration::ZERO);
        }
        let wait = self.again(trouble, left)?;
        self.tried = Tried::default();
        let (at, pass) = self.choose(&alias, record)?;
        ask(at, pass, wait)
    }

    /// A target that was not asked in this round.
    fn choose(&mut self, alias: &Alias, record: &Record) -> Option<(usize, Pass)> {
        let body = &self.composed.admitted.call.body;
        let fits = |model: &str| body.fits(model);
        let want = want(&self.composed.admitted, &self.composed.aim.model, record.notes());
        let whose = self.composed.way.as_ref().and_then(|way| way.whose);
        let (at, pass) = alias.choose(self.tried, fits, want, record.tick(), &mut self.chances, whose)?;
        self.tried.add(at);
        self.at = at;
        Some((at, pass))
    }

    /// How long to wait before the same is asked again; `None` when it is not worth it.
    fn again(&mut self, trouble: Trouble, left: Duration) -> Option<Duration> {
        if !trouble.again {
            return None;
        }
        // a quota that is known says itself when there is room again
        let paced = trouble.throttled
            && self.composed.aim.lane.as_ref().is_some_and(|lane| lane.paces(self.reserves));
        let wait = match paced {
            true => trouble.hint.unwrap_or_default(),
            false => backoff(self.waits + 2, self.chances.next(), trouble.hint),
        };
        if wait >= left {
            return None;
        }
        self.paid = Some(self.retries().take(trouble.slow)?);
        self.waits += 1;
        Some(wait)
    }

    async fn turn_to(&mut self, target: &Target, pass: Option<Pass>, record: &mut Record) -> bool {
        if !self.affords(record).await {
            return false;
        }
        let aim = self.composed.aim_to(target, record.notes_mut());
        let Ok(Ok(aim)) = timeout_at(self.until(), aim).await else { return false };
        self.pass = pass;
        self.turn(aim, record);
        true
    }

    /// From now on the call goes there.
    pub(super) fn turn(&mut self, mut aim: Aim, record: &mut Record) {
        record.aimed(&mut aim);
        if !self.composed.aim.is_same_place(&aim) {
            // its place in the cache is another target's
            self.fill = None;
        }
        self.composed.aim = aim;
    }

    /// Whether budgets have room for another request. When they have none now no upstream is asked any more.
    async fn affords(&mut self, record: &mut Record) -> bool {
        if self.billed {
            let (composed, notes) = (&self.composed, record.notes());
            let reserved = reserve_another(composed, &composed.aim.model, notes);
            match timeout_at(self.until(), reserved).await {
                Ok(Ok(hold)) => {
                    hold.into_iter().for_each(|hold| record.holds_another(hold));
                    self.billed = false;
                }
                Ok(Err(())) | Err(_) => self.over = true,
            }
        }
        !self.over
    }

    /// Waits; `false` when there is no time left to ask then.
    async fn wait(&self, wait: Duration, record: &mut Record) -> bool {
        if wait > Duration::ZERO {
            let began = record.tick();
            sleep(wait.min(self.left())).await;
            record.notes_mut().waited(began);
        }
        self.left() > Duration::ZERO
    }

    /// When the call has had all its time.
    fn until(&self) -> Instant {
        self.began + self.terms.timeouts.total
    }

    fn left(&self) -> Duration {
        self.until().saturating_duration_since(now())
    }

    /// An earlier answer to the same question, of whichever target.
    async fn earlier(&mut self, stale: &mut Option<Kept>, record: &mut Record) -> Option<Kept> {
        if let Some(kept) = stale.take() {
            return Some(kept);
        }
        if !self.terms.cached {
            return None;
        }
        let alias = Arc::clone(&self.composed.way.as_ref()?.alias);
        let looks = async {
            for target in alias.all() {
                if let Ok(aim) = self.composed.aim_of(target, record.notes_mut()).await
                    && let Some(kept) = self.terms.cache.earlier(&self.composed.admitted, &aim).await
                {
                    return Some(kept);
                }
            }
            None
        };
        timeout_at(self.until(), looks).await.ok().flatten()
    }

    fn retries(&self) -> &Retries {
        self.composed.way.as_ref().map_or(self.terms.retries, |way| &way.alias.retries)
    }
}
