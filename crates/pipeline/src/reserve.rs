//! May it be afforded: holds in every budget that concerns the call.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Blocked, Why};
use bedplate_core::record::way_served;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_core::usage::Usage;
use bedplate_core::view::Attached;
use bedplate_cost::budget::{Kind, Who};
use bedplate_cost::{Ahead, Ask, PriceBook, named};

use crate::admit::Admitted;
use crate::budget::{Hold, Likely, Need, Purses, Refused};
use crate::call::Call;
use crate::compose::lead::{behind, priced};
use crate::compose::{Because, Bound, Composed, LATENCY_HEADER, TIER_HEADER};
use crate::estimate::Estimates;
use crate::settle::notes::Notes;
use crate::settle::record::Record;

/// Prompt tokens that a model adds to what the caller wrote: tool use alone is a few hundred.
const ADDED: u64 = 1_024;
/// Of an image, whatever its bytes: models scale larger ones down.
const IMAGE: u64 = 8_192;
/// What an answer is bounded to of a model whose maximum nobody knows.
const UNSAID: u64 = 8_192;
/// An answer is not bounded below this many tokens: it would be of no use.
const LEAST: u64 = 256;
/// What there may be in a body that nobody looked through: enough for a hard budget that comes into force meanwhile.
const UNSEEN: Attached = Attached { images: 0, caches: true, boundless: true };
/// What an answer has when nobody says how long it may be.
pub(crate) const USUAL: u64 = 512;

/// A call that goes to no model.
pub(crate) struct NoRoom {
    pub(crate) refusal: Refusal,
    /// The budget would have an answer beyond its time given instead.
    pub(crate) cache_only: bool,
}

/// Takes the hold. When the caller left the answer's length open and there is not room for the longest, or nobody knows
/// how long that is, the answer is bounded, and the record says to what and why.
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
    let Some(strictest) = purses.strictest(&who(composed)) else { return Ok(()) };
    let (mut need, must) = need(composed, strictest, record).await;
    let hold = match purses.hold(&who(composed), &need).await {
        Ok(hold) => hold,
        Err(refused) => return Err(refuse(*refused, &purses, record)),
    };
    let bound = match hold.output() {
        Some(tokens) => Some(Bound { tokens, because: Because::NoRoom }),
        None => must.then_some(Bound { tokens: need.output, because: Because::NoMaximum }),
    };
    record.holds(hold);
    if let Some(bound) = bound {
        if !composed.bound(bound, record) {
            // the call may not go without it
            let refusal = Refusal::of(Code::Bug).because("the answer cannot be bounded");
            return Err(NoRoom { refusal, cache_only: false });
        }
        record.bound(bound.tokens);
        need.output = bound.tokens;
    }
    if composed.most > 1 {
        // of another request it is known how long its answer may be
        composed.need = Some(Box::new(Need { least: need.output, ..need }));
    }
    Ok(())
}

/// A hold for another request beside what the call has spent, or may have: one to that model. `None` where no budget
/// concerns the call.
///
/// # Errors
/// When a budget has no room for it.
pub(crate) async fn reserve_another(
    composed: &Composed,
    model: &Arc<str>,
    notes: &Notes,
) -> Result<Option<Hold>, ()> {
    let (Some(purses), Some(need)) = (&notes.books.purses, &composed.need) else { return Ok(None) };
    purses.hold(&who_of(composed, model), need).await.map(Some).map_err(|_| ())
}

/// What a call is counted on.
pub(crate) fn who(composed: &Composed) -> Who<'_> {
    who_of(composed, &composed.aim.model)
}

/// The same before a target is chosen: the model is what the caller names.
pub(crate) fn who_asks(admitted: &Admitted) -> Who<'_> {
    who_asks_for(admitted, &admitted.call.name)
}

fn who_of<'a>(composed: &'a Composed, model: &'a Arc<str>) -> Who<'a> {
    who_asks_for(&composed.admitted, model)
}

fn who_asks_for<'a>(admitted: &'a Admitted, model: &'a str) -> Who<'a> {
    let (p, name) = (&admitted.principal, &admitted.call.name);
    Who {
        team: &p.team,
        feature: &p.feature,
        environment: &p.environment,
        key: &p.key.0,
        alias: named(name).unwrap_or(name),
        model: named(model).unwrap_or(model),
    }
}

/// Somebody who may be asked: what prices are looked up by, and what was learned of prompts.
struct Asked<'a> {
    priced: &'a str,
    region: &'a str,
    tier: Cow<'a, str>,
    model: &'a Arc<str>,
}

