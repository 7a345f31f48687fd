//! What an ARN leads to, before it is priced and checked.

use std::sync::Arc;

use bedplate_core::refusal::Refusal;
use bedplate_cost::{PriceBook, named};

use crate::admit::{Admitted, model_not_allowed, names_a_model};
use crate::compose::Aim;
use crate::provider::{Lead, Leading, Provider};
use crate::settle::notes::Notes;

/// Finds the model behind a target, and refuses what the key may not call, unless the alias that leads there is on its
/// list (`listed`). Only the first call of an application inference profile waits for an answer.
///
/// # Errors
/// `BP1101` when neither the name nor what it leads to is on the key's list.
pub(super) async fn lead(
    admitted: &Admitted,
    provider: &Arc<dyn Provider>,
    name: &str,
    listed: bool,
    notes: &mut Notes,
) -> Result<Lead, Refusal> {
    let call = &admitted.call;
    if !names_a_model(call.operation) {
        return Ok(Lead::Itself);
    }
    let lead = behind(provider, name, notes).await;
    let allowed = |name: &str| call.key.allows_model(name);
    let behind = match &lead {
        Lead::Itself => named(name).is_some_and(allowed),
        // of several it is not known which will answer
        Lead::To(targets) => !targets.models.is_empty() && targets.models.iter().all(|model| allowed(model)),
        Lead::Nowhere(_) => false,
    };
    if listed || behind || allowed(name) {
        return Ok(lead);
    }
    let refusal = model_not_allowed(call);
    Err(match &lead {
        Lead::Nowhere(why) => refusal.because(why),
        Lead::Itself | Lead::To(_) => refusal,
    })
}

/// Asks what a target leads to.
pub(crate) async fn behind(provider: &Arc<dyn Provider>, target: &str, notes: &mut Notes) -> Lead {
    match Arc::clone(provider).lead(target) {
        Leading::Now(lead) => lead,
        Leading::Asked(asked) => {
            let began = notes.tick();
            let lead = asked.await;
            notes.waited(began);
            lead
        }
    }
}

impl Aim {
    /// Says in the record that the model nears its end, and what was tested in its place.
    pub(super) fn note_end(&mut self, replacement: Option<&str>, notes: &Notes) {
        let (prices, now) = (notes.prices(), notes.books.clock.now());
        let name = self.priced(&prices);
        let Some(life) = prices.life(name, now).filter(|life| life.is_near()) else { return };
        let instead =
            replacement.map_or_else(String::new, |other| format!(", tested in its place is {other}"));
        let said = format!("model {name}: {life}{instead}");
        self.edits.said.push(said);
    }

    /// The name that prices are looked up by. A row of the target's own stands over those of its model.
    pub(crate) fn priced(&self, prices: &PriceBook) -> &str {
        priced(&self.target, &self.lead, prices)
    }
}

/// The name that prices of a target are looked up by.
pub(crate) fn priced<'a>(target: &'a str, lead: &'a Lead, prices: &PriceBook) -> &'a str {
    match lead.model() {
        Some(model) if prices.entry(target).is_none() => model,
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Billed, Targets};

    #[test]
    fn a_row_of_the_targets_own_stands_over_its_models() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
        let to =
            |billed| Lead::To(Arc::new(Targets { models: vec!["us.amazon.nova-lite-v1:0".into()], billed }));
        let list = PriceBook::embedded();
        let profile = to(Billed::AsModel);
        assert_eq!(priced(arn, &profile, &list), "us.amazon.nova-lite-v1:0");
        let own = format!("[models.\"{arn}\"]\nprice = {{ input = 1, output = 2 }}");
        assert_eq!(priced(arn, &profile, &list.with_overrides(&own).unwrap()), arn);
        for other in [to(Billed::ByTime), to(Billed::AsAnswered), Lead::Itself, Lead::Nowhere("no".into())] {
            assert_eq!(priced(arn, &other, &list), arn, "{other:?}");
        }
    }
}
