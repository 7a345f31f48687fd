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

use bedplate_control::budgets::Treasurer;
use bedplate_control::keys::Keymaker;
use bedplate_control::{CacheDesk, Health, Live, Part, Parts, Readiness, Server};
use bedplate_core::budget::{Account, Charge, Draw, NodeId, Window};
use bedplate_core::clock::{Clock, SystemClock, Timestamp};
use bedplate_core::ids::SystemIds;
use bedplate_core::ports::{Budgets, Calls, Sink};
use bedplate_core::secret::Secret;
use bedplate_cost::budget::BudgetConfig;
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
        models: Arc::new(Vec::new),
        limits: Arc::new(|| Box::pin(std::future::ready(bedplate_core::pace::LimitStands::default()))),
        cache: CacheDesk {
            cache: Arc::new(bedplate_testkit::MemoryCache::new(Arc::clone(&clock))),
            tally: Arc::default(),
        },
        treasurer: treasurer(&ledger, &clock).await,
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

/// Three budgets, one of them with accounts.
async fn treasurer(ledger: &Arc<memory::Memory>, clock: &Arc<dyn Clock>) -> Arc<Treasurer> {
    let configs: Vec<BudgetConfig> = [
        r#"{"name":"support","limit":"250 USD","scope":{"team":"support"}}"#,
        r#"{"name":"each-key","limit":"10 USD","scope":{"key":"*"},"period":"day"}"#,
        r#"{"name":"search-tokens","limit":"50000000 tokens","scope":{"team":"search"},"kind":"soft","period":"rolling 24h"}"#,
    ]
    .map(|json| serde_json::from_str(json).unwrap())
    .into();
    let now = clock.now();
    for (at, of, granted, settled, lives) in [
        (0, "", 171_300_000_000, 168_870_000_000, true),
        (0, "", 9_000_000_000, 5_000_000_000, false),
        (1, "key=key_4f1c", 9_950_000_000, 9_930_000_000, true),
        (1, "key=key_9ab2", 2_100_000_000, 2_000_000_000, true),
        (2, "", 43_000_000, 42_118_220, true),
    ] {
        let budget = configs[at].build().unwrap();
        let account = Account { budget: budget.id.clone(), of: of.into() };
        let window = Window { account, starts: budget.period.part(now).starts };
        let node = NodeId(format!("node-{granted}").into());
        let lease_until = if lives { now.plus(Duration::from_secs(3_600)) } else { now };
        let draw = Draw {
            window: window.clone(),
            counts_from: window.starts,
            limit: i64::MAX / 2,
            need: granted,
            want: granted,
            share: 1,
            node: node.clone(),
            lease_until,
        };
        ledger.draw(&draw, now).await.unwrap();
        let mut outcome = outcomes::call(now, &outcomes::Dice::new(u64::try_from(granted).unwrap()));
        outcome.call.charges = vec![Charge { window, node, amount: settled }];
        ledger.append(&[Arc::new(outcome)]).await.unwrap();
    }
    let configured = Arc::new(move || configs.clone());
    Arc::new(Treasurer { ledger: ledger.clone(), clock: Arc::clone(clock), configured })
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