/// What a call says about what it may cost, wherever it goes.
struct Size {
    bytes: u64,
    attached: Attached,
    /// `None` when nobody can say.
    output: Option<u64>,
    /// The answer may be bounded.
    open: bool,
}

/// What one request may cost, of an alias to the dearest of its targets, and whether its answer must be bounded whatever
/// room there is.
async fn need(composed: &Composed, strictest: Kind, record: &mut Record) -> (Need, bool) {
    let prices = record.prices();
    let (call, aim) = (&composed.admitted.call, &composed.aim);
    let mut others = Vec::new();
    if let Some(way) = &composed.way {
        for target in way.alias.all() {
            others.push((target, behind(&target.provider, &target.model, record.notes_mut()).await));
        }
    }
    let all = || {
        let first = Asked {
            priced: aim.priced(&prices),
            region: &aim.provider.facts().region,
            tier: tier(call, aim.tier.as_deref()),
            model: &aim.model,
        };
        let others = others.iter().map(|(target, lead)| Asked {
            priced: priced(&target.model, lead, &prices),
            region: &target.provider.facts().region,
            tier: tier(call, target.tier.as_deref()),
            model: lead.model().unwrap_or(&target.model),
        });
        std::iter::once(first).chain(others)
    };
    let view = call.body.view();
    let said = view.max_tokens().or(composed.bound.map(|bound| bound.tokens));
    let open = said.is_none() && view.answers() == 1 && view.can_bound();
    let most = |asked: Asked<'_>| prices.max_output_tokens(asked.priced);
    let must = open && all().any(|asked| most(asked).is_none());
    let each = |asked| said.or(most(asked)).or(open.then_some(UNSAID));
    let longest = all().map(each).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten();
    let size = Size {
        bytes: call.body.content().len() as u64,
        // what a call will probably cost does not ask for it, and to see it takes a walk through the whole body
        attached: if strictest == Kind::Hard { view.attached() } else { UNSEEN },
        output: longest.map(|each| each.saturating_mul(view.answers())),
        open,
    };
    let estimates = &record.books().estimates;
    let needs = all().map(|asked| need_of(&asked, &size, &prices, estimates));
    // there is always one
    let none = Need { worst: None, likely: None, bounded: false, prompt: 0, output: 0, least: 0 };
    (needs.reduce(Need::or).unwrap_or(none), must)
}

fn need_of(asked: &Asked<'_>, size: &Size, prices: &PriceBook, estimates: &Estimates) -> Need {
    let (model, region, tier) = (asked.priced, asked.region, &*asked.tier);
    let prompt = most_prompt(size.attached, size.bytes, prices.context_window(model));
    let bounds = prompt.zip(size.output);
    let worst = bounds.and_then(|(input, output)| {
        prices.worst(Ahead {
            model,
            region,
            tier,
            writes_cache: size.attached.caches,
            input,
            output: Some(output),
        })
    });
    let input = estimates.of(asked.model, size.bytes).tokens;
    let usage = Usage { input, output: size.output.unwrap_or(USUAL).min(USUAL), ..Usage::default() };
    let likely = prices.price(Ask { model, region, tier, usage: &usage });
    let likely =
        likely.cost.is_known().then_some(Likely { cost: likely.cost.priced(), tokens: usage.total() });
    let output = size.output.unwrap_or(0);
    let least = if size.open && output > LEAST { LEAST } else { output };
    Need { worst, likely, bounded: bounds.is_some(), prompt: prompt.unwrap_or(0), output, least }
}

/// How many tokens the prompt has at most; `None` when nobody can say. No tokenizer makes more tokens of a text than it
/// has bytes; images have their own measure; what a document or something elsewhere holds only the model's window bounds.
pub(crate) fn most_prompt(attached: Attached, bytes: u64, window: Option<u64>) -> Option<u64> {
    if attached.boundless {
        return window;
    }
    let most = bytes.saturating_add(ADDED).saturating_add(attached.images.saturating_mul(IMAGE));
    Some(window.map_or(most, |window| most.min(window.max(ADDED))))
}

/// How the call asks to be served: a body of its own says it in headers, and where it says nothing its target may.
fn tier<'a>(call: &'a Call, targets: Option<&'a str>) -> Cow<'a, str> {
    let said = |name| call.headers.text(name);
    match (call.body.view().tier(), said(TIER_HEADER), said(LATENCY_HEADER)) {
        ("", None, None) => Cow::Borrowed(targets.unwrap_or_default()),
        ("", tier, latency) => Cow::Owned(way_served(tier.unwrap_or_default().to_owned(), latency)),
        (tier, ..) => Cow::Borrowed(tier),
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
