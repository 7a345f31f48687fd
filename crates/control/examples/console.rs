//! The console with made-up calls, to look at: `cargo run -p bedplate-control --example console`.
//!
//! Prints the address and the admin key, makes calls for ten minutes and ends.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "an example")]

#[path = "../tests/it/memory.rs"]
mod memory;
#[path = "../tests/it/outcomes.rs"]
mod outcomes;

use std::sync::Arc;
use std::time::Duration;

use bedplate_control::keys::Keymaker;
use bedplate_control::{CacheDesk, Health, Live, Part, Parts, Readiness, Server};
use bedplate_core::clock::{Clock, SystemClock, Timestamp};
use bedplate_core::ids::SystemIds;
use bedplate_core::ports::{Calls, Sink};
use bedplate_core::secret::Secret;
use bedplate_seal::MasterKey;

const KEY: &str = "made-up-admin-key-of-the-example";

struct Fine(Timestamp);

impl Health for Fine {
    fn ready(&self) -> Readiness {
        let parts = vec![
            Part::ok("ledger").with("pending", 3).with("places", 65_536),
            Part::ok("credentials use1"),
            Part::failing("credentials usw2", Some(self.0), "the role cannot be assumed: AccessDenied")
                .spare(),
            Part::ok("admission"),
        ];
        Readiness { parts }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let clock = SystemClock::shared();
    let ids = SystemIds::shared();
    let ledger = Arc::new(memory::Memory::default());
    *ledger.rolled_up.lock().unwrap() = Some(outcomes::totals(clock.now(), 7));
    // the past is made up before the listener starts to count the present
    let live = Live::new(Arc::new(Yesterday(Arc::clone(&clock))));
    for outcome in outcomes::busy(clock.now(), 58, 260, 42) {
        live.settle(&Arc::new(outcome));
        live.gather();
    }
    let parts = Parts {
        ledger: ledger.clone(),
        keymaker: Arc::new(Keymaker {
            ledger: ledger.clone(),
            master: Arc::new(MasterKey::generate(&*ids)),
            ids,
            clock: Arc::clone(&clock),
        }),
        admin_key: Secret::new(KEY),
        health: Arc::new(Fine(clock.now().minus(Duration::from_secs(400)))),
        metrics: Arc::new(|| "# made up\n".into()),
        live: Arc::clone(&live),
        cache: CacheDesk {
            cache: Arc::new(bedplate_testkit::MemoryCache::new(Arc::clone(&clock))),
            tally: Arc::default(),
        },
        clock: Arc::clone(&clock),
        version: env!("CARGO_PKG_VERSION"),
    };
    let port = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(0);
    let server = Server::start(([127, 0, 0, 1], port).into(), None, parts).await.unwrap();
    println!("http://{} {KEY}", server.addr());
    let dice = outcomes::Dice::new(1);
    for _ in 0..2_400 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let outcome = outcomes::call(clock.now(), &dice);
        ledger.append(&[Arc::new(outcome.clone())]).await.unwrap();
        live.begun();
        live.settle(&Arc::new(outcome));
    }
    server.stop().await;
}

/// A clock that makes the process look three hours old.
struct Yesterday(Arc<dyn Clock>);

impl Clock for Yesterday {
    fn now(&self) -> Timestamp {
        static FIRST: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
        let first = FIRST.swap(false, std::sync::atomic::Ordering::SeqCst);
        self.0.now().minus(Duration::from_secs(if first { 3 * 3_600 } else { 0 }))
    }

    fn tick(&self) -> bedplate_core::clock::Tick {
        self.0.tick()
    }
}
