//! May it be afforded: holds in every budget that concerns the call.

use std::borrow::Cow;
use std::time::Duration;

use bedplate_core::budget::{Blocked, Why};
use bedplate_core::record::way_served;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_core::usage::Usage;
use bedplate_core::view::Attached;
use bedplate_cost::budget::{Kind, Who};
use bedplate_cost::{Ahead, Ask, PriceBook, named};

use crate::budget::{Likely, Need, Purses, Refused};
use crate::call::Call;
use crate::compose::Composed;
use crate::estimate::Estimates;
use crate::settle::record::Record;

/// Prompt tokens that a model adds to what the caller wrote: tool use alone is a few hundred.
const ADDED: u64 = 1_024;
/// Of an image, whatever its bytes: models scale larger ones down.
const IMAGE: u64 = 8_192;
/// What an answer is bounded to of a model whose maximum nobody knows.
const UNSAID: u64 = 8_192;
/// An answer is not bounded below this many tokens: it would be of no use.
const LEAST: u64 = 256;
/// What an answer has when nobody says how long it may be.
const USUAL: u64 = 512;

/// A call that goes to no model.
pub(crate) struct NoRoom {
    pub(crate) refusal: Refusal,
    /// The budget would have an answer beyond its time given instead.
    pub(crate) cache_only: bool,
}

const TIER_HEADER: &str = "x-amzn-bedrock-service-tier";
const LATENCY_HEADER: &str = "x-amzn-bedrock-performanceconfig-latency";

/// Takes the hold. When the caller left the answer's length open and there is not room for the longest, the answer is
/// bounded to what there is room for, and the record says so.
///
/// # Errors
/// `BP1401` to `BP1405`; the record says which budget, and by which numbers.
pub(crate) async fn reserve(composed: &mut Composed, record: &mut Record) -> Result<(), NoRoom> {
    let Some(purses) = record.books().purses.clone().filter(|purses| !purses.is_idle()) else {
        return Ok(());
    };
    if !composed.admitted.call.operation.metered() {
        return Ok(());
    }
    let p = &composed.admitted.principal;
    let name = &composed.admitted.call.name;
    let who = Who {
        team: &p.team,
        feature: &p.feature,
        environment: &p.environment,
        key: &p.key.0,
        alias: named(name).unwrap_or(name),
        model: named(&composed.model).unwrap_or(&composed.model),
    };
    if !purses.concerns(&who) {
        return Ok(());
    }
    let (need, must) = need(composed, &record.prices(), &record.books().estimates);
    let hold = match purses.hold(&who, &need).await {
        Ok(hold) => hold,
        Err(refused) => return Err(refuse(*refused, &purses, record)),
    };
    let tokens = hold.output().or(must.then_some(need.output));
    record.holds(hold);
    match tokens {
        Some(tokens) => bound(composed, tokens, record),
        None => Ok(()),
    }
}

/// What a call may cost, and whether its answer must be bounded whatever room there is.
fn need(composed: &Composed, prices: &PriceBook, estimates: &Estimates) -> (Need, bool) {
    let call = &composed.admitted.call;
    let view = call.body.view();
    let (model, region) = (composed.priced(prices), &*composed.provider.facts().region);
    let bytes = call.body.content().len() as u64;
    let attached = view.attached();
    let prompt = most_prompt(attached, bytes, prices.context_window(model));
    let open = view.max_tokens().is_none() && view.answers() == 1 && view.can_bound();
    let most = prices.max_output_tokens(model);
    let each = view.max_tokens().or(most).or(open.then_some(UNSAID));
    let must = open && most.is_none();
    let output = each.map(|each| each.saturating_mul(view.answers()));
    let bounds = prompt.zip(output);
    let tier = &*tier(call);
    let worst = bounds.and_then(|(input, output)| {
        prices.worst(Ahead {
            model,
            region,
            tier,
            writes_cache: attached.caches,
            input,
            output: Some(output),
        })
    });
    let input = estimates.of(&composed.model, bytes).tokens;
    let usage = Usage { input, output: output.unwrap_or(USUAL).min(USUAL), ..Usage::default() };
    let likely = prices.price(Ask { model, region, tier, usage: &usage });
    let likely =
        likely.cost.is_known().then_some(Likely { cost: likely.cost.priced(), tokens: usage.total() });
    let output = output.unwrap_or(0);
    let least = if open && output > LEAST { LEAST } else { output };
    let need = Need { worst, likely, bounded: bounds.is_some(), prompt: prompt.unwrap_or(0), output, least };
    (need, must)
}

