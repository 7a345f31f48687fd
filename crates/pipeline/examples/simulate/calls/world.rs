//! What is true in a run: calls and how far they are, what upstreams see, and which rule was broken first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::CallId;
use bedplate_core::clock::{Clock, Tick, Timestamp};
use bedplate_core::pace::LaneStand;
use bedplate_core::route::Standing;
use bedplate_pipeline::{Ask, Health, Pace};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::config::{Config, FOREIGN, MODELS};
use super::lane::{Common, Lane};
use super::plan::{Cue, Name, Plan, Schedule};
use super::rule::{Broken, Rule};
use super::tally::Tally;
use super::upstream::Ticket;
use crate::trace::tell;

/// What a timer may be late.
pub(super) const TICK: Duration = Duration::from_millis(2);
pub(super) const PLACES: i64 = 1_000;

/// Tokio's clock as bedplate's: paused with it.
pub(super) struct Paused(pub Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_348_800).plus(self.0.elapsed())
    }

    fn tick(&self) -> Tick {
        Tick(u64::try_from(self.0.elapsed().as_nanos()).unwrap())
    }
}

pub(super) struct World {
    pub clock: Arc<Paused>,
    pub pace: Arc<Pace>,
    pub health: Health,
    pub state: Mutex<State>,
    broken: Mutex<Option<Broken>>,
}

pub(super) struct State {
    pub calls: Vec<Life>,
    /// By generation; the last is in force.
    pub configs: Vec<Config>,
    /// By upstream and model.
    pub lanes: BTreeMap<(usize, usize), Lane>,
    pub common: Common,
    /// When the breaker of a target was last seen not to be closed.
    pub ailing: BTreeMap<(usize, usize), Instant>,
    /// When the number of processes changed: nobody is told, so those who wait find out when they look.
    pub shared: Option<Instant>,
    /// What each upstream does with all requests, and what its quota is.
    pub upstreams: Vec<Upstream>,
    pub places: i64,
    pub tally: Tally,
}

#[derive(Clone)]
pub(super) struct Upstream {
    pub cue: Option<Cue>,
    pub truth: Option<u64>,
    used: BTreeMap<usize, (f64, Instant)>,
}

/// A call, and how far it is.
pub(super) struct Life {
    pub plan: Plan,
    pub id: CallId,
    /// Of the configuration it runs in.
    pub config: usize,
    pub began: Instant,
    pub requests: u32,
    pub under_way: bool,
    /// What the last request was told that no other may make good.
    final_said: Option<u16>,
    /// Why nothing may be asked for it any more.
    pub over: Option<&'static str>,
    pub settled: u32,
}

impl Life {
    pub(super) fn new(plan: Plan, id: CallId, config: usize) -> Self {
        Self {
            plan,
            id,
            config,
            began: Instant::now(),
            requests: 0,
            under_way: false,
            final_said: None,
            over: None,
            settled: 0,
        }
    }

    pub(super) fn need(&self) -> u64 {
        self.plan.prompt + self.plan.most
    }

    pub(super) fn fits(&self, model: usize) -> bool {
        !(self.plan.foreign && model == FOREIGN)
    }

    /// When it must have ended.
    pub(super) fn until(&self, config: &Config) -> Instant {
        // budgets may take a second to say yes, and time is counted from then on
        let total = config.timeouts.total + Duration::from_secs(u64::from(config.budgets));
        let own = self.plan.deadline.map(Duration::from_millis);
        self.began + own.map_or(total, |own| own.min(total))
    }
}

impl World {
    pub(super) fn new(schedule: &Schedule) -> Arc<Self> {
        let clock = Arc::new(Paused(Instant::now()));
        let pace = Pace::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let upstream = |truth: &Option<u64>| Upstream { cue: None, truth: *truth, used: BTreeMap::new() };
        let state = State {
            calls: Vec::new(),
            configs: Vec::new(),
            lanes: BTreeMap::new(),
            common: Common { nodes: 1, pace: schedule.config.pace },
            ailing: BTreeMap::new(),
            shared: None,
            upstreams: schedule.truth.iter().map(upstream).collect(),
            places: PLACES,
            tally: Tally::default(),
        };
        let (health, state, broken) = (Health::default(), Mutex::new(state), Mutex::default());
        Arc::new(Self { clock, pace, health, state, broken })
    }

    pub(super) fn at(&self) -> String {
        format!("{:>9.3}", self.clock.0.elapsed().as_secs_f64())
    }

