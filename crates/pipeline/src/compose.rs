//! What the model will be sent: the target, and our edits to the request.

pub(crate) mod lead;
pub(crate) mod routes;
mod tenant;

use std::sync::Arc;

use bedplate_core::attribution::{Attribution, PromptUse, STAMPS};
use bedplate_core::call::{CallId, Operation};
use bedplate_core::refusal::Refusal;
use bedplate_core::view::{Edits, Stamped};

use crate::admit::Admitted;
use crate::provider::{Lead, Provider};
use crate::settle::record::Record;
use routes::Routes;
use tenant::Chosen;

/// A call with its target. Only [`compose`] makes one.
pub(crate) struct Composed {
    pub(crate) admitted: Admitted,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) target: Arc<str>,
    /// What the target leads to, and the model that decides how bodies are read: the target itself when nothing more
    /// is known.
    pub(crate) lead: Lead,
    pub(crate) model: Arc<str>,
    pub(crate) edits: Edits,
}

/// Metadata keys that are ours: a caller who uses the prefix is refused.
const RESERVED: &str = "bedplate:";

pub(crate) async fn compose(
    admitted: Admitted,
    routes: &Routes,
    record: &mut Record,
) -> Result<Composed, Refusal> {
    let provider = routes.provider(admitted.call.operation, &admitted.call.name)?;
    let lead = lead::lead(&admitted, &provider, record).await?;
    let Chosen { target, lead, said } = tenant::choose(&admitted, &provider, lead, record).await?;
    let model = match &lead {
        Lead::To(targets) => targets.models.first().map_or_else(|| Arc::clone(&target), Arc::clone),
        Lead::Itself | Lead::Nowhere(_) => Arc::clone(&target),
    };
    // callers write their prompts themselves
    let prompt: Option<PromptUse> = None;
    let mut edits = Edits::default();
    edits.said.extend(said);
    if carries_metadata(admitted.call.operation) {
        let stamped = stamp(&admitted, prompt.as_ref(), provider.facts().stamps, record.id(), &mut edits)?;
        record.stamped(stamped, std::mem::take(&mut edits.metadata));
    }
    record.composed(&edits, prompt);
    Ok(Composed { admitted, provider, target, lead, model, edits })
}

/// Writes the call id and what the call is counted on into the request's metadata, so that AWS's own logs
/// agree with ours. Where a provider is not stamped the caller's pairs are still read: ours are never
/// the caller's to write.
fn stamp(
    admitted: &Admitted,
    prompt: Option<&PromptUse>,
    stamps: bool,
    id: CallId,
    edits: &mut Edits,
) -> Result<Stamped, Refusal> {
    let (p, call) = (&admitted.principal, &admitted.call);
    let attribution = Attribution {
        team: &p.team,
        feature: &p.feature,
        environment: &p.environment,
        user: call.tags.user.as_deref(),
        chain: call.tags.chain.as_deref(),
        alias: &call.name,
        prompt,
    };
    let mut id_text = [0u8; uuid_len()];
    let id = id.0.as_hyphenated().encode_lower(&mut id_text);
    let (mut ours, mut n) = ([("", ""); STAMPS.len()], 0);
    for (place, pair) in ours.iter_mut().zip(attribution.pairs(id)) {
        *place = pair;
        n += 1;
    }
    let ours = if stamps { ours.get(..n).unwrap_or_default() } else { &[] };
    let stamped = call.body.view().stamp(ours, RESERVED, edits)?;
    if stamped.dropped > 0 {
        edits.said.push(format!("requestMetadata: {} of ours found no room", stamped.dropped));
    }
    Ok(stamped)
}

const fn uuid_len() -> usize {
    36
}

/// Bedrock takes metadata on inference calls only.
fn carries_metadata(op: Operation) -> bool {
    matches!(
        op,
        Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream
    )
}
