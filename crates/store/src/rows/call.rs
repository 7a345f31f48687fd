//! One call as a row.

use std::borrow::Cow;
use std::sync::Arc;

use bedplate_core::attribution::PromptUse;
use bedplate_core::budget::{Blocked, Charge};
use bedplate_core::cache::CacheUse;
use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::key::KeyId;
use bedplate_core::rate::Throttled;
use bedplate_core::record::{CallRow, Degraded, Ending, Outcome, Timings};
use bedplate_core::refusal::Stage;
use bedplate_core::usage::{Unit, UsageBasis};
use serde::{Deserialize, Serialize};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

use super::{Tokens, bounded, clean, code, cost, count, json, shared, to_json, uncount};

pub(crate) const CALL_COLUMNS: &str = "id, admitted_at, team, feature, environment, key_id, chain, code, ending, \
     model, status, input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, cost_known, \
     total_us, detail, attempts";

/// A call on its way into the table, with its attempts; fields in the order of [`CALL_COLUMNS`].
pub(crate) struct CallColumns<'a> {
    pub(crate) id: Uuid,
    pub(crate) admitted_at: i64,
    pub(crate) team: Arc<str>,
    pub(crate) feature: Arc<str>,
    pub(crate) environment: Arc<str>,
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) chain: Option<Cow<'a, str>>,
    pub(crate) code: Option<i64>,
    pub(crate) ending: &'static str,
    pub(crate) model: Cow<'a, str>,
    pub(crate) status: i64,
    pub(crate) input: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write_5m: i64,
    pub(crate) cache_write_1h: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: Option<i64>,
    pub(crate) cost_nanos: i64,
    pub(crate) cost_known: bool,
    pub(crate) total_us: i64,
    pub(crate) detail: String,
    pub(crate) attempts: String,
}

/// What nobody asks by.
#[derive(Serialize, Deserialize)]
struct Detail<'a> {
    dialect: Dialect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<Cow<'a, PromptUse>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_span: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    units: Cow<'a, [(Unit, u64)]>,
    #[serde(default)]
    basis: UsageBasis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_reason: Option<Cow<'a, str>>,
    timings: Timings,
    #[serde(default)]
    bytes_in: u64,
    #[serde(default)]
    bytes_out: u64,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    edits: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    metadata: Cow<'a, [(String, String)]>,
    #[serde(default)]
    stamped: u8,
    #[serde(default)]
    unstamped: u8,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    charges: Cow<'a, [Charge]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocked: Option<Cow<'a, Blocked>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throttled: Option<Cow<'a, Throttled>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bounded: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache: Option<Cow<'a, CacheUse>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    degraded: Option<Degraded>,
}

impl<'a> CallColumns<'a> {
    pub(crate) fn of(outcome: &'a Outcome) -> Result<Self, sqlx::Error> {
        let row = &outcome.call;
        let usage = &row.usage;
        Ok(Self {
            id: row.id.0,
            admitted_at: row.admitted_at.0.max(0),
            team: shared(&row.team),
            feature: shared(&row.feature),
            environment: shared(&row.environment),
            key_id: row.key.as_ref().map(|k| shared(&k.0)),
            chain: row.chain.as_deref().map(bounded),
            code: row.code.map(|c| i64::from(c.number())),
            ending: row.ending.name(),
            model: clean(&row.model),
            status: i64::from(row.status),
            input: count(usage.input),
            cache_read: count(usage.cache_read),
            cache_write_5m: count(usage.cache_write_5m),
            cache_write_1h: count(usage.cache_write_1h),
            output: count(usage.output),
            reasoning: usage.reasoning.map(count),
            cost_nanos: row.cost.priced().0,
            cost_known: row.cost.is_known(),
            total_us: count(row.timings.total),
            detail: detail(row)?,
            attempts: to_json(&outcome.attempts)?,
        })
    }
}

