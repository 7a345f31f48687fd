//! What rates in memory cost a call: `cargo run --release -p bedplate-store --example rate_speed`.
//!
//! All counts of a call are taken at once, and its tokens corrected afterwards, on one thread.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::ids::SystemIds;
use bedplate_core::rate::{Correction, CountId, Draw, HIGHEST, Kind, Rates, Taking};
use bedplate_seal::MasterKey;
use bedplate_store::{HotConfig, Means, Room};

const CALLS: u32 = 300_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (ids, clock) = (SystemIds::shared(), SystemClock::shared());
    let means = Means {
        room: Room { bytes: 1, entries: 1 },
        deadline: Duration::from_secs(1),
        master: &MasterKey::generate(&*ids),
        ids,
        clock: Arc::clone(&clock),
        runtime: runtime.handle(),
    };
    let rates = HotConfig::Memory.open(means).unwrap().rates;
    println!("throttles that concern a call   ns a call");
    for throttles in [1, 2, 3, 6] {
        println!("{throttles:>29}   {:>9}", measure(&*rates, &*clock, throttles));
    }
}

/// Each throttle counts requests and tokens.
fn measure(rates: &dyn Rates, clock: &dyn Clock, throttles: usize) -> u128 {
    let draw = |n: usize, kind| Draw {
        count: CountId { throttle: format!("t{n}[each key]").into(), of: "key=key_a".into(), kind },
        limit: HIGHEST,
        amount: if kind == Kind::Tokens { 900 } else { 1 },
    };
    let draws: Vec<Draw> =
        (0..throttles).flat_map(|n| [draw(n, Kind::Requests), draw(n, Kind::Tokens)]).collect();
    let began = clock.tick();
    for _ in 0..CALLS {
        let Taking::Now(taken) = rates.take(&draws) else { return 0 };
        let tokens = draws.iter().filter(|draw| draw.count.kind == Kind::Tokens);
        let correction =
            |draw: &Draw| Correction { count: draw.count.clone(), limit: draw.limit, more: -600 };
        rates.settle(taken.from, tokens.map(correction).collect());
    }
    clock.tick().since(began).as_nanos() / u128::from(CALLS)
}
