//! May it be afforded: holds in every budget that concerns the call.

use std::borrow::Cow;
use std::time::Duration;

use bedplate_core::budget::{Blocked, Why};
use bedplate_core::record::way_served;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_core::usage::Usage;
use bedplate_cost::budget::{Kind, Who};
use bedplate_cost::{Ahead, Ask, PriceBook};

use crate::budget::{Likely, Need, Purses, Refused};
use crate::call::Call;
use crate::compose::Composed;
use crate::estimate::Estimates;
use crate::settle::record::Record;

/// Prompt tokens that a model adds to what the caller wrote: tool use alone is a few hundred.
const ADDED: u64 = 1_024;
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
    let need = need(composed, &record.prices(), &record.books().estimates);
    let p = &composed.admitted.principal;
    let who = Who {
        team: &p.team,
        feature: &p.feature,
        environment: &p.environment,
        key: &p.key.0,
        alias: &composed.admitted.call.name,
    };
    let hold = match purses.hold(&who, &need).await {
        Ok(hold) => hold,
        Err(refused) => return Err(refuse(*refused, &purses, record)),
    };
    if let Some(tokens) = hold.output() {
        bound(composed, tokens, record);
    }
    record.holds(hold);
    Ok(())
}

fn need(composed: &Composed, prices: &PriceBook, estimates: &Estimates) -> Need {
    let call = &composed.admitted.call;
    let view = call.body.view();
    let (model, region) = (composed.priced(prices), &*composed.provider.facts().region);
    let bytes = call.body.content().len() as u64;
    // no tokeniser makes more tokens than there are bytes
    let prompt = bytes.saturating_add(ADDED);
    let said = view.max_tokens();
    let most = prices.max_output_tokens(model);
    let output = said.or(most).unwrap_or(0);
    let tier = &*tier(call);
    let ahead = Ahead { model, region, tier, writes_cache: true, input: prompt, output: Some(output) };
    let input = estimates.of(&composed.model, bytes).tokens;
    let usage = Usage { input, output: output.min(USUAL), ..Usage::default() };
    let likely = prices.price(Ask { model, region, tier, usage: &usage });
    let open = said.is_none() && output > LEAST && view.bound_output(LEAST, &mut composed.edits.clone());
    Need {
        worst: prices.worst(ahead),
        likely: likely
            .cost
            .is_known()
            .then_some(Likely { cost: likely.cost.priced(), tokens: usage.total() }),
        prompt,
        output,
        least: if open { LEAST } else { output },
    }
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

/// Says the bound in the request. That it can be said was tried when the hold was asked for.
fn bound(composed: &mut Composed, tokens: u64, record: &mut Record) {
    if composed.admitted.call.body.view().bound_output(tokens, &mut composed.edits) {
        composed.edits.said.push(format!("maxTokens {tokens}: a budget has room for no more"));
        record.edited(&composed.edits);
        record.bound(tokens);
    }
}

fn refuse(refused: Refused, purses: &Purses, record: &mut Record) -> NoRoom {
    let Refused { blocked, kind, cache_only, resets, cause } = refused;
    let now = record.books().clock.now();
    let reset = Duration::from_micros(u64::try_from(resets.0.saturating_sub(now.0)).unwrap_or(0));
    let (code, retry) = match (blocked.why, kind) {
        (Why::Unpriced, _) => (Code::BudgetUnpriced, Retry::Never),
        (Why::Unreachable, _) => (Code::BudgetUnreachable, Retry::After(Duration::from_secs(2))),
        (Why::Held, _) => (Code::BudgetHeld, Retry::After(purses.wait())),
        (_, Kind::Soft) => (Code::SoftBudgetSpent, Retry::After(reset.min(LONGEST))),
        (Why::Spent | Why::Unknown | Why::TooLarge, Kind::Hard) => (Code::BudgetSpent, Retry::Never),
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
        Why::TooLarge => format!("this call may cost {need}, more than the whole budget `{budget}`"),
        Why::Held => format!(
            "the budget `{budget}` has no room until other calls have ended: this one may cost {need}"
        ),
        Why::Unpriced => format!("the budget `{budget}` takes no calls whose price is unknown"),
        Why::Unreachable => format!("what is left of the budget `{budget}` cannot be asked"),
    }
}
