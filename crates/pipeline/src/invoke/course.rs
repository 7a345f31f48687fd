//! Who is asked next when an attempt went wrong.
//!
//! First the other targets of the alias, at once; then, when all were asked, again after a while; then what its
//! fallback says, in order. What each step may cost the upstreams is bounded: by the number of requests to a call, by
//! the breakers, and by a budget of retries for the rest.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::record::Degraded;
use bedplate_core::refusal::{Code, Refusal, Retry};
use tokio::time::{Instant, sleep, timeout_at};

use super::breaker::{Pass, Verdict};
use super::chances::Chances;
use super::deadline::{Deadlines, now};
use super::inflight::Attempting;
use super::retries::{Retries, backoff};
use super::trouble::Trouble;
use super::{Given, Terms, Told, ask, attempting, refusal};
use crate::cache::{Fill, Filling, Kept};
use crate::compose::{Composed, want};
use crate::model::{Alias, Rung, Target, Tried};
use crate::pace::{Lane, NoRoom, Permit, Want};
use crate::pipeline::Refused;
use crate::provider::{Answer, Failed};
use crate::reserve::reserve_another;
use crate::settle::record::Record;

/// A call on its way from target to target.
pub(super) struct Course<'a> {
    composed: Composed,
    terms: Terms<'a>,
    fill: Option<Filling>,
    began: Instant,
    /// Requests so far.
    made: u32,
    /// The target that is asked, among those of the alias.
    at: usize,
    /// Of this round.
    tried: Tried,
    /// How often the call has waited.
    waits: u32,
    chances: Chances,
    /// Rungs of the fallback that are behind us.
    rungs: usize,
    pass: Option<Pass>,
    /// What the last retry cost.
    paid: Option<u32>,
    /// An attempt may have been billed for which nothing is held any more.
    billed: bool,
    /// No upstream may be asked any more.
    over: bool,
    /// The target is one of the fallback.
    lighter: bool,
    permit: Option<Permit>,
    last: Option<Last>,
}

/// How the last attempt went wrong.
enum Last {
    Told(Told),
    Failed(Failed),
    /// Nobody was asked: there was no room.
    Full(NoRoom),
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
            lighter: false,
            permit: None,
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

    /// Takes room for the next request: at the target that is aimed at, else at another of the alias, now or after a
    /// wait. `false` when there is none anywhere.
    pub(super) async fn room(&mut self, record: &mut Record) -> bool {
        let Some(lane) = self.composed.aim.lane.clone() else { return true };
        let want = want(&self.composed.admitted, &self.composed.aim.model, record);
        match lane.take_now(want, record.tick()) {
            Some(permit) => self.permit = Some(permit),
            None => return self.wait_for_room(lane, want, record).await,
        }
        true
    }

