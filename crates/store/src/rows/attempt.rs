//! One attempt as a row.

use std::borrow::Cow;

use bedplate_core::record::{AttemptRow, AttemptTimings};
use bedplate_core::usage::{Unit, UsageBasis};
use serde::{Deserialize, Serialize};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

use super::{Tokens, clean, code, cost, count, json, uncount};

pub(crate) const ATTEMPT_COLUMNS: &str = "call_id, n, provider, region, target, status, code, upstream_request_id, \
     input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, price_version, cost_nanos, cost_known, \
     total_us, detail";

/// An attempt on its way into the table; fields in the order of [`ATTEMPT_COLUMNS`].
pub(crate) struct AttemptColumns<'a> {
    pub(crate) call_id: Uuid,
    pub(crate) n: i64,
    pub(crate) provider: Cow<'a, str>,
    pub(crate) region: Cow<'a, str>,
    pub(crate) target: Cow<'a, str>,
    pub(crate) status: i64,
    pub(crate) code: Option<i64>,
    pub(crate) upstream_request_id: Option<Cow<'a, str>>,
    pub(crate) input: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write_5m: i64,
    pub(crate) cache_write_1h: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: Option<i64>,
    pub(crate) price_version: Cow<'a, str>,
    pub(crate) cost_nanos: i64,
    pub(crate) cost_known: bool,
    pub(crate) total_us: i64,
    pub(crate) detail: String,
}

#[derive(Serialize, Deserialize)]
struct Detail<'a> {
    #[serde(default)]
    account: Cow<'a, str>,
    #[serde(default)]
    tier: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    units: Cow<'a, [(Unit, u64)]>,
    #[serde(default)]
    basis: UsageBasis,
    timings: AttemptTimings,
}

impl<'a> AttemptColumns<'a> {
    pub(crate) fn of(call: Uuid, row: &'a AttemptRow) -> Result<Self, sqlx::Error> {
        let usage = &row.usage;
        let detail = Detail {
            account: Cow::from(&*row.account),
            tier: Cow::from(&row.tier),
            error: row.error.as_deref().map(Cow::from),
            units: Cow::from(&usage.units),
            basis: row.basis,
            timings: row.timings,
        };
        Ok(Self {
            call_id: call,
            n: i64::from(row.n),
            provider: clean(&row.provider),
            region: clean(&row.region),
            target: clean(&row.target),
            status: i64::from(row.status),
            code: row.code.map(|c| i64::from(c.number())),
            upstream_request_id: row.upstream_request_id.as_deref().map(clean),
            input: count(usage.input),
            cache_read: count(usage.cache_read),
            cache_write_5m: count(usage.cache_write_5m),
            cache_write_1h: count(usage.cache_write_1h),
            output: count(usage.output),
            reasoning: usage.reasoning.map(count),
            price_version: clean(&row.price_version),
            cost_nanos: row.cost.priced().0,
            cost_known: row.cost.is_known(),
            total_us: count(row.timings.total),
            detail: serde_json::to_string(&detail).map_err(|e| sqlx::Error::Encode(e.into()))?,
        })
    }
}

/// An attempt read back, and the call it belongs to.
pub(crate) struct StoredAttempt {
    pub(crate) call: Uuid,
    pub(crate) row: AttemptRow,
}

impl<'r, R: Row> FromRow<'r, R> for StoredAttempt
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let detail: Detail<'_> = json(&text("detail")?)?;
        let tokens = Tokens {
            input: row.try_get("input")?,
            cache_read: row.try_get("cache_read")?,
            cache_write_5m: row.try_get("cache_write_5m")?,
            cache_write_1h: row.try_get("cache_write_1h")?,
            output: row.try_get("output")?,
            reasoning: row.try_get("reasoning")?,
        };
        let attempt = AttemptRow {
            n: u16::try_from(row.try_get::<i64, _>("n")?).unwrap_or(0),
            provider: text("provider")?.into(),
            region: text("region")?.into(),
            account: detail.account.into(),
            target: text("target")?.into(),
            tier: detail.tier.into_owned(),
            status: u16::try_from(row.try_get::<i64, _>("status")?).unwrap_or(0),
            upstream_request_id: row.try_get("upstream_request_id")?,
            code: code(row.try_get("code")?)?,
            error: detail.error.map(Cow::into_owned),
            usage: tokens.usage(detail.units.into_owned()),
            basis: detail.basis,
            price_version: text("price_version")?.into(),
            cost: cost(row.try_get("cost_nanos")?, row.try_get("cost_known")?),
            timings: AttemptTimings { total: uncount(row.try_get("total_us")?), ..detail.timings },
        };
        Ok(Self { call: row.try_get("call_id")?, row: attempt })
    }
}
