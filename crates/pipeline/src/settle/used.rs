//! What an attempt used, and what that costs.

use std::borrow::Cow;

use bedplate_core::money::Cost;
use bedplate_core::usage::{Usage, UsageBasis};
use bedplate_cost::{Ask, PriceBook, Reason};

use crate::compose::lead::priced;
use crate::invoke::inflight::Attempting;
use crate::provider::{Billed, Lead, Metered};

/// Why an answer stops that a guardrail put in the model's place.
const INTERVENED: &str = "guardrail_intervened";

/// What an attempt used, as far as is known.
pub(crate) struct Used {
    pub(crate) usage: Usage,
    pub(crate) basis: UsageBasis,
    pub(crate) tier: String,
    /// The model that a prompt router chose.
    pub(crate) model: Option<String>,
    /// Whether there is nothing beyond it. If not, the cost is unknown.
    all: bool,
    /// A guardrail used what nobody told.
    untold: bool,
}

impl Used {
    /// Nothing was sent: nothing was used.
    pub(crate) fn nothing() -> Self {
        Self {
            usage: Usage::default(),
            basis: UsageBasis::None,
            tier: String::new(),
            model: None,
            all: true,
            untold: false,
        }
    }

    /// The request was sent and no answer came: it may have been worked on, and billed.
    pub(crate) fn unheard(attempting: &Attempting) -> Self {
        if !attempting.operation.metered() {
            return Self::nothing();
        }
        let usage = estimate(attempting, &Metered::default());
        Self { usage, basis: UsageBasis::Estimated, all: false, ..Self::nothing() }
    }

    /// An answer came. An error costs nothing; an answer that never said what it used is estimated.
    pub(crate) fn heard(attempting: &Attempting, metered: Metered, failed: bool) -> Self {
        let op = attempting.operation;
        let (usage, basis) = match (&metered.usage, op.metered()) {
            (Some(usage), _) => (usage.clone(), UsageBasis::Reported),
            (None, true) if !failed => (estimate(attempting, &metered), UsageBasis::Estimated),
            (None, false) if op.by_permission() && !failed => (Usage::default(), UsageBasis::Unmetered),
            (None, _) => (Usage::default(), UsageBasis::None),
        };
        // of an answer in one piece it is not known how much of it is text: its cost is unknown
        let guessed = basis == UsageBasis::Estimated && !op.streams();
        let guarded = attempting.guarded || metered.stop_reason.as_deref() == Some(INTERVENED);
        let used = matches!(basis, UsageBasis::Reported | UsageBasis::Estimated);
        let untold = used && guarded && !usage.units.iter().any(|(unit, _)| unit.is_guardrail());
        Self {
            usage,
            basis,
            tier: metered.tier,
            model: metered.model,
            all: basis != UsageBasis::Unmetered && !guessed && !untold,
            untold,
        }
    }

    /// What it costs, and why that much.
    pub(crate) fn price(&self, attempting: &Attempting, prices: &PriceBook) -> (Cost, Cow<'static, str>) {
        let (cost, said) = match self.basis {
            UsageBasis::None | UsageBasis::Unmetered => (Cost::FREE, Cow::Borrowed("")),
            UsageBasis::Reported | UsageBasis::Estimated => self.by_the_book(attempting, prices),
        };
        (if self.all { cost } else { Cost::Unknown(cost.priced()) }, said)
    }

    fn by_the_book(&self, attempting: &Attempting, prices: &PriceBook) -> (Cost, Cow<'static, str>) {
        let (target, lead) = (&*attempting.target, &attempting.lead);
        let model = match &self.model {
            Some(model) if prices.entry(target).is_none() => model,
            _ => priced(target, lead, prices),
        };
        let region = &*attempting.provider.region;
        let found = prices.price(Ask { model, region, tier: &self.tier, usage: &self.usage });
        let mut said = found.basis.said();
        if model == target
            && let (Err(Reason::UnknownModel), Some(why)) = (found.basis.applied, why_unpriced(lead))
        {
            said = Cow::Owned(format!("no price: {why}"));
        }
        if self.untold {
            said.to_mut().push_str("; what the guardrail used was not told");
        }
        (found.cost, said)
    }
}

/// Why a target that no row names has no price.
fn why_unpriced(lead: &Lead) -> Option<&str> {
    match lead {
        Lead::Itself => None,
        Lead::Nowhere(why) => Some(why),
        Lead::To(targets) => match targets.billed {
            Billed::AsModel => None,
            Billed::AsAnswered => Some("the answer does not say which model the prompt router chose"),
            Billed::ByTime => Some("provisioned throughput is paid by the hour"),
        },
    }
}

/// Usage of an answer that never said it in full: the prompt as far as the stream told, else as it was expected;
/// the output by the bytes that were seen, bounded by what was asked for. Four bytes a token is the customary rule for
/// English.
fn estimate(attempting: &Attempting, metered: &Metered) -> Usage {
    let bound = attempting.max_tokens.unwrap_or(u64::MAX);
    let prompt = match &metered.prompt {
        Some(told) => Usage::clone(told),
        None => Usage { input: attempting.estimate.tokens, ..Usage::default() },
    };
    Usage { output: metered.output_bytes.div_ceil(4).min(bound), ..prompt }
}