/// How many tokens the prompt has at most; `None` when nobody can say. No tokenizer makes more tokens of a text than it
/// has bytes; images have their own measure; what a document or something elsewhere holds only the model's window bounds.
fn most_prompt(attached: Attached, bytes: u64, window: Option<u64>) -> Option<u64> {
    if attached.boundless {
        return window;
    }
    let most = bytes.saturating_add(ADDED).saturating_add(attached.images.saturating_mul(IMAGE));
    Some(window.map_or(most, |window| most.min(window.max(ADDED))))
}

/// How the call asks to be served: a body of its own says it in headers.
fn tier(call: &Call) -> Cow<'_, str> {
    let said = |name| call.headers.text(name);
    match (call.body.view().tier(), said(TIER_HEADER), said(LATENCY_HEADER)) {
        ("", None, None) => Cow::Borrowed(""),
        ("", tier, latency) => Cow::Owned(way_served(tier.unwrap_or_default().to_owned(), latency)),
        (tier, ..) => Cow::Borrowed(tier),
    }
}

/// Says the bound in the request.
///
/// # Errors
/// `BP9001` when it cannot be said after all: the call may not go without it.
fn bound(composed: &mut Composed, tokens: u64, record: &mut Record) -> Result<(), NoRoom> {
    if !composed.admitted.call.body.view().bound_output(tokens, &mut composed.edits) {
        let refusal = Refusal::of(Code::Bug).because("the answer cannot be bounded");
        return Err(NoRoom { refusal, cache_only: false });
    }
    composed.edits.said.push(format!("maxTokens {tokens}: a budget has room for no more"));
    record.edited(&composed.edits);
    record.bound(tokens);
    Ok(())
}

fn refuse(refused: Refused, purses: &Purses, record: &mut Record) -> NoRoom {
    let Refused { blocked, kind, cache_only, resets, cause } = refused;
    let now = record.books().clock.now();
    let reset = Duration::from_micros(u64::try_from(resets.0.saturating_sub(now.0)).unwrap_or(0));
    let (code, retry) = match (blocked.why, kind) {
        (Why::Unpriced, _) => (Code::BudgetUnpriced, Retry::Never),
        (Why::Unreachable, _) => (Code::BudgetUnreachable, Retry::After(Duration::from_secs(2))),
        (Why::Held, _) => (Code::BudgetHeld, Retry::After(purses.wait())),
        (Why::TooLarge, _) => (Code::BudgetSpent, Retry::Never),
        (_, Kind::Soft) => (Code::SoftBudgetSpent, Retry::After(reset.min(LONGEST))),
        (Why::Spent | Why::Unknown, Kind::Hard) => (Code::BudgetSpent, Retry::Never),
    };
    let said = said(&blocked);
    let refusal = Refusal::new(code, said).retry(retry);
    record.blocked(blocked);
    let refusal = match cause {
        Some(cause) => refusal.because(cause.to_string()),
        None => refusal,
    };
    NoRoom { refusal, cache_only }
}

/// SDKs wait this long at most before they try again.
const LONGEST: Duration = Duration::from_secs(60);

/// For the caller: the budget's name and what the call needs, but not what others spent.
fn said(blocked: &Blocked) -> String {
    let (budget, need) = (&blocked.window.account.budget, blocked.unit.show(blocked.need));
    match blocked.why {
        Why::Spent | Why::Unknown => format!("the budget `{budget}` has no room: this call may cost {need}"),
        Why::TooLarge => {
            format!("this call may cost {need}, more than the budget `{budget}` lets through in all")
        }
        Why::Held => format!(
            "the budget `{budget}` has no room until other calls have ended: this one may cost {need}"
        ),
        Why::Unpriced => {
            format!("the budget `{budget}` takes no calls of which nobody can say what they may cost")
        }
        Why::Unreachable => format!("what is left of the budget `{budget}` cannot be asked"),
    }
}
