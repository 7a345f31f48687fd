//! Purses against a ledger in memory that keeps to the words of the port.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Charge, NodeId, Stand, Unit, Why};
use bedplate_core::clock::Clock as _;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::Budgets;
use bedplate_cost::Worst;
use bedplate_cost::budget::{BudgetConfig, Who, all};
use bedplate_pipeline::budget::{Hold, Index, Likely, Need, Purses, Refused, Spent, Terms};
use bedplate_testkit::{Cue, FaultyLedger, ManualClock, MemoryLedger};
use tokio::time::{sleep, timeout};

const NOON: &str = "2026-11-22T12:00:00Z";
const CENT: i64 = 10_000_000;

struct Bed {
    clock: ManualClock,
    ledger: Arc<FaultyLedger>,
    purses: Arc<Purses>,
}

impl Bed {
    fn new(budgets: &str) -> Self {
        Self::on(Arc::new(MemoryLedger::default()), "node-a", budgets)
    }

    fn on(memory: Arc<MemoryLedger>, node: &str, budgets: &str) -> Self {
        let clock = ManualClock::at(NOON);
        let ledger = Arc::new(FaultyLedger::new(memory));
        let terms = Terms {
            lease: Duration::from_secs(60),
            wait: Duration::from_secs(1),
            deadline: Duration::from_secs(2),
        };
        let port = Arc::clone(&ledger) as Arc<dyn Budgets>;
        let purses = Purses::new(port, Arc::new(clock.clone()), NodeId(node.into()), terms);
        purses.set(Index::new(built(budgets)));
        Self { clock, ledger, purses }
    }

    async fn hold(&self, key: &str, need: &Need) -> Result<Hold, Box<Refused>> {
        self.purses.hold(&who(key), need).await
    }

    /// Where the ledger says all windows stand together.
    async fn stand(&self) -> Stand {
        let slices = self.ledger.slices(None, bedplate_core::clock::Timestamp(0)).await.unwrap();
        let now = self.clock.now();
        slices.iter().fold(Stand::default(), |sum, slice| sum.plus(slice.stand(now)))
    }
}

pub(crate) fn built(budgets: &str) -> Vec<bedplate_cost::budget::Budget> {
    #[derive(serde::Deserialize)]
    struct File {
        budget: Vec<BudgetConfig>,
    }
    all(&toml::from_str::<File>(budgets).unwrap().budget).unwrap()
}

fn who(key: &str) -> Who<'_> {
    Who {
        team: "support",
        feature: "triage",
        environment: "prod",
        key,
        alias: "us.amazon.nova-lite-v1:0",
        model: "us.amazon.nova-lite-v1:0",
    }
}

/// A call that may cost so much, and probably costs a tenth.
fn need(nanos: i64) -> Need {
    Need {
        bounded: true,
        worst: Some(Worst { cost: Nanos(nanos), tokens: 1_000, prompt: Nanos(nanos), output_rate: 0 }),
        likely: Some(Likely { cost: Nanos(nanos / 10), tokens: 100 }),
        prompt: 900,
        output: 100,
        least: 100,
    }
}

/// A call without `maxTokens` on a model that writes 1,000 tokens at most, at a hundredth of a cent each.
fn open_ended() -> Need {
    let worst = Worst {
        cost: Nanos(101 * CENT / 10),
        tokens: 2_000,
        prompt: Nanos(CENT / 10),
        output_rate: 100_000_000,
    };
    Need { bounded: true, worst: Some(worst), likely: None, prompt: 1_000, output: 1_000, least: 10 }
}

fn spent(nanos: i64) -> Spent {
    Spent { cost: Cost::Known(Nanos(nanos)), tokens: 100, certain: true }
}

fn charged(charges: &[Charge]) -> i64 {
    charges.iter().map(|c| c.amount).sum()
}

const DOLLAR: &str = "[[budget]]\nname = 'all'\nlimit = '1 USD'\n";