    pub(super) fn fail(&self, rule: Rule, said: impl Into<String>) {
        let mut broken = self.broken.lock();
        if broken.is_none() {
            let said = format!("{} s: {}", self.at().trim(), said.into());
            *broken = Some(rule.broken(said));
        }
    }

    pub(super) fn checked(&self) -> Result<(), Broken> {
        self.broken.lock().clone().map_or(Ok(()), Err)
    }

    /// How the gateway's lanes stand, by upstream and model. What flows off has flowed off until now.
    pub(super) fn stands(&self) -> BTreeMap<(usize, usize), LaneStand> {
        let place = |stand: &LaneStand| {
            let upstream = stand.place.strip_prefix('p')?.parse().ok()?;
            Some((upstream, MODELS.iter().position(|model| **model == *stand.name)?))
        };
        self.pace.stands().into_iter().filter_map(|stand| Some((place(&stand)?, stand))).collect()
    }

    /// The targets that may be asked as often as anybody likes.
    fn closed(&self) -> Vec<(usize, usize)> {
        let closed = |standing: &bedplate_pipeline::TargetStanding| standing.standing == Standing::Closed;
        let all = self.health.standings(self.clock.tick());
        let place = |standing: &bedplate_pipeline::TargetStanding| {
            let upstream = standing.provider.strip_prefix('p')?.parse().ok()?;
            Some((upstream, MODELS.iter().position(|model| **model == *standing.model)?))
        };
        all.iter().filter(|one| closed(one)).filter_map(place).collect()
    }

    /// A request comes to an upstream.
    pub(super) fn begins(self: &Arc<Self>, upstream: usize, ask: &Ask) -> Ticket {
        let n: usize = ask.path.trim_start_matches('/').parse().unwrap();
        let model = MODELS.iter().position(|model| **model == *ask.target).unwrap();
        let (stands, closed) = (self.stands(), self.closed());
        let mut state = self.state.lock();
        let state = &mut *state;
        let place = (upstream, model);
        self.may_be_asked(state, n, place);
        let life = &state.calls[n];
        let need = life.need();
        let config = &state.configs[life.config];
        let listed = matches!(life.plan.name, Name::Alias(_));
        // a lane that nothing bounds any more is not made
        let paced = (config.paces(upstream, listed) && stands.contains_key(&place)).then_some(place);
        if paced.is_some() {
            self.has_room(state, n, place, &stands, &closed);
        }
        let life = &mut state.calls[n];
        life.requests += 1;
        life.under_way = true;
        let cue = life.plan.cues.get(life.requests as usize - 1).copied().unwrap_or(Cue::Well(20));
        let cue = state.upstreams[upstream].cue.unwrap_or(cue);
        state.tally.happened("requests");
        tell(|| {
            format!(
                "{} call {n}: request {} to p{upstream}/{}: {cue:?}",
                self.at(),
                life.requests,
                MODELS[model]
            )
        });
        let burndown = state.lanes.get(&place).map_or(1, Lane::burndown);
        Ticket::new(self, n, paced, place, need, burndown, life.plan.clone(), cue, &ask.sent)
    }

    fn may_be_asked(&self, state: &mut State, n: usize, (upstream, model): (usize, usize)) {
        let life = &state.calls[n];
        state.tally.checked(Rule::After);
        if let Some(over) = life.over {
            self.fail(Rule::After, format!("call {n} is asked though {over}"));
        }
        if life.under_way {
            self.fail(Rule::After, format!("call {n} is asked while a request of it is under way"));
        }
        let config = &state.configs[life.config];
        let most = match life.plan.name {
            Name::Alias(at) => config.aliases[at].attempts,
            Name::Bare(_) => config.retries,
        };
        state.tally.checked(Rule::Again);
        if life.requests >= most {
            self.fail(Rule::Again, format!("call {n} is asked more often than {most} times"));
        }
        if let Some(status) = life.final_said {
            self.fail(Rule::Again, format!("call {n} is asked again after {status}"));
        }
        let lighter = match life.plan.name {
            Name::Alias(at) => {
                config.aliases[at].lighter == Some(upstream) && MODELS[model].contains("micro")
            }
            Name::Bare(_) => false,
        };
        state.tally.checked(Rule::Fits);
        if !life.fits(model) || !(lighter || config.targets(life.plan.name).contains(&(upstream, model))) {
            self.fail(Rule::Fits, format!("call {n} is sent to p{upstream}/{}", MODELS[model]));
        }
        state.tally.checked(Rule::Deadline);
        if Instant::now() > life.until(config) + TICK {
            self.fail(Rule::Deadline, format!("call {n} is asked when its time is over"));
        }
    }

