//! Budgets under everything that may happen to them: `scripts/simulate`. README.md, beside this, says how to read it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test with a command line"
)]

mod budgets;
mod calls;
mod client;
mod dice;
mod model;
mod node;
mod outcome;
mod rule;
mod schedule;
mod tally;
mod trace;
mod wire;
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use bedplate_core::clock::SystemClock;
use rule::{Broken, Rule};
use schedule::Schedule;
use tally::Tally;
use tokio::task::LocalSet;

const USAGE: &str = "simulate [calls] [N] [--seed S] [--trace] [--brief]";

fn main() -> ExitCode {
    let Some(wish) = Wish::read() else {
        eprintln!("usage: {USAGE}");
        return ExitCode::from(2);
    };
    std::panic::set_hook(Box::new(|panic| PANICKED.set(Some(panic.to_string()))));
    if wish.calls { calls::simulate(&wish) } else { budgets(&wish) }
}

fn budgets(wish: &Wish) -> ExitCode {
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
                println!("again, told line by line: scripts/simulate 1 --seed {seed} --trace");
                if !wish.brief && broken.rule != Rule::Client {
                    smallest(Schedule::new(seed));
                }
                return ExitCode::FAILURE;
            }
        }
        let done = seed - wish.from + 1;
        if done.is_multiple_of(PROGRESS) && !wish.brief {
            eprintln!("simulation: {done} of {}, {:.0} a second", wish.seeds, pace(done));
        }
    }
    let Wish { from, seeds, .. } = wish;
    println!("simulation: {seeds} schedules from seed {from}: ok, {:.0} a second", pace(*seeds));
    if !wish.brief {
        println!("{tally}");
    }
    ExitCode::SUCCESS
}

const PROGRESS: u64 = 1_000;
/// One in so many seeds is also that of a client alone.
const CLIENTS: u64 = 10;
/// One in so many is run twice more, and what is told must be the same.
const TWICE: u64 = 50;

/// All that belongs to a seed.
fn schedule(seed: u64) -> Result<Tally, Broken> {
    let mut tally = Tally::default();
    let schedule = Schedule::new(seed);
    tally.add(&attempt(|| world::run(&schedule))?);
    if seed.is_multiple_of(CLIENTS) {
        attempt(|| client::run(seed).map_err(|said| Rule::Client.broken(said)))?;
        tally.checked(Rule::Client);
    }
    if seed.is_multiple_of(TWICE) {
        let [one, other] = [0, 1].map(|_| trace::told(|| attempt(|| world::run(&schedule)).is_ok()));
        tally.checked(Rule::Same);
        if one != other {
            let differ = one.1.lines().zip(other.1.lines()).find(|(one, other)| one != other);
            return Err(Rule::Same.broken(format!("{differ:?}")));
        }
    }
    tally.checked(Rule::Sound);
    Ok(tally)
}

/// Runs on a clock that stands still unless everybody waits.
fn runtime<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, run)
}

struct Wish {
    /// Of calls, and not of budgets.
    calls: bool,
    seeds: u64,
    from: u64,
    /// Tells what happens.
    trace: bool,
    /// One line, and no smallest form of a schedule that fails.
    brief: bool,
}

impl Wish {
    fn read() -> Option<Self> {
        let mut wish = Self { calls: false, seeds: 10_000, from: 0, trace: false, brief: false };
        let mut said = std::env::args().skip(1);
        while let Some(word) = said.next() {
            match word.as_str() {
                "calls" => wish.calls = true,
                "--seed" => wish.from = said.next()?.parse().ok()?,
                "--trace" => wish.trace = true,
                "--brief" => wish.brief = true,
                seeds => wish.seeds = seeds.parse().ok().filter(|n| *n > 0)?,
            }
        }
        Some(wish)
    }
}

thread_local! {
    /// What a task of the run under way panicked with.
    static PANICKED: Cell<Option<String>> = const { Cell::new(None) };
}

/// Runs it; or what it panicked with, or one of its tasks.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let ran = catch_unwind(AssertUnwindSafe(run));
    PANICKED.take().map_or(Ok(()), Err)?;
    ran.map_err(|_| "panicked".into())
}

fn attempt<T>(run: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    caught(run).unwrap_or_else(|panic| Err(Rule::Sound.broken(panic)))
}

/// Takes out what is not needed for it to fail, halves first, single events last; and shows what is left.
fn smallest(mut schedule: Schedule) {
    let fails = |schedule: &Schedule| attempt(|| world::run(schedule)).err();
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
    println!("\nthe smallest part of it that fails:");
    if let Some(broken) = trace::shown(|| fails(&schedule)) {
        println!("{broken}");
    }
}
