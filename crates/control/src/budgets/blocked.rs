//! Why a call found no room, and what would have made it fit.

use bedplate_core::budget::{Blocked, BudgetId, Unit, Why};
use bedplate_core::call::CallId;
use bedplate_core::record::CallRow;
use bedplate_core::refusal::Code;
use bedplate_cost::budget::Period;
use serde::Serialize;

use super::view::unit;
use super::{BudgetError, Known, Treasurer};

/// One call that a budget blocked, with the numbers of that moment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explained {
    pub call: CallId,
    /// When the call came, RFC 3339.
    pub at: String,
    pub code: Option<Code>,
    pub model: String,
    pub budget: BudgetId,
    /// `team=support`; empty where the budget has one account.
    pub account: String,
    /// When the window began.
    pub window: String,
    pub why: Why,
    #[serde(serialize_with = "unit")]
    pub unit: Unit,
    /// What blocked, in the budget's unit like all amounts.
    pub limit: i64,
    /// The least that the call had to hold.
    pub need: i64,
    /// Over the period, by all nodes, as the ledger last said.
    pub settled: i64,
    pub held: i64,
    pub unknown: i64,
    /// What could still be spent there: left in the ledger, and free on the node that refused. Below 0 when more was
    /// spent than the limit.
    pub left: i64,
    /// Of what was held, by calls on their way through that node.
    pub held_here: i64,
    /// Of what was held, spent there by calls whose records the ledger had not heard of.
    pub unrecorded: i64,
    /// In words.
    pub because: String,
    /// What would have made it fit, each by itself.
    pub fits_with: Vec<String>,
}

impl Treasurer {
    /// Explains a block.
    ///
    /// # Errors
    /// [`BudgetError::NoCall`], [`BudgetError::NotBlocked`], and the ledger's.
    pub async fn why_blocked(&self, id: CallId) -> Result<Explained, BudgetError> {
        let call = self.ledger.call(id).await?.ok_or(BudgetError::NoCall(id))?.call;
        let Some(blocked) = call.blocked.as_deref() else {
            return Err(BudgetError::NotBlocked(id, call.ending));
        };
        let known = self.known(&blocked.window.account.budget.0).await;
        let known = match known {
            Ok(known) => Some(known),
            Err(BudgetError::NotFound(_)) => None,
            Err(e) => return Err(e),
        };
        Ok(explain(&call, blocked, known.as_ref()))
    }
}

fn explain(call: &CallRow, blocked: &Blocked, known: Option<&Known>) -> Explained {
    let Blocked { window, unit, limit, need, stand, held, unrecorded, free, why } = blocked;
    let left = limit.saturating_sub(stand.taken()).saturating_add(*free);
    Explained {
        call: call.id,
        at: call.admitted_at.to_string(),
        code: call.code,
        model: call.model.clone(),
        budget: window.account.budget.clone(),
        account: window.account.of.to_string(),
        window: window.starts.to_string(),
        why: *why,
        unit: *unit,
        limit: *limit,
        need: *need,
        settled: stand.settled,
        held: stand.granted,
        unknown: stand.unknown,
        left,
        held_here: *held,
        unrecorded: *unrecorded,
        because: because(*why).to_owned(),
        fits_with: fits(call, blocked, left, known),
    }
}

fn because(why: Why) -> &'static str {
    match why {
        Why::Spent => "what is spent leaves less than the call may cost",
        Why::Held => {
            "it would fit if calls on their way cost less than the worst case they hold: perhaps blocked for nothing"
        }
        Why::Unknown => "it would fit but for spending that nobody recorded",
        Why::TooLarge => "the call may cost more than the whole limit",
        Why::Unpriced => {
            "nobody can say what the call may spend: a price is unknown, or how many tokens there may be"
        }
        Why::Unreachable => "the ledger could not be asked for more than this node had drawn",
    }
}

fn fits(call: &CallRow, blocked: &Blocked, left: i64, known: Option<&Known>) -> Vec<String> {
    let Blocked { window, unit, need, stand, why, .. } = blocked;
    let (show, budget) = (|amount: i64| unit.show(amount), &window.account.budget);
    // of a budget that stops below its limit a part is not to be had
    let part = known.and_then(|known| known.budget.stops()).map_or(100, |rung| i128::from(rung.at.0).max(1));
    let limit = |amount: i64| {
        let whole = (i128::from(amount) * 100 + part - 1) / part;
        format!("a limit of {} or more", show(i64::try_from(whole).unwrap_or(i64::MAX)))
    };
    let smaller = "fewer output tokens (`maxTokens`) or a shorter prompt";
    let mut fits = Vec::new();
    match why {
        Why::TooLarge => fits.extend([limit(*need), smaller.to_owned()]),
        Why::Unpriced => fits.extend([
            format!(
                "what is missing of `{}` in `bedplate cost prices show`, in the file that `[prices] overrides` names",
                call.model
            ),
            "`unpriced = \"allow\"` in the budget: only the known part of such calls is counted then"
                .to_owned(),
        ]),
        Why::Unreachable => fits.extend([
            "a ledger that answers: `bedplate doctor`".to_owned(),
            "`outage = \"open\"` in the budget: calls are counted and not limited then".to_owned(),
        ]),
        Why::Spent | Why::Held | Why::Unknown => {
            if *why == Why::Held {
                let back =
                    show(stand.granted.saturating_sub(blocked.unrecorded).saturating_sub(blocked.free));
                fits.push(format!(
                    "waiting for calls on their way: up to {back} may come back (`[budgets] wait`)"
                ));
            }
            fits.push(limit(stand.taken().saturating_add(*need).saturating_sub(blocked.free)));
            if left > 0 {
                fits.push(format!("a call that may cost {} or less: {smaller}", show(left)));
            }
            if stand.unknown > 0 {
                let unknown = show(stand.unknown);
                fits.push(format!("saying what became of {unknown}: `bedplate budget reconcile {budget}`"));
            }
            if let Some(Known { budget, .. }) = known
                && matches!(budget.period, Period::Calendar(..))
            {
                fits.push(format!("the next period, from {} on", budget.period.part(window.starts).ends));
            }
        }
    }
    fits
}
