//! Budgets over several requests of one call.

use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::record::Degraded;
use bedplate_core::refusal::Code;
use bedplate_cost::{Ahead, Ask, PriceBook};
use bedplate_pipeline::RetryConfig;

use super::{Bed, CHAIN, Cued, LITE, statuses, whole};
use crate::house::{Script, usage};

/// May have been billed.
fn lost() -> Script {
    Script::Fails { after: Duration::from_millis(10), code: Code::BrokenAnswer, sent: true }
}

/// What a call of the house holds, and what one that is answered costs, in nano-dollars.
fn prices() -> (i64, i64) {
    let (book, region) = (PriceBook::embedded(), "us-east-1");
    let input = b"{\"messages\":[]}".len() as u64 + 1_024;
    let ahead = Ahead { model: LITE, region, tier: "", writes_cache: false, input, output: Some(50) };
    let asked = Ask { model: LITE, region, tier: "", usage: &usage() };
    (book.worst(ahead).unwrap().cost.0, book.price(asked).cost.priced().0)
}

fn bed(limit: i64, alias: &str, cues: Vec<Script>) -> Bed {
    let dollars = format!("{}.{:09}", limit / 1_000_000_000, limit % 1_000_000_000);
    let budgets = format!("[[budget]]\nname = 'b'\nlimit = '{dollars} USD'\n");
    let providers = [Cued::new("use1", cues, whole(200)), Cued::new("usw2", [], whole(200))];
    Bed::with(alias, RetryConfig::default(), &providers, Some(&budgets))
}

const ONE: &str = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0']\n";

async fn charged(bed: &Bed) -> (Vec<(String, u16)>, i64, i64) {
    let row = bed.row(Operation::Converse).await;
    let held = bed.purses.as_ref().unwrap().stands().iter().map(|(_, _, held)| held).sum();
    assert!(row.call.charges.len() <= 1, "one charge a window");
    let charges = row.call.charges.iter().map(|c| c.amount).sum();
    (statuses(&row).into_iter().map(|(p, s)| (p.to_owned(), s)).collect(), charges, held)
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_counts_at_its_worst_and_what_followed_at_its_cost() {
    let (worst, cost) = prices();
    let bed = bed(1_000_000_000, ONE, vec![lost(), lost()]);
    let (asked, charges, held) = charged(&bed).await;
    assert_eq!(asked.len(), 3);
    assert_eq!((charges, held), (2 * worst + cost, 0));
    assert_eq!(charged(&bed).await.1, cost);
}

#[tokio::test(start_paused = true)]
async fn an_error_costs_nothing_and_needs_no_further_hold() {
    let (worst, cost) = prices();
    let bed = bed(worst, ONE, vec![whole(500)]);
    let (asked, charges, held) = charged(&bed).await;
    assert_eq!((asked.len(), charges, held), (2, cost, 0));
}

#[tokio::test(start_paused = true)]
async fn without_room_for_another_request_the_call_ends_with_what_it_has() {
    let (worst, _) = prices();
    let without = bed(worst * 3 / 2, ONE, vec![lost()]);
    let (asked, charges, held) = charged(&without).await;
    assert_eq!((asked.len(), charges, held), (1, worst, 0));
    // and with an answer that costs nothing
    let with = bed(worst * 3 / 2, CHAIN, vec![lost()]);
    let row = with.row(Operation::Converse).await;
    assert_eq!((row.attempts.len(), row.call.degraded), (1, Some(Degraded::Static)));
}