fn detail(row: &CallRow) -> Result<String, sqlx::Error> {
    let detail = Detail {
        dialect: row.dialect,
        operation: row.operation,
        user: row.user.as_deref().map(Cow::from),
        prompt: row.prompt.as_deref().map(Cow::Borrowed),
        trace: row.trace.as_deref().map(Cow::from),
        parent_span: row.parent_span.as_deref().map(Cow::from),
        stage: row.stage,
        error: row.error.as_deref().map(Cow::from),
        units: Cow::from(&row.usage.units),
        basis: row.basis,
        stop_reason: row.stop_reason.as_deref().map(Cow::from),
        timings: row.timings,
        bytes_in: row.bytes_in,
        bytes_out: row.bytes_out,
        edits: Cow::from(&row.edits),
        metadata: Cow::from(&row.metadata),
        stamped: row.stamped,
        unstamped: row.unstamped,
        charges: Cow::from(&row.charges),
        blocked: row.blocked.as_deref().map(Cow::Borrowed),
        throttled: row.throttled.as_deref().map(Cow::Borrowed),
        bounded: row.bounded,
        cache: row.cache.as_deref().map(Cow::Borrowed),
        degraded: row.degraded,
    };
    to_json(&detail)
}

/// A call and its attempts read back; one reading for every database.
pub(crate) struct StoredCall(pub(crate) Outcome);

impl<'r, R: Row> FromRow<'r, R> for StoredCall
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let text = |column: &str| row.try_get::<String, _>(column).map(Arc::<str>::from);
        let detail: Detail<'_> = json(&row.try_get::<String, _>("detail")?)?;
        let tokens = Tokens {
            input: row.try_get("input")?,
            cache_read: row.try_get("cache_read")?,
            cache_write_5m: row.try_get("cache_write_5m")?,
            cache_write_1h: row.try_get("cache_write_1h")?,
            output: row.try_get("output")?,
            reasoning: row.try_get("reasoning")?,
        };
        let call = CallRow {
            id: CallId(row.try_get("id")?),
            admitted_at: Timestamp(row.try_get("admitted_at")?),
            dialect: detail.dialect,
            operation: detail.operation,
            model: row.try_get("model")?,
            key: row.try_get::<Option<String>, _>("key_id")?.map(|k| KeyId(k.into())),
            team: text("team")?,
            feature: text("feature")?,
            environment: text("environment")?,
            user: detail.user.map(Cow::into_owned),
            chain: row.try_get("chain")?,
            prompt: detail.prompt.map(|p| Box::new(p.into_owned())),
            trace: detail.trace.map(Cow::into_owned),
            parent_span: detail.parent_span.map(Cow::into_owned),
            ending: ending(&row.try_get::<String, _>("ending")?)?,
            status: u16::try_from(row.try_get::<i64, _>("status")?).unwrap_or(0),
            code: code(row.try_get("code")?)?,
            stage: detail.stage,
            error: detail.error.map(Cow::into_owned),
            usage: tokens.usage(detail.units.into_owned()),
            basis: detail.basis,
            cost: cost(row.try_get("cost_nanos")?, row.try_get("cost_known")?),
            stop_reason: detail.stop_reason.map(Cow::into_owned),
            timings: Timings { total: uncount(row.try_get("total_us")?), ..detail.timings },
            bytes_in: detail.bytes_in,
            bytes_out: detail.bytes_out,
            edits: detail.edits.into_owned(),
            metadata: detail.metadata.into_owned(),
            stamped: detail.stamped,
            unstamped: detail.unstamped,
            charges: detail.charges.into_owned(),
            blocked: detail.blocked.map(|b| Box::new(b.into_owned())),
            throttled: detail.throttled.map(|t| Box::new(t.into_owned())),
            bounded: detail.bounded,
            cache: detail.cache.map(|c| Box::new(c.into_owned())),
            degraded: detail.degraded,
        };
        Ok(Self(Outcome { call, attempts: json(&row.try_get::<String, _>("attempts")?)? }))
    }
}

fn ending(name: &str) -> Result<Ending, sqlx::Error> {
    [Ending::Answered, Ending::Refused, Ending::Failed, Ending::Cut, Ending::Abandoned]
        .into_iter()
        .find(|e| e.name() == name)
        .ok_or_else(|| sqlx::Error::Decode(format!("no such ending: `{name}`").into()))
}
