//! Everything is down for long: how often upstreams are asked.

use std::rc::Rc;
use std::time::Duration;

use bedplate_core::pace::Class;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::config::Config;
use super::house::House;
use super::plan::{Cue, Name, Schedule};
use super::rule::{Broken, Rule};
use super::run::quiet;
use super::tally::Tally;
use super::world::World;
use crate::dice::Dice;

/// Retries are paid out of what was saved in good times: a hundred at most, of each alias. So the outage is long.
const CALLS: u64 = 2_500;
/// Requests for a hundred calls.
const MOST: u64 = 110;

pub(super) fn run(seed: u64) -> Result<Tally, Broken> {
    let dice = Dice::new(seed ^ 0x0007_a6e5);
    let config = config(&dice);
    let cue = *dice.pick(&[Cue::Refuses, Cue::Error(503, 5), Cue::Error(429, 5), Cue::Loses(200)]);
    let schedule = Schedule {
        seed,
        truth: vec![None; config.upstreams.len()],
        config: config.clone(),
        events: Vec::new(),
    };
    crate::runtime(async {
        let world = World::new(&schedule);
        let house = House::new(&world, &config, seed);
        world.state.lock().upstreams.iter_mut().for_each(|upstream| upstream.cue = Some(cue));
        let mut callers = JoinSet::new();
        for _ in 0..CALLS {
            let house = Rc::clone(&house);
            let mut plan = quiet(Name::Alias(0));
            plan.class = *dice.pick(&Class::ALL);
            callers.spawn_local(async move { house.call(plan).await });
            sleep(Duration::from_millis(dice.within(0..400))).await;
        }
        while callers.join_next().await.is_some() {}
        let mut state = world.state.lock();
        let requests: u64 = state.calls.iter().map(|life| u64::from(life.requests)).sum();
        state.tally.checked(Rule::Storm);
        state.tally.happened("outages of a quarter of an hour");
        if requests * 100 > CALLS * MOST {
            world.fail(Rule::Storm, format!("{cue:?}: {requests} requests for {CALLS} calls"));
        }
        let tally = std::mem::take(&mut state.tally);
        world.checked().map(|()| tally)
    })
}

/// Without queues, and with breakers: what is asked is what is wanted.
fn config(dice: &Dice) -> Config {
    let mut config = Config::new(dice);
    config.upstreams.iter_mut().for_each(|limits| *limits = None);
    config.aliases.truncate(1);
    config.breaker.failures = *dice.pick(&[2, 5]);
    config.pace.adaptive = false;
    config.budgets = false;
    config
}
