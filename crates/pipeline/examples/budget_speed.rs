//! What budgets cost a call: `cargo run --release -p bedplate-pipeline --example budget_speed`.
//!
//! A hold in every budget that concerns the call, and its settlement, on one thread; the ledger is in memory and asked
//! once in a while, as in service.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::NodeId;
use bedplate_core::clock::SystemClock;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::Budgets;
use bedplate_cost::Worst;
use bedplate_cost::budget::{BudgetConfig, Who, all};
use bedplate_pipeline::budget::{Index, Likely, Need, Purses, Spent, Terms};
use bedplate_testkit::MemoryLedger;

const CALLS: u32 = 300_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    println!("budgets in force   that concern a call   ns a call");
    for concern in [0, 1, 3] {
        for count in [10, 1_000, 100_000] {
            let ns = runtime.block_on(measure(count, concern));
            println!("{count:>16}   {concern:>19}   {ns:>9}");
        }
    }
}

async fn measure(count: usize, concern: usize) -> u128 {
    let clock = SystemClock::shared();
    let terms = Terms {
        lease: Duration::from_secs(60),
        wait: Duration::from_secs(1),
        deadline: Duration::from_secs(2),
    };
    let ledger = Arc::new(MemoryLedger::default()) as Arc<dyn Budgets>;
    let purses = Purses::new(ledger, Arc::clone(&clock), NodeId("node".into()), terms);
    purses.set(Index::new(all(&configs(count, concern)).unwrap()));
    let need = Need {
        bounded: true,
        worst: Some(Worst { cost: Nanos(50_000), tokens: 900, prompt: Nanos(10_000), output_rate: 80_000 }),
        likely: Some(Likely { cost: Nanos(20_000), tokens: 400 }),
        prompt: 400,
        output: 500,
        least: 500,
    };
    let who = Who {
        team: "support",
        feature: "triage",
        environment: "prod",
        key: "mine",
        alias: "nova",
        model: "nova",
    };
    let spent = Spent { cost: Cost::Known(Nanos(20_000)), tokens: 400, certain: true };
    for _ in 0..1_000 {
        purses.hold(&who, &need).await.unwrap().settle(spent);
    }
    let began = clock.tick();
    for _ in 0..CALLS {
        std::hint::black_box(purses.hold(&who, &need).await.unwrap().settle(spent));
    }
    clock.tick().since(began).as_nanos() / u128::from(CALLS)
}

fn configs(count: usize, concern: usize) -> Vec<BudgetConfig> {
    let ours = ["{}", "{ team = '*' }", "{ key = 'mine' }"];
    let mine = ours.iter().take(concern).map(|scope| (*scope).to_owned());
    let others = (concern..count).map(|n| format!("{{ key = 'somebody-{n}' }}"));
    let config = |(n, scope): (usize, String)| {
        let text = format!("name = 'b{n}'\nscope = {scope}\nlimit = '1000000 USD'\nperiod = 'month'");
        toml::from_str(&text).unwrap()
    };
    mine.chain(others).enumerate().map(config).collect()
}
