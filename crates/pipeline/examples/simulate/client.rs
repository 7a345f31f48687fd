//! A client that makes one call at a time, on any node, until the first is refused: nearly all of the budget must have
//! been spent by then. Nothing fails here.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::CallId;
use bedplate_core::clock::{Clock as _, Timestamp};
use bedplate_core::money::{Cost, Nanos};
use bedplate_pipeline::budget::Spent;
use bedplate_testkit::{MemoryLedger, SeededIds};
use tokio::time::{Instant, sleep};

use crate::dice::Dice;
use crate::model::{KEYS, need, who};
use crate::node::{Node, NodeClock};
use crate::schedule::Want;
use crate::trace::tell;
use crate::wire::Wire;

/// Of a budget, in thousandths.
const AT_LEAST: i64 = 950;
/// A client that is not refused before has too much to spend.
const CALLS: usize = 100_000;

pub(crate) fn run(seed: u64) -> Result<(), String> {
    crate::runtime(spend(Dice::new(seed)))
}

async fn spend(dice: Dice) -> Result<(), String> {
    let limit = dice.within(200..1_500) as i64 * 1_000_000;
    let period = dice.pick(&["month", "day", "rolling 1h"]);
    let budgets = format!(
        "[[budget]]\nname = 'all'\nlimit = '0.{:09} USD'\nperiod = '{period}'\n\
         [[budget]]\nname = 'each'\nscope = {{ key = '*' }}\nlimit = '2000 USD'\n",
        limit / 10,
    );
    let limit = limit / 10;
    let memory = Arc::<MemoryLedger>::default();
    let (began, noon) = (Instant::now(), Timestamp::parse("2026-11-22T12:00:00Z").unwrap());
    let nodes: Vec<Rc<Node>> = (0..*dice.pick(&[1, 1, 2, 3, 5]))
        .map(|at| {
            let clock = NodeClock::new(began, noon, 0);
            Node::new(at, clock, Wire::new(Arc::clone(&memory), dice.fork()), crate::budgets::read(&budgets))
        })
        .collect();
    let open = dice.percent(50);
    // what cannot be bounded must be small, for it cannot be told from too much near the end
    let worst = if nodes.len() == 1 { limit / 25 } else { limit / 200 };
    let pace = *dice.pick(&[0, 100, 2_000]);
    let ids = SeededIds::new(dice.within(0..u64::MAX));
    let mut spent = 0;
    for call in 0..CALLS {
        let output = dice.within(100..4_000);
        let worst = dice.within(worst as u64 / 10..worst as u64) as i64;
        let want = if open {
            // up to ten times as much as is left over must be too little for it
            Want {
                prompt: worst / 4,
                rate: 20 * worst as u64 * 1_000 / output,
                prompt_tokens: 10,
                output,
                least: output / 40,
                priced: true,
            }
        } else {
            Want { prompt: worst, rate: 0, prompt_tokens: 10, output, least: output, priced: true }
        };
        let node = dice.pick(&nodes);
        match node.purses.hold(&who(KEYS[call % 3]), &need(want)).await {
            Ok(hold) => {
                let held = hold.parts().next().map_or(0, |(_, held)| held);
                let cost = held.min(dice.within(worst as u64 / 10..worst as u64) as i64);
                sleep(Duration::from_millis(dice.within(0..pace + 1))).await;
                tell(|| format!("{call} on {}: {cost} of {held}", node.name.0));
                let charges = hold.settle(Spent { cost: Cost::Known(Nanos(cost)), tokens: 1, certain: true });
                let now = node.clock.now();
                node.pending.borrow_mut().push_back(crate::outcome::of(CallId::new(now, &ids), now, charges));
                spent += cost;
            }
            Err(refused) if spent * 1_000 < limit * AT_LEAST => {
                return Err(format!("{call} calls spent {spent} of {limit}: {refused:?}"));
            }
            Err(_) => return Ok(()),
        }
    }
    Err(format!("{CALLS} calls spent {spent} of {limit} and no more"))
}