#[tokio::test(start_paused = true)]
async fn a_budget_is_spent_to_its_limit_and_never_beyond() {
    let bed = Bed::new(DOLLAR);
    let mut spent_so_far = 0;
    let refused = loop {
        match bed.hold("key_a", &need(3 * CENT)).await {
            Ok(hold) => spent_so_far += charged(&hold.settle(spent(2 * CENT))),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.blocked.why, Why::Spent);
    assert_eq!((refused.blocked.unit, refused.blocked.need), (Unit::Usd, 3 * CENT));
    // 49 calls of two cents: the fiftieth might cost three
    assert_eq!(spent_so_far, 98 * CENT);
    let stand = bed.stand().await;
    assert!(stand.taken() <= 100 * CENT, "{stand:?}");
}

#[tokio::test(start_paused = true)]
async fn holds_count_until_they_are_settled_or_dropped() {
    let bed = Bed::new(DOLLAR);
    let first = bed.hold("key_a", &need(60 * CENT)).await.unwrap();
    let refused = bed.hold("key_a", &need(60 * CENT)).await.unwrap_err();
    assert_eq!(refused.blocked.why, Why::Held);
    assert_eq!(refused.blocked.held, 60 * CENT);
    drop(first);
    let second = bed.hold("key_a", &need(60 * CENT)).await.unwrap();
    assert_eq!(charged(&second.settle(spent(CENT))), CENT);
    bed.hold("key_a", &need(99 * CENT)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_what_others_give_back() {
    let bed = Bed::new(DOLLAR);
    let first = bed.hold("key_a", &need(60 * CENT)).await.unwrap();
    let second = async { timeout(Duration::from_millis(700), bed.hold("key_a", &need(60 * CENT))).await };
    let settle = async {
        sleep(Duration::from_millis(300)).await;
        first.settle(spent(CENT));
    };
    let (second, ()) = tokio::join!(second, settle);
    second.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_could_never_fit_is_not_kept_waiting() {
    let bed = Bed::new(DOLLAR);
    let refused =
        timeout(Duration::from_millis(1), bed.hold("key_a", &need(101 * CENT))).await.unwrap().unwrap_err();
    assert_eq!(refused.blocked.why, Why::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_open_length_is_bounded_to_what_is_left() {
    let bed = Bed::new(DOLLAR);
    let whole = bed.hold("key_a", &open_ended()).await.unwrap();
    assert_eq!(whole.output(), None);
    whole.settle(spent(95 * CENT));
    // five cents are left: a tenth of one for the prompt, the rest for 490 tokens
    let bounded = bed.hold("key_a", &open_ended()).await.unwrap();
    let tokens = bounded.output().unwrap();
    assert!((100..=490).contains(&tokens), "{tokens}");
    bounded.settle(spent(5 * CENT - CENT / 10));
    assert_eq!(bed.hold("key_a", &open_ended()).await.unwrap_err().blocked.why, Why::Spent);
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own_account_and_all_budgets_count() {
    let bed = Bed::new(
        "[[budget]]\nname = 'each'\nlimit = '0.5 USD'\nscope = { key = '*' }\n\
         [[budget]]\nname = 'all'\nlimit = '0.8 USD'\nscope = { team = 'support' }\n\
         [[budget]]\nname = 'others'\nlimit = '0.01 USD'\nscope = { team = 'sales' }\n",
    );
    let hold = bed.hold("key_a", &need(40 * CENT)).await.unwrap();
    assert_eq!(hold.settle(spent(40 * CENT)).len(), 2);
    assert_eq!(
        bed.hold("key_a", &need(20 * CENT)).await.unwrap_err().blocked.window.account.budget.0.as_ref(),
        "each"
    );
    bed.hold("key_b", &need(30 * CENT)).await.unwrap().settle(spent(30 * CENT));
    let refused = bed.hold("key_b", &need(15 * CENT)).await.unwrap_err();
    assert_eq!(refused.blocked.window.account.budget.0.as_ref(), "all");
    // what did not fit in one budget is held in none
    bed.hold("key_c", &need(10 * CENT)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn spending_belongs_to_the_window_of_its_admission() {
    let bed = Bed::new("[[budget]]\nname = 'day'\nlimit = '1 USD'\nperiod = 'day'\n");
    let late = bed.hold("key_a", &need(90 * CENT)).await.unwrap();
    bed.clock.advance(Duration::from_secs(13 * 3_600));
    let next = bed.hold("key_a", &need(90 * CENT)).await.unwrap();
    let (late, next) = (late.settle(spent(80 * CENT)), next.settle(spent(70 * CENT)));
    assert_eq!(next[0].window.starts.0 - late[0].window.starts.0, 86_400_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_period_frees_what_is_old() {
    let bed = Bed::new("[[budget]]\nname = 'hour'\nlimit = '1 USD'\nperiod = 'rolling 1h'\n");
    let mut total = 0;
    for _ in 0..12 {
        // ten cents every ten minutes never fill an hour of a dollar
        total += charged(&bed.hold("key_a", &need(10 * CENT)).await.unwrap().settle(spent(10 * CENT)));
        bed.clock.advance(Duration::from_secs(600));
    }
    assert_eq!(total, 120 * CENT);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_certain_counts_as_no_less_than_was_held() {
    let bed = Bed::new(
        "[[budget]]\nname = 'hard'\nlimit = '1 USD'\n\
         [[budget]]\nname = 'soft'\nlimit = '1 USD'\nkind = 'soft'\n",
    );
    let hold = bed.hold("key_a", &need(30 * CENT)).await.unwrap();
    let unsure = Spent { cost: Cost::Unknown(Nanos(CENT)), tokens: 5, certain: false };
    let charges = hold.settle(unsure);
    let of = |name: &str| charges.iter().find(|c| &*c.window.account.budget.0 == name).unwrap().amount;
    assert_eq!((of("hard"), of("soft")), (30 * CENT, 3 * CENT));
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_price_is_refused_by_hard_budgets_in_usd_alone() {
    let unpriced = Need { bounded: true, worst: None, likely: None, ..need(CENT) };
    let bed = Bed::new(DOLLAR);
    assert_eq!(bed.hold("key_a", &unpriced).await.unwrap_err().blocked.why, Why::Unpriced);
    for other in
        ["limit = '1 USD'\nkind = 'soft'", "limit = '10000 tokens'", "limit = '1 USD'\nunpriced = 'allow'"]
    {
        let bed = Bed::new(&format!("[[budget]]\nname = 'b'\n{other}\n"));
        bed.hold("key_a", &unpriced).await.unwrap_or_else(|e| panic!("{other}: {e:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_ledger_a_budget_does_as_it_says() {
    let lost = [Cue::Before; 100];
    for (outage, first, later) in [("closed", true, false), ("slice", true, false), ("open", true, true)] {
        let bed = Bed::new(&format!("[[budget]]\nname = 'b'\nlimit = '1 USD'\noutage = '{outage}'\n"));
        assert_eq!(bed.hold("key_a", &need(CENT)).await.is_ok(), first);
        bed.ledger.cue(&lost);
        // far more than was drawn
        let mut held = Vec::new();
        let blocked = loop {
            match bed.hold("key_a", &need(10 * CENT)).await {
                Ok(hold) if held.len() < 20 => held.push(hold),
                Ok(_) => break None,
                Err(refused) => break Some(refused.blocked.why),
            }
        };
        assert_eq!(blocked.is_none(), later, "{outage}");
        if let Some(why) = blocked {
            assert_eq!(why, Why::Unreachable);
        }
        bed.ledger.heal();
        drop(held);
        bed.purses.round().await.unwrap();
        bed.hold("key_a", &need(CENT)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_slice_whose_lease_is_over_is_not_spent_from() {
    let bed = Bed::new(DOLLAR);
    bed.hold("key_a", &need(CENT)).await.unwrap().settle(spent(CENT));
    bed.clock.advance(Duration::from_secs(120));
    bed.ledger.cue(&[Cue::Before; 10]);
    assert_eq!(bed.hold("key_a", &need(1)).await.unwrap_err().blocked.why, Why::Unreachable);
    bed.ledger.heal();
    bed.hold("key_a", &need(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn at_the_end_nothing_stays_granted() {
    let bed = Bed::new(DOLLAR);
    let holds =
        [bed.hold("key_a", &need(CENT)).await.unwrap(), bed.hold("key_b", &need(CENT)).await.unwrap()];
    drop(holds);
    bed.ledger.cue(&[Cue::Before; 2]);
    assert!(bed.purses.close().await.is_err());
    bed.ledger.cue(&[Cue::Succeed, Cue::After]);
    bed.purses.close().await.unwrap();
    assert_eq!(bed.stand().await, Stand::default());
}

#[tokio::test(start_paused = true)]
async fn one_node_finds_what_another_gave_back() {
    let memory = Arc::new(MemoryLedger::default());
    let a = Bed::on(Arc::clone(&memory), "node-a", DOLLAR);
    let b = Bed::on(memory, "node-b", DOLLAR);
    let hold = a.hold("key_a", &need(90 * CENT)).await.unwrap();
    assert_eq!(b.hold("key_a", &need(50 * CENT)).await.unwrap_err().blocked.why, Why::Held);
    drop(hold);
    a.purses.close().await.unwrap();
    b.hold("key_a", &need(99 * CENT)).await.unwrap();
}
