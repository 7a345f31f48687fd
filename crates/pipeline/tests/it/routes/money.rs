//! Budgets over several requests of one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::cache::Canonical;
use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::record::Degraded;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::view::{Attached, Edits, Stamped, View};
use bedplate_cost::{Ahead, Ask, PriceBook};
use bedplate_pipeline::{Call, Native, RetryConfig};

use super::{Bed, CHAIN, Cued, LITE, statuses, whole};
use crate::house::{Plain, Script, call, usage};

/// May have been billed.
fn lost() -> Script {
    Script::Fails { after: Duration::from_millis(10), code: Code::BrokenAnswer, sent: true }
}

/// What a call of the house holds, and what one that is answered costs, in nano-dollars.
pub(super) fn prices() -> (i64, i64) {
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

/// A body that counts how often it is looked through.
struct Counted(Plain, Arc<AtomicU64>);

impl Native for Counted {
    fn content(&self) -> &Content {
        self.0.content()
    }

    fn view(&self) -> &dyn View {
        self
    }

    fn sha256(&self, edits: &Edits) -> [u8; 32] {
        self.0.sha256(edits)
    }

    fn canonical(&self, _: &Headers) -> Option<Canonical> {
        None
    }

    fn fits(&self, model: &str) -> bool {
        self.0.fits(model)
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        self.0.answer(text)
    }
}

impl View for Counted {
    fn max_tokens(&self) -> Option<u64> {
        self.0.max_tokens()
    }

    fn attached(&self) -> Attached {
        self.1.fetch_add(1, Ordering::Relaxed);
        Attached::default()
    }

    fn bound_output(&self, _: u64, _: &mut Edits) -> bool {
        false
    }

    fn stamp(&self, ours: &[(&str, &str)], reserved: &str, edits: &mut Edits) -> Result<Stamped, Refusal> {
        self.0.stamp(ours, reserved, edits)
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_looked_through_only_where_a_hard_budget_concerns_the_call() {
    let soft = "[[budget]]\nname = 's'\nlimit = '1 USD'\nkind = 'soft'\n";
    let others = "[[budget]]\nname = 'o'\nlimit = '1 USD'\nscope = { team = 'others' }\n";
    let hard = "[[budget]]\nname = 'h'\nlimit = '1 USD'\nscope = { team = 'support' }\n";
    for (budgets, looks) in [(soft.to_owned(), 0), (soft.to_owned() + others, 0), (soft.to_owned() + hard, 1)]
    {
        let providers = [Cued::new("use1", [], whole(200)), Cued::new("usw2", [], whole(200))];
        let bed = Bed::with(ONE, RetryConfig::default(), &providers, Some(&budgets));
        let looked = Arc::new(AtomicU64::new(0));
        let body = Counted(Plain(Content::from_static(b"{\"messages\":[]}")), Arc::clone(&looked));
        let call = Call { name: "triage".to_owned(), body: Arc::new(body), ..call(Operation::Converse) };
        assert_eq!(bed.send(call).await.unwrap().status, 200);
        assert_eq!(looked.load(Ordering::Relaxed), looks, "{budgets}");
        let settled = bed.house.settled().await;
        let charges = &settled.last().unwrap().call.charges;
        assert!(charges.iter().all(|charge| charge.amount > 0), "{budgets}");
        assert_eq!(charges.len() as u64, 1 + looks, "{budgets}");
    }
}
