//! The application inference profile of a tenant, called in place of the model that its caller named.

use std::sync::Arc;

use bedplate_core::refusal::{Code, Refusal};
use bedplate_cost::named;

use super::{carries_metadata, lead};
use crate::admit::{Admitted, names_a_model};
use crate::provider::{Lead, Provider, Tenancy};
use crate::settle::notes::Notes;

/// What is called.
pub(super) struct Chosen {
    pub(super) target: Arc<str>,
    pub(super) lead: Lead,
    /// For the record, when a tenant has a profile of the model.
    pub(super) said: Option<String>,
}

/// Takes the profile of the caller's tenant, where it leads to the model that was named: then price and rights are the
/// model's. Where it leads elsewhere, or nobody can say where, the model itself is called, and the record says why.
/// `lead` is that of the name.
///
/// # Errors
/// `BP1101` when the caller names another tenant's profile, and so whom the call is counted on at AWS.
pub(super) async fn choose(
    admitted: &Admitted,
    provider: &Arc<dyn Provider>,
    name: &str,
    lead: Lead,
    notes: &mut Notes,
) -> Result<Chosen, Refusal> {
    let call = &admitted.call;
    let as_named = |lead, said| Chosen { target: name.into(), lead, said };
    if !names_a_model(call.operation) {
        return Ok(as_named(lead, None));
    }
    let model = match &lead {
        Lead::Itself => named(name),
        Lead::To(_) | Lead::Nowhere(_) => None,
    };
    let profile = match (provider.tenancy(&admitted.principal, name, model), model) {
        (Tenancy::Foreign, _) => {
            let said = format!(
                "key {} may not call the inference profile `{}` of another tenant",
                call.key.id, call.name,
            );
            return Err(Refusal::new(Code::ModelNotAllowed, said));
        }
        (Tenancy::Profile(arn), Some(model)) if carries_metadata(call.operation) => (arn, model),
        (Tenancy::AsNamed | Tenancy::Profile(_), _) => return Ok(as_named(lead, None)),
    };
    let (arn, model) = profile;
    let behind = lead::behind(provider, &arn, notes).await;
    let why = match (&behind, behind.model()) {
        (_, Some(other)) if **other == *model => {
            let said = format!("model {model} by its inference profile {arn}");
            return Ok(Chosen { target: arn, lead: behind, said: Some(said) });
        }
        (_, Some(other)) => format!("it leads to {other}"),
        (Lead::Nowhere(why), _) => why.to_string(),
        (Lead::Itself | Lead::To(_), None) => "it is no application inference profile".into(),
    };
    Ok(as_named(lead, Some(format!("inference profile {arn} not used: {why}"))))
}
