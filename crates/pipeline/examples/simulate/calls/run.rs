//! One schedule, from the first call until everything is quiet, and after.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::pace::Class;
use bedplate_core::route::Standing;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::config::{self, MODELS};
use super::house::House;
use super::plan::{Caller, Cue, Event, Name, Plan, Schedule};
use super::rule::{Broken, Rule};
use super::tally::Tally;
use super::world::{PLACES, World};
use crate::trace::tell;

pub(super) fn run(schedule: &Schedule) -> Result<Tally, Broken> {
    crate::runtime(async {
        let world = World::new(schedule);
        let house = House::new(&world, &schedule.config, schedule.seed);
        events(schedule, &house).await?;
        ends(&house).await?;
        rest(&house).await?;
        let tally = std::mem::take(&mut world.state.lock().tally);
        world.checked().map(|()| tally)
    })
}

/// Everything that happens, until all callers are gone.
async fn events(schedule: &Schedule, house: &Rc<House>) -> Result<(), Broken> {
    let (world, began) = (&house.world, Instant::now());
    let mut callers = JoinSet::new();
    let watch = Rc::clone(house);
    let watching = tokio::task::spawn_local(async move {
        loop {
            sleep(LOOKS).await;
            watch.world.look();
        }
    });
    for (at, event) in &schedule.events {
        sleep_until(began + Duration::from_millis(*at)).await;
        world.checked()?;
        world.state.lock().tally.event(event);
        match event {
            Event::Call(plan) => {
                let (house, plan) = (Rc::clone(house), plan.clone());
                callers.spawn_local(async move { house.call(plan).await });
                continue;
            }
            Event::Outage(upstream, cue) => world.state.lock().upstreams[*upstream].cue = *cue,
            Event::Truth(upstream, truth) => world.state.lock().upstreams[*upstream].truth = *truth,
            Event::Reload(config) => house.configure(config),
            Event::Nodes(nodes) => house.shared_by(*nodes),
        }
        tell(|| format!("{} {event:?}", world.at()));
    }
    while callers.join_next().await.is_some() {
        world.checked()?;
    }
    watching.abort();
    world.checked()
}

const LOOKS: Duration = Duration::from_millis(50);

/// What goes on without callers ends, too, and leaves nothing.
async fn ends(house: &House) -> Result<(), Broken> {
    let world = &house.world;
    // streams are read on for as long as they may, and no longer
    sleep(Duration::from_secs(25)).await;
    world.checked()?;
    let (stands, mut state) = (world.stands(), world.state.lock());
    let state = &mut *state;
    state.tally.checked(Rule::Leak);
    let open = house.books.open.load(Ordering::Relaxed);
    if open != 0 || state.places != PLACES {
        world.fail(Rule::Leak, format!("{open} records are open, {} places of {PLACES}", state.places));
    }
    for (place, stand) in &stands {
        if stand.under_way > 0 || stand.waiting != [0; 3] {
            world.fail(Rule::Leak, format!("p{}/{}: {stand:?}", place.0, MODELS[place.1]));
        }
    }
    world.counts(state, &stands);
    let held =
        house.books.purses.iter().flat_map(|purses| purses.stands()).map(|(.., held)| held).sum::<i64>();
    if held != 0 {
        world.fail(Rule::Leak, format!("{held} nano-dollars are held"));
    }
    if let Some(n) = state.unsettled().first() {
        world.fail(Rule::Once, format!("call {n} is not settled"));
    }
    world.checked()
}

/// Upstreams are well again, and nobody calls for a while: then every name is answered, and every target comes back.
async fn rest(house: &House) -> Result<(), Broken> {
    let world = &house.world;
    for upstream in &mut world.state.lock().upstreams {
        (upstream.cue, upstream.truth) = (None, None);
    }
    house.shared_by(1);
    sleep(Duration::from_secs(3_600)).await;
    let aliases = world.state.lock().configs.last().unwrap().aliases.clone();
    for (at, alias) in aliases.iter().enumerate() {
        for _ in 0..2 {
            let before = house.answered.get();
            house.call(quiet(Name::Alias(at))).await;
            world.state.lock().tally.checked(Rule::Rest);
            if house.answered.get() == before {
                world.fail(Rule::Rest, format!("{} is not answered", config::alias(at)));
            }
            sleep(Duration::from_secs(120)).await;
        }
        let [(upstream, model, _)] = alias.targets[..] else { continue };
        let standing = world.health.standings(bedplate_core::clock::Clock::tick(&*world.clock));
        let found = standing
            .iter()
            .find(|one| *one.provider == *config::upstream(upstream) && *one.model == *MODELS[model]);
        world.state.lock().tally.checked(Rule::Probe);
        if found.is_none_or(|one| !matches!(one.standing, Standing::Closed | Standing::Returning)) {
            world.fail(Rule::Probe, format!("p{upstream}/{}: {found:?}", MODELS[model]));
        }
    }
    world.checked()?;
    let open: Vec<_> = world.stands().into_iter().filter(|(_, stand)| stand.under_way > 0).collect();
    if !open.is_empty() {
        world.fail(Rule::Leak, format!("{open:?}"));
    }
    world.checked()
}

/// A call that nothing is wrong with.
pub(super) fn quiet(name: Name) -> Plan {
    Plan {
        name,
        class: Class::Interactive,
        streams: false,
        prompt: 20,
        cached: 0,
        most: 20,
        writes: 10,
        foreign: false,
        deadline: None,
        caller: Caller::Stays,
        cues: vec![Cue::Well(20)],
    }
}
