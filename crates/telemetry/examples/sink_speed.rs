//! `cargo run --release -p bedplate-telemetry --example sink_speed`: what a settled call costs the thread that served it, for each sink, while the sink's own thread
//! works beside it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a measurement"
)]

#[path = "../tests/it/collector.rs"]
mod collector;
#[path = "../tests/it/outcomes.rs"]
mod outcomes;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::SystemClock;
use bedplate_core::ids::SystemIds;
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use bedplate_telemetry::call_log::Calls;
use bedplate_telemetry::emf::EmfTo;
use bedplate_telemetry::{Config, Telemetry};

use collector::Collector;
use outcomes::answered;

const CALLS: u32 = 200_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::http();
    let mut config = Config::default();
    config.log.calls = Calls::File(folder.path().join("calls.log"));
    config.log.queue = 4 * CALLS as usize;
    config.log.invocation.folder = Some(folder.path().join("invocations"));
    config.emf.to = EmfTo::File(folder.path().join("emf.log"));
    config.emf.queue = 4 * CALLS as usize;
    config.traces.endpoint = Some(format!("http://{}", collector.address));
    config.traces.queue = 4 * CALLS as usize;
    let telemetry = config.build("0.1.0", &SystemClock::shared(), &SystemIds::shared()).unwrap();

    // many models and teams, so that no single row stays in the first-level cache
    let outcomes: Vec<_> = (0..256)
        .map(|n| {
            let mut outcome = answered();
            outcome.call.model = format!("us.amazon.nova-lite-v{}:0", n % 8);
            outcome.call.team = format!("team-{}", n % 4).into();
            Arc::new(outcome)
        })
        .collect();
    for (name, sink) in sinks(&telemetry) {
        println!("{name:>16} {:>6.0} ns", nanos(&outcomes, &*sink));
    }
    let all = telemetry.sinks();
    let began = all.iter().map(|sink| nanos(&outcomes, &**sink)).sum::<f64>();
    println!("{:>16} {began:>6.0} ns", "all");
    println!(
        "dropped: {:?}",
        telemetry.metrics.render().lines().filter(|l| l.contains("dropped_total")).collect::<Vec<_>>()
    );
    telemetry.close(Duration::from_secs(5));
}

fn sinks(telemetry: &Telemetry) -> Vec<(&'static str, Arc<dyn Sink>)> {
    ["metrics", "call log", "invocation log", "emf", "traces"].into_iter().zip(telemetry.sinks()).collect()
}

/// Nanoseconds for one call, at a pace of a burst every millisecond.
fn nanos(outcomes: &[Arc<Outcome>], sink: &dyn Sink) -> f64 {
    let clock = SystemClock::shared();
    let mut spent = Duration::ZERO;
    let bursts = CALLS / 256;
    for _ in 0..bursts {
        let began = clock.tick();
        for outcome in outcomes {
            black_box(sink).begun();
            black_box(sink).settle(black_box(outcome));
        }
        spent += clock.tick().since(began);
        std::thread::sleep(Duration::from_millis(1));
    }
    spent.as_secs_f64() * 1e9 / f64::from(bursts * 256)
}
