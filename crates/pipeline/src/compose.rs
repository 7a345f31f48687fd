//! What the model will be sent: the target, and our edits to the request.

pub(crate) mod routes;

use std::sync::Arc;

use bedplate_core::call::{CallId, Operation};
use bedplate_core::refusal::Refusal;
use bedplate_core::view::Edits;

use crate::admit::Admitted;
use crate::provider::Provider;
use crate::settle::record::Record;
use routes::Routes;

/// A call with its target. Only [`compose`] makes one.
pub(crate) struct Composed {
    pub(crate) admitted: Admitted,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) target: Arc<str>,
    pub(crate) edits: Edits,
}

/// Metadata keys that are ours: a caller who uses the prefix is refused.
const RESERVED: &str = "bedplate:";

pub(crate) fn compose(admitted: Admitted, routes: &Routes, record: &mut Record) -> Result<Composed, Refusal> {
    let provider = routes.provider(admitted.call.operation, &admitted.call.name)?;
    let target: Arc<str> = admitted.call.name.as_str().into();
    let mut edits = Edits::default();
    if provider.facts().stamps && carries_metadata(admitted.call.operation) {
        stamp(&admitted, record.id(), &mut edits)?;
    }
    record.composed(&edits);
    Ok(Composed { admitted, provider, target, edits })
}

/// Writes team, feature, environment and call id into the request's metadata, so that AWS's own logs
/// agree with ours.
fn stamp(admitted: &Admitted, id: CallId, edits: &mut Edits) -> Result<(), Refusal> {
    let p = &admitted.principal;
    let mut id_text = [0u8; uuid_len()];
    let id = id.0.as_hyphenated().encode_lower(&mut id_text);
    // in order of worth: what finds no room is dropped from the end
    let ours = [
        ("bedplate:call", &*id),
        ("bedplate:team", &p.team),
        ("bedplate:feature", &p.feature),
        ("bedplate:env", &p.environment),
    ];
    let stamped = admitted.call.body.view().stamp(&ours, RESERVED, edits)?;
    if stamped.dropped > 0 {
        edits.said.push(format!("requestMetadata: {} of ours found no room", stamped.dropped));
    }
    Ok(())
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