    /// Waits at the targets that may be asked, whichever has room first.
    async fn wait_for_room(&mut self, lane: Arc<Lane>, want: Want, record: &mut Record) -> bool {
        let began = record.tick();
        let pace = Arc::clone(&record.books().pace);
        let left = self.left();
        // what stands in for the targets does not make the caller wait as well
        let patience = if self.rungs > 0 { Duration::ZERO } else { pace.patience(want.class).min(left) };
        let mut lanes = vec![lane];
        let others = self.others(&mut lanes);
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
            Ok((0, permit, _)) => {
                self.permit = Some(permit);
                true
            }
            Ok((at, permit, pass)) => {
                let Some((place, target)) = others.get(at - 1) else { return false };
                self.tried.add(*place);
                self.at = *place;
                let turned = self.turn_to(target, pass, record).await;
                self.permit = turned.then_some(permit);
                turned
            }
            Err(no_room) => {
                self.last = Some(Last::Full(no_room));
                false
            }
        }
    }

    /// Other targets that may be asked in this round; their lanes are added in the same order.
    fn others(&self, lanes: &mut Vec<Arc<Lane>>) -> Vec<(usize, Target)> {
        let Some(way) = self.composed.way.as_ref().filter(|_| self.rungs == 0) else { return Vec::new() };
        let body = &self.composed.admitted.call.body;
        let mut others = Vec::new();
        for at in way.alias.untried(self.tried, |model| body.fits(model)) {
            if let Some(target) = way.alias.targets.get(at)
                && target.weight > 0
                && let Some(lane) = target.lanes.of(&target.model, true)
            {
                lanes.push(lane);
                others.push((at, target.clone()));
            }
        }
        others
    }

    pub(super) fn attempting(&mut self, record: &Record) -> Attempting {
        let deadlines = Deadlines::starting_now(&self.terms.timeouts.after(now() - self.began));
        attempting(&self.composed, record, deadlines, self.terms.drain, self.permit.take())
    }

    pub(super) fn attempt(&mut self, attempting: &Attempting) -> BoxFuture<'static, Result<Answer, Failed>> {
        self.made += 1;
        let last = self.composed.way.is_none() && self.made >= self.composed.most;
        let ask = ask(&mut self.composed, last, attempting);
        let provider = Arc::clone(&self.composed.aim.provider);
        let attempt = provider.attempt(ask, attempting.deadlines.clone());
        match &self.fill {
            Some(fill) => fill.through(attempt),
            None => attempt,
        }
    }

    /// Tells the target's breaker and the budget of retries how an attempt went.
    pub(super) fn judge(&mut self, trouble: Option<Trouble>, record: &Record) {
        if self.composed.way.is_none() && self.composed.most == 1 {
            return;
        }
        // a caller who does not wait says nothing about the target
        let left = self.terms.until.is_some_and(|until| now() >= until);
        let verdict = match trouble {
            None => Verdict::Well,
            Some(trouble) if trouble.slow && left => Verdict::Unknown,
            Some(trouble) => trouble.verdict,
        };
        if let Some(pass) = self.pass.take() {
            pass.judge(verdict, record.tick(), self.chances.next());
        }
        if trouble.is_none() {
            let paid = self.paid.take();
            self.retries().answered(paid);
        }
    }

    /// An answer goes to the caller.
    pub(super) fn answers(&self, answer: &Answer, record: &mut Record) {
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
                record.attempt_errored(attempting, answer);
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
            Some(Last::Full(no_room)) => Err(Refused::new(full(no_room), record)),
            Some(Last::Failed(failed)) => Err(Refused::new(refusal(failed.code, failed.cause), record)),
            None => {
                let refusal = refusal(Code::Unreachable, "nobody was asked".into());
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
                        return Some(Step::Lighter(target.clone(), pass));
                    }
                }
            }
        }
        None
    }

    /// Requests that the targets may have: one is left for each lighter model.
    fn of_targets(&self) -> u32 {
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
        let want = want(&self.composed.admitted, &self.composed.aim.model, record);
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
        let paced = trouble.throttled && self.composed.aim.lane.as_ref().is_some_and(|lane| lane.paces());
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
        let before =
            (Arc::clone(&self.composed.aim.target), Arc::clone(&self.composed.aim.provider.facts().name));
        if !matches!(timeout_at(self.until(), self.composed.turn_to(target, record)).await, Ok(Ok(()))) {
            return false;
        }
        self.pass = pass;
        let aim = &self.composed.aim;
        if before != (Arc::clone(&aim.target), Arc::clone(&aim.provider.facts().name)) {
            // its place in the cache is another target's
            self.fill = None;
        }
        true
    }

    /// Whether budgets have room for another request. When they have none now no upstream is asked any more.
    async fn affords(&mut self, record: &mut Record) -> bool {
        if self.billed {
            match timeout_at(self.until(), reserve_another(&self.composed, record)).await {
                Ok(Ok(())) => self.billed = false,
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
            record.waited(began);
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
                if let Ok(aim) = self.composed.aim_of(target, record).await
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

fn full(no_room: NoRoom) -> Refusal {
    let NoRoom { shed, lacks, after } = no_room;
    let after = after.clamp(SOONEST, LATEST);
    let (shed, lacks) = (shed.name(), lacks.name());
    Refusal::of(Code::NoRoom).retry(Retry::After(after)).because(format_args!("{shed}: no {lacks} left"))
}

/// When a caller may try again who got no room.
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(60);
