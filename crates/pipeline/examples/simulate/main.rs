//! Budgets under everything that may happen to them: `scripts/simulate`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test with a command line"
)]

mod budgets;
mod client;
mod dice;
mod model;
mod node;
mod outcome;
mod schedule;
mod tally;
mod wire;
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use bedplate_core::clock::SystemClock;
use schedule::Schedule;
use tally::Tally;
use tokio::task::LocalSet;

const USAGE: &str = "simulate [--from SEED] [--seeds N] [--within SECONDS] [--smallest 0]";

fn main() -> ExitCode {
    let Some(Wish { from, seeds, within, minimise }) = Wish::read() else {
        eprintln!("usage: {USAGE}");
        return ExitCode::from(2);
    };
    std::panic::set_hook(Box::new(|panic| PANICKED.set(Some(panic.to_string()))));
    let clock = SystemClock::shared();
    let began = clock.tick();
    let mut tally = Tally::default();
    for seed in from..from + seeds {
        if clock.tick().since(began).as_secs() >= within {
            break;
        }
        if seed % CLIENTS == 0
            && let Err(said) = attempt(|| client::run(seed))
        {
            println!("simulation: seed {seed} FAILED: a client alone: {said}");
            return ExitCode::FAILURE;
        }
        match attempt(|| world::run(&Schedule::new(seed))) {
            Ok(run) => tally.add(&Tally { runs: 1, ..run }),
            Err(said) => {
                println!("simulation: seed {seed} FAILED: {said}");
                if minimise {
                    print(&smallest(Schedule::new(seed)));
                }
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = clock.tick().since(began).as_secs_f64();
    println!("simulation: {} schedules: ok, {:.0} a second", tally.runs, tally.runs as f64 / seconds);
    println!("{tally}");
    ExitCode::SUCCESS
}

/// One in so many seeds is also that of a client alone.
const CLIENTS: u64 = 10;

/// Runs on a clock that stands still unless everybody waits.
fn runtime<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, run)
}

struct Wish {
    from: u64,
    seeds: u64,
    within: u64,
    /// Whether a schedule that fails is brought into its smallest form.
    minimise: bool,
}

impl Wish {
    fn read() -> Option<Self> {
        let mut wish = Self { from: 0, seeds: 10_000, within: u64::MAX, minimise: true };
        let mut said = std::env::args().skip(1);
        while let Some(name) = said.next() {
            let number = said.next()?.parse().ok()?;
            match name.as_str() {
                "--from" => wish.from = number,
                "--seeds" => wish.seeds = number,
                "--within" => wish.within = number,
                "--smallest" => wish.minimise = number != 0,
                _ => return None,
            }
        }
        Some(wish)
    }
}

thread_local! {
    /// Whether a run tells what happens in it.
    static TELLS: Cell<bool> = const { Cell::new(false) };
    /// What a task of the run under way panicked with.
    static PANICKED: Cell<Option<String>> = const { Cell::new(None) };
}

fn attempt<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let ran = catch_unwind(AssertUnwindSafe(run));
    match PANICKED.take() {
        Some(panic) => Err(panic),
        None => ran.unwrap_or_else(|_| Err("panicked".into())),
    }
}

/// What happens, when it is a run that failed before.
fn tell(what: impl FnOnce() -> String) {
    if TELLS.get() {
        println!("{}", what());
    }
}

/// Takes out what is not needed for it to fail: halves first, single events last.
fn smallest(mut schedule: Schedule) -> Schedule {
    let mut size = schedule.events.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < schedule.events.len() {
            let mut less = schedule.clone();
            less.events.drain(at..(at + size).min(less.events.len()));
            if attempt(|| world::run(&less)).is_err() {
                schedule = less;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    schedule
}

fn print(schedule: &Schedule) {
    println!(
        "the smallest part of it that fails, {} nodes, {} s before midnight:",
        schedule.nodes, schedule.before_midnight
    );
    for config in &schedule.configs {
        println!("{config}");
    }
    for (at, event) in &schedule.events {
        println!("{at:>8} ms  {event:?}");
    }
    println!();
    TELLS.set(true);
    println!("{}", attempt(|| world::run(schedule)).unwrap_err());
}
