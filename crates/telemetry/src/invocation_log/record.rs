//! One record, `schemaVersion` 1.0.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bedplate_core::attribution::plain;
use bedplate_core::call::Operation;
use bedplate_core::clock::Timestamp;
use bedplate_core::record::{AttemptRow, CallRow, Outcome};
use serde::Serialize;

/// Stands for an account that is not known: AWS account ids have twelve digits.
pub(crate) const NO_ACCOUNT: &str = "000000000000";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record<'a> {
    schema_type: &'static str,
    schema_version: &'static str,
    timestamp: String,
    account_id: &'a str,
    identity: Identity,
    region: &'a str,
    request_id: Cow<'a, str>,
    operation: &'static str,
    model_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    request_metadata: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<Cow<'a, str>>,
    input: Input,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
}

#[derive(Debug, Serialize)]
struct Identity {
    arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    input_content_type: &'static str,
    input_token_count: u64,
    cache_read_input_token_count: u64,
    cache_write_input_token_count: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    output_content_type: &'static str,
    output_token_count: u64,
}

/// Whether Bedrock itself would log the call.
pub(crate) fn invokes(outcome: &Outcome) -> bool {
    matches!(
        outcome.call.operation,
        Some(
            Operation::Converse
                | Operation::ConverseStream
                | Operation::InvokeModel
                | Operation::InvokeModelWithResponseStream
        )
    )
}

impl<'a> Record<'a> {
    pub(crate) fn of(call: &'a CallRow, attempt: &'a AttemptRow) -> Self {
        let account = if attempt.account.is_empty() { NO_ACCOUNT } else { &attempt.account };
        let key = call.key.as_ref().map_or("none", |k| &k.0);
        let error = match (&attempt.error, attempt.code) {
            (Some(error), _) => Some(Cow::from(error)),
            (None, Some(code)) => Some(Cow::from(code.to_string())),
            (None, None) => None,
        };
        let usage = &attempt.usage;
        Self {
            schema_type: "ModelInvocationLog",
            schema_version: "1.0",
            timestamp: Timestamp::from_secs(call.admitted_at.secs()).to_string(),
            account_id: account,
            identity: Identity { arn: format!("arn:aws:iam::{account}:user/bedplate/{}/{key}", call.team) },
            region: &attempt.region,
            request_id: match &attempt.upstream_request_id {
                Some(id) => Cow::from(id),
                None => Cow::from(call.id.to_string()),
            },
            operation: call.operation.map_or("", Operation::name),
            model_id: &attempt.target,
            request_metadata: metadata(call),
            input: Input {
                input_content_type: "application/json",
                input_token_count: usage.input,
                cache_read_input_token_count: usage.cache_read,
                cache_write_input_token_count: usage.cache_write_5m + usage.cache_write_1h,
            },
            output: error.is_none().then_some(Output {
                output_content_type: "application/json",
                output_token_count: usage.output,
            }),
            error_code: error,
        }
    }
}

/// Request metadata as it was sent: the caller's own pairs, and those that bedplate stamped.
fn metadata(call: &CallRow) -> BTreeMap<&str, Cow<'_, str>> {
    let id = call.id.to_string();
    let written = |(name, value): (&'static str, &str)| (name, Cow::from(plain(value).collect::<String>()));
    let attribution = call.attribution();
    let ours: Vec<_> = attribution.pairs(&id).take(call.stamped.into()).map(written).collect();
    let theirs = call.metadata.iter().map(|(name, value)| (&**name, Cow::from(&**value)));
    theirs.chain(ours).collect()
}