    fn has_room(
        &self,
        state: &mut State,
        n: usize,
        place: (usize, usize),
        stands: &BTreeMap<(usize, usize), LaneStand>,
        closed: &[(usize, usize)],
    ) {
        let now = Instant::now();
        let config = state.configs.last().unwrap();
        let (limits, adaptive, budgets) = (config.upstreams[place.0], config.pace.adaptive, config.budgets);
        let common = state.common;
        let lane = state.lanes.entry(place).or_insert_with(|| Lane::new(limits, adaptive, now));
        let life = &state.calls[n];
        lane.flow(&common, now);
        state.tally.checked(Rule::Slots);
        if let Some(said) = lane.no_slot(&common, life.plan.class) {
            self.fail(
                Rule::Slots,
                format!("call {n} takes a slot of p{}/{}: {said}", place.0, MODELS[place.1]),
            );
        }
        state.tally.checked(Rule::Quota);
        if let Some(said) = lane.no_room(life.need(), &common, life.plan.class) {
            self.fail(Rule::Quota, format!("call {n} goes to p{}/{}: {said}", place.0, MODELS[place.1]));
        }
        lane.take(life.need());
        let slots = stands.get(&place).and_then(|stand| stand.slots).filter(|_| adaptive);
        if slots.is_some_and(|slots| lane.under_way > slots) {
            self.fail(Rule::Slots, format!("call {n}: {} under way of {slots:?}", lane.under_way));
        }
        if !budgets {
            self.counts(state, stands);
            self.in_turn(state, n, place, closed);
        }
    }

    /// What the gateway counts is what upstreams saw.
    pub(super) fn counts(&self, state: &mut State, stands: &BTreeMap<(usize, usize), LaneStand>) {
        let (common, now) = (state.common, Instant::now());
        for (place, stand) in stands {
            let Some(lane) = state.lanes.get_mut(place) else {
                if stand.under_way > 0 {
                    self.fail(
                        Rule::Count,
                        format!("p{}/{}: nobody was asked, and {stand:?}", place.0, MODELS[place.1]),
                    );
                }
                continue;
            };
            lane.flow(&common, now);
            state.tally.checked(Rule::Count);
            if let Some(said) = lane.differs(stand) {
                self.fail(Rule::Count, format!("p{}/{}: {said}", place.0, MODELS[place.1]));
            }
        }
    }

    /// Nobody waits at the same place whose turn comes before.
    fn in_turn(&self, state: &mut State, n: usize, place: (usize, usize), closed: &[(usize, usize)]) {
        let (now, common) = (Instant::now(), state.common);
        // where the queue is short, not everybody who has no room waits
        if common.pace.queue < 1_000 {
            return;
        }
        state.tally.checked(Rule::Turn);
        let life = &state.calls[n];
        let ailing = state.ailing.get(&place).copied();
        let waits = |other: &Life| {
            let until = (other.began + common.patience(other.plan.class))
                .min(other.until(&state.configs[other.config]));
            let config = &state.configs[other.config];
            let listed = matches!(other.plan.name, Name::Alias(_));
            other.over.is_none()
                && other.requests == 0
                && other.began + TICK <= now
                && now + TICK < until
                && other.fits(place.1)
                && config.paces(place.0, listed)
                && config.waits_at(other.plan.name).contains(&place)
                // whom a breaker held back does not wait there any more, but looks
                && ailing.is_none_or(|at| !listed || at < other.began)
                && (!listed || closed.contains(&place))
        };
        let before = |other: &Life| {
            let sooner = other.began + TICK <= life.began && life.requests == 0;
            let better =
                other.plan.class < life.plan.class || (other.plan.class == life.plan.class && sooner);
            better && other.need() <= life.need()
        };
        if let Some(at) = state.calls.iter().position(|other| before(other) && waits(other)) {
            self.fail(
                Rule::Turn,
                format!("call {n} goes to p{}/{} before call {at}", place.0, MODELS[place.1]),
            );
        }
    }

