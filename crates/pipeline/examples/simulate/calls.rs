//! Calls under everything that may happen to them: `scripts/simulate calls`.

mod config;
mod house;
mod intake;
mod lane;
mod outage;
mod plan;
mod rule;
mod run;
mod tally;
mod upstream;
mod world;

use std::process::ExitCode;

use bedplate_core::clock::SystemClock;
use plan::Schedule;
use rule::{Broken, Rule};
use tally::Tally;

use crate::{PROGRESS, TWICE, Wish, caught, trace};

/// One in so many seeds is also that of a long outage.
const OUTAGES: u64 = 40;

pub(crate) fn simulate(wish: &Wish) -> ExitCode {
    let clock = SystemClock::shared();
    let began = clock.tick();
    let pace = |runs: u64| runs as f64 / clock.tick().since(began).as_secs_f64();
    let mut tally = Tally::default();
    for seed in wish.from..wish.from + wish.seeds {
        let run = if wish.trace { trace::shown(|| schedule(seed)) } else { schedule(seed) };
        match run {
            Ok(run) => tally.add(&run),
            Err(broken) => {
                println!("simulation: seed {seed} FAILED: {broken}");
                println!("the rule: {}", broken.rule.says());
                println!("again, told line by line: scripts/simulate calls 1 --seed {seed} --trace");
                if !wish.brief && broken.rule != Rule::Storm {
                    smallest(Schedule::new(seed));
                }
                return ExitCode::FAILURE;
            }
        }
        let done = seed - wish.from + 1;
        if done.is_multiple_of(PROGRESS) && !wish.brief {
            eprintln!("simulation of calls: {done} of {}, {:.0} a second", wish.seeds, pace(done));
        }
    }
    let Wish { from, seeds, .. } = wish;
    println!("simulation of calls: {seeds} schedules from seed {from}: ok, {:.0} a second", pace(*seeds));
    if !wish.brief {
        println!("{tally}");
    }
    ExitCode::SUCCESS
}

fn attempt<T>(run: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    caught(run).unwrap_or_else(|panic| Err(Rule::Sound.broken(panic)))
}

/// All that belongs to a seed.
fn schedule(seed: u64) -> Result<Tally, Broken> {
    let schedule = Schedule::new(seed);
    let mut tally = attempt(|| run::run(&schedule))?;
    if seed.is_multiple_of(OUTAGES) {
        tally.add(&attempt(|| outage::run(seed))?);
    }
    if seed.is_multiple_of(TWICE) {
        let [one, other] = [0, 1].map(|_| trace::told(|| attempt(|| run::run(&schedule)).is_ok()));
        tally.checked(Rule::Same);
        if one != other {
            let differ = one.1.lines().zip(other.1.lines()).find(|(one, other)| one != other);
            return Err(Rule::Same.broken(format!("{differ:?}")));
        }
    }
    tally.checked(Rule::Sound);
    Ok(tally)
}

/// Takes out what is not needed for it to fail, halves first, single events last; and shows what is left.
fn smallest(mut schedule: Schedule) {
    let fails = |schedule: &Schedule| attempt(|| run::run(schedule)).err();
    if fails(&schedule).is_none() {
        return;
    }
    let mut size = schedule.events.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < schedule.events.len() {
            let mut less = schedule.clone();
            less.events.drain(at..(at + size).min(less.events.len()));
            if fails(&less).is_some() {
                schedule = less;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    println!("\nthe smallest part of it that fails, with {:?}:", schedule.config);
    if let Some(broken) = trace::shown(|| fails(&schedule)) {
        println!("{broken}");
    }
}
