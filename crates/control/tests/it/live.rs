//! The picture of the last calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_control::Live;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::Sink;
use bedplate_core::record::{Ending, Outcome};
use bedplate_testkit::ManualClock;

use crate::outcomes::{self, Dice};
use crate::rig::NOON;

fn live() -> (ManualClock, Arc<Live>) {
    let clock = ManualClock::at(NOON);
    (clock.clone(), Live::new(Arc::new(clock)))
}

fn settle(live: &Live, outcome: &Outcome) {
    live.begun();
    live.settle(&Arc::new(outcome.clone()));
}

#[test]
fn the_sums_are_those_of_the_calls() {
    let (clock, live) = live();
    let all = outcomes::busy(clock.now(), 4, 150, 21);
    all.iter().for_each(|o| settle(&live, o));
    let picture = live.picture();
    let window = picture.window(5).unwrap();
    assert_eq!(window.calls, all.len() as u64);
    let ended = |ending| all.iter().filter(|o| o.call.ending == ending).count() as u64;
    assert_eq!(window.answered, ended(Ending::Answered));
    assert_eq!(
        [window.refused, window.failed, window.cut, window.abandoned],
        [ended(Ending::Refused), ended(Ending::Failed), ended(Ending::Cut), ended(Ending::Abandoned)]
    );
    let nanos: i64 = all.iter().map(|o| o.call.cost.priced().0).sum();
    assert_eq!(window.cost.priced().0, nanos);
    assert!(!window.cost.is_known(), "a model without a price is among them");
    let known = all.iter().filter(|o| o.call.key.is_some()).count() as u64;
    assert_eq!(window.features.iter().map(|l| l.calls).sum::<u64>(), known);
    let reached = all.iter().filter(|o| !o.attempts.is_empty()).count() as u64;
    assert_eq!((window.models.iter().map(|l| l.calls).sum::<u64>(), window.total.count), (reached, reached));
    let coded = all.iter().filter(|o| o.call.code.is_some()).count() as u64;
    assert_eq!(window.codes.iter().map(|c| c.calls).sum::<u64>(), coded);
    assert_eq!(picture.minutes.iter().map(|m| m.calls).sum::<u64>(), all.len() as u64);

    let mut totals: Vec<u64> =
        all.iter().filter(|o| !o.attempts.is_empty()).map(|o| o.call.timings.total).collect();
    totals.sort_unstable();
    let exact = totals[totals.len() * 95 / 100];
    assert!(window.total.p95_us.unwrap().abs_diff(exact) * 20 <= exact, "{:?} {exact}", window.total);
}

#[test]
fn windows_roll() {
    let (clock, live) = live();
    settle(&live, &outcomes::call(clock.now(), &Dice::new(1)));
    let calls = |minutes| live.picture().window(minutes).unwrap().calls;
    assert_eq!([1, 5, 60].map(calls), [1, 1, 1]);
    clock.advance(Duration::from_secs(80));
    assert_eq!([1, 5, 60].map(calls), [0, 1, 1]);
    clock.advance(Duration::from_secs(300));
    assert_eq!([1, 5, 60].map(calls), [0, 0, 1]);
    clock.advance(Duration::from_secs(3_600));
    assert_eq!([1, 5, 60].map(calls), [0, 0, 0]);
    assert_eq!(live.recent(10).len(), 1, "the last calls stay, however old");
    settle(&live, &outcomes::call(clock.now(), &Dice::new(2)));
    assert_eq!([1, 5, 60].map(calls), [1, 1, 1], "old slots are used again");
}

#[test]
fn the_last_calls_stand_newest_first_and_are_bounded() {
    let (clock, live) = live();
    let all = outcomes::busy(clock.now(), 4, 150, 2);
    all.iter().rev().for_each(|o| settle(&live, o));
    let recent = live.recent(usize::MAX);
    assert_eq!(recent.len(), 200);
    let ended = |o: &Outcome| o.call.admitted_at.0 + i64::try_from(o.call.timings.total).unwrap();
    assert!(recent.windows(2).all(|w| ended(&w[0]) >= ended(&w[1])));
    assert_eq!(ended(&recent[0]), all.iter().map(ended).max().unwrap());
}

#[test]
fn made_up_names_take_no_memory() {
    let (clock, live) = live();
    let dice = Dice::new(3);
    for n in 0..500 {
        let name = format!("{n:0>300}");
        settle(&live, &outcomes::answered(clock.now(), &format!("t{n}"), "f", &name, 1_000, &dice));
        let mut refused = outcomes::call(clock.now(), &dice);
        outcomes::refuse(&mut refused, bedplate_core::refusal::Code::BadSignature, 403);
        refused.call.model = format!("made-up-{n}");
        settle(&live, &refused);
    }
    let picture = live.picture();
    let window = picture.window(60).unwrap();
    assert!(window.models.len() <= 65 && window.features.len() <= 65);
    assert!(window.models.iter().all(|l| !l.name.contains("made-up") && l.name.len() <= 200));
    assert_eq!(window.features.iter().map(|l| l.calls).sum::<u64>(), 500, "none is lost");
    assert!(window.features.iter().any(|l| l.name == "(others)"));
}

#[test]
fn what_finds_no_room_is_counted_and_nothing_waits() {
    let (clock, live) = live();
    let outcome = Arc::new(outcomes::call(clock.now(), &Dice::new(1)));
    for _ in 0..100_000 {
        live.begun();
        live.settle(&outcome);
    }
    let picture = live.picture();
    let seen = picture.window(1).unwrap().calls;
    assert!((1..100_000).contains(&seen));
    assert_eq!(seen + picture.missed, 100_000);
    assert_eq!(picture.in_flight, 0);
}

#[test]
fn calls_in_flight_are_counted_over_threads() {
    let (clock, live) = live();
    let outcome = Arc::new(outcomes::call(clock.now(), &Dice::new(1)));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..100).for_each(|_| live.begun()));
        }
    });
    assert_eq!(live.picture().in_flight, 800);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..199).for_each(|_| live.settle(&outcome)));
        }
    });
    assert_eq!(live.picture().in_flight, 4);
    assert_eq!(live.picture().window(1).unwrap().calls, 796);
}

#[test]
fn a_clock_that_was_set_back_loses_nothing() {
    let (clock, live) = live();
    let ahead = Timestamp(clock.now().0 + 30 * 60_000_000);
    settle(&live, &outcomes::call(ahead, &Dice::new(1)));
    assert_eq!(live.picture().window(1).unwrap().calls, 1);
}

/// Not a benchmark: catches a settle that began to do the adding up itself.
#[test]
#[expect(clippy::disallowed_methods, reason = "measures")]
fn settling_is_cheap() {
    let (clock, live) = live();
    let outcome = Arc::new(outcomes::call(clock.now(), &Dice::new(1)));
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        for _ in 0..2_000 {
            live.begun();
            live.settle(&outcome);
        }
        best = best.min(began.elapsed());
        live.gather();
    }
    let each = best.as_nanos() / 2_000;
    println!("{each} ns for begun and settle, debug build");
    assert!(each < 3_000, "{each} ns");
}