    /// Looks whether somebody waits for nothing.
    pub(super) fn look(&self) {
        let (stands, closed, now) = (self.stands(), self.closed(), Instant::now());
        let mut state = self.state.lock();
        let state = &mut *state;
        for place in stands.keys().filter(|place| !closed.contains(place)) {
            state.ailing.insert(*place, now);
        }
        if stands.values().all(|stand| stand.waiting == [0; 3]) {
            return;
        }
        if !state.configs.last().unwrap().budgets {
            self.counts(state, &stands);
        }
        if !state.configs.last().unwrap().budgets {
            self.waiting(state, &stands);
        }
        let need = state.calls.iter().filter(|life| life.over.is_none()).map(Life::need).max();
        let told = state.shared.is_none_or(|at| now >= at + LOOK * 2);
        for (place, stand) in &stands {
            let Some(lane) = state.lanes.get_mut(place) else { continue };
            let passed = stand.passed.iter().sum();
            if !lane.has_room(stand, need.unwrap_or(0), &state.common) {
                lane.free = None;
                continue;
            }
            // what was learned while they wait is seen at the next look
            let told = told && stand.learned.is_none() && closed.contains(place);
            let most = if told { PROMPT } else { LOOK + PROMPT };
            state.tally.checked(Rule::Forgotten);
            match lane.free.filter(|(_, before)| *before == passed) {
                None => lane.free = Some((now, passed)),
                Some((since, _)) if now > since + most => {
                    self.fail(Rule::Forgotten, format!("p{}/{}: {stand:?}", place.0, MODELS[place.1]));
                }
                Some(_) => {}
            }
        }
    }

    /// As many are counted to wait as wait: all who have one target to go to, and nobody who could not.
    fn waiting(&self, state: &mut State, stands: &BTreeMap<(usize, usize), LaneStand>) {
        let now = Instant::now();
        for (place, stand) in stands {
            let may = |life: &&Life| {
                let config = &state.configs[life.config];
                let listed = matches!(life.plan.name, Name::Alias(_));
                life.over.is_none()
                    && !life.under_way
                    && config.paces(place.0, listed)
                    && config.targets(life.plan.name).contains(place)
            };
            let must = |life: &&Life| {
                let config = &state.configs[life.config];
                let lighter = match life.plan.name {
                    Name::Alias(at) => config.aliases[at].lighter.is_some() || config.aliases[at].answer,
                    Name::Bare(_) => false,
                };
                may(life)
                    && life.began + TICK <= now
                    && life.requests == 0
                    && config.targets(life.plan.name).len() == 1
                    && !lighter
            };
            let counted = stand.waiting.iter().sum::<u32>() as usize;
            let (least, most) =
                (state.calls.iter().filter(must).count(), state.calls.iter().filter(may).count());
            let Some(lane) = state.lanes.get_mut(place) else { continue };
            // who is to go has not gone yet, maybe: it is looked at twice
            let odd = counted < least || counted > most;
            if std::mem::replace(&mut lane.odd, odd) && odd {
                let said = format!("p{}/{}: {counted} wait of {least} to {most}", place.0, MODELS[place.1]);
                self.fail(Rule::Count, said);
            }
        }
    }

    /// A request ended, and what its upstream said.
    pub(super) fn ends(&self, ticket: &Ticket, used: Option<u64>, status: Option<u16>) {
        // so that what is counted has flowed off until now
        drop(self.stands());
        let mut state = self.state.lock();
        let state = &mut *state;
        let (common, now) = (state.common, Instant::now());
        if let Some(lane) = ticket.lane.and_then(|place| state.lanes.get_mut(&place)) {
            lane.flow(&common, now);
            lane.end(ticket.need, used, status == Some(429), &common);
        }
        let life = &mut state.calls[ticket.call];
        life.under_way = false;
        life.final_said = status.filter(|status| matches!(status, 200..=404));
        tell(|| format!("{} call {}: its request ended: {status:?}, used {used:?}", self.at(), ticket.call));
    }

    /// Whether the upstream's own quota has room for so much.
    pub(super) fn takes(&self, (upstream, model): (usize, usize), need: u64) -> bool {
        let now = Instant::now();
        let upstream = &mut self.state.lock().upstreams[upstream];
        let Some(tpm) = upstream.truth.map(|tpm| tpm as f64) else { return true };
        let (used, at) = upstream.used.entry(model).or_insert((0.0, now));
        *used = (*used - now.duration_since(*at).as_secs_f64() * tpm / 60.0).max(0.0);
        *at = now;
        let takes = *used == 0.0 || *used + need as f64 <= tpm;
        if takes {
            *used += need as f64;
        }
        takes
    }
}

/// Who waits looks again after this at the latest; and is woken long before it when somebody makes room.
const LOOK: Duration = Duration::from_secs(1);
const PROMPT: Duration = Duration::from_millis(150);

impl State {
    /// Calls that left no record.
    pub(super) fn unsettled(&self) -> Vec<usize> {
        (0..self.calls.len()).filter(|n| self.calls[*n].settled != 1).collect()
    }
}
