//! Who calls, and may they.

pub(crate) mod keyring;

use std::sync::Arc;

use bedplate_core::call::Operation;
use bedplate_core::principal::Principal;
use bedplate_core::refusal::{Code, Refusal};

use crate::call::Call;
use crate::compose::routes::Routes;
use crate::settle::record::Record;

/// A call whose caller is proven and allowed, but for the model behind an ARN. Only [`admit`] makes one.
pub(crate) struct Admitted {
    pub(crate) call: Call,
    pub(crate) principal: Principal,
}

/// Checks the proof, then the rights.
pub(crate) fn admit(
    call: Call,
    record: &mut Record,
    allowed: &[Operation],
    routes: &Routes,
) -> Result<Admitted, Refusal> {
    let principal = prove(&call)?;
    record.admitted(&principal);
    authorize(&call, allowed, routes)?;
    Ok(Admitted { call, principal })
}

/// Checks the proof; says whom the call is counted on.
pub(crate) fn prove(call: &Call) -> Result<Principal, Refusal> {
    call.evidence.verify()?;
    principal(call)
}

/// Whom the call is counted on: the key's principal, with the feature the caller picked among those
/// its key allows.
fn principal(call: &Call) -> Result<Principal, Refusal> {
    let mut principal = call.key.principal.clone();
    if let Some(asked) = &call.tags.feature
        && **asked != *principal.feature
    {
        match call.key.features.iter().find(|f| ***f == **asked) {
            Some(feature) => principal.feature = Arc::clone(feature),
            None => {
                return Err(Refusal::new(
                    Code::FeatureNotAllowed,
                    format!("key {} may not name the feature `{asked}` in x-bedplate-feature", call.key.id),
                ));
            }
        }
    }
    Ok(principal)
}

fn authorize(call: &Call, allowed: &[Operation], routes: &Routes) -> Result<(), Refusal> {
    let op = call.operation;
    if op == Operation::InvokeModelWithBidirectionalStream {
        return Err(Refusal::new(
            Code::OperationNotAllowed,
            "bedplate does not carry bidirectional streams: each input frame is signed with the caller's key",
        ));
    }
    if op.by_permission() && !allowed.contains(&op) {
        return Err(Refusal::new(
            Code::OperationNotAllowed,
            format!("the operation {op} is not allowed here: an operator can add it to `[operations] allow`"),
        ));
    }
    if op == Operation::StartAsyncInvoke && !call.key.models.is_empty() {
        return Err(Refusal::new(
            Code::ModelNotAllowed,
            format!(
                "key {} may call certain models only, and {op} names its model where it is not checked",
                call.key.id
            ),
        ));
    }
    // what an ARN or an alias leads to is not known yet: compose looks
    let leads = call.name.starts_with("arn:") || routes.alias(op, &call.name).is_some();
    if names_a_model(op) && !leads && !call.key.allows_model(&call.name) {
        return Err(model_not_allowed(call));
    }
    Ok(())
}

pub(crate) fn model_not_allowed(call: &Call) -> Refusal {
    let said = format!("key {} may not call the model `{}`", call.key.id, call.name);
    Refusal::new(Code::ModelNotAllowed, said)
}

pub(crate) fn names_a_model(op: Operation) -> bool {
    matches!(
        op,
        Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream
            | Operation::CountTokens
    )
}
