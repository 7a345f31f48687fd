//! One line.

use bedplate_core::budget::{Blocked, BudgetId, Charge, Unit as BudgetUnit, Why};
use bedplate_core::cache::{Mark, Skip};
use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::rate::Throttled;
use bedplate_core::record::{Degraded, Ending, Outcome};
use bedplate_core::refusal::{Code, Stage};
use bedplate_core::usage::{Unit, UsageBasis};
use serde::Serialize;

/// The fields of a line, in their order. What is unknown is left out, but for the fields that a
/// query filters on: those are always there.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    time: String,
    call: CallId,
    ending: Ending,
    status: u16,
    operation: Option<Operation>,
    model: &'a str,
    team: &'a str,
    feature: &'a str,
    environment: &'a str,
    key: Option<&'a str>,
    dialect: Dialect,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    attempts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_request_id: Option<&'a str>,
    input_tokens: u64,
    cache_read_tokens: u64,
    cache_write_5m_tokens: u64,
    cache_write_1h_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    units: &'a [(Unit, u64)],
    usage_basis: UsageBasis,
    cost_nanos: i64,
    cost_known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<Degraded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_skip: Option<Skip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_call: Option<CallId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avoided_cost_nanos: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avoided_cost_known: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'a str>,
    total_us: u64,
    overhead_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_read_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_latency_ms: Option<u64>,
    bytes_in: u64,
    bytes_out: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    edits: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    charges: Vec<ChargeLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<BlockedLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttled: Option<&'a Throttled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounded_tokens: Option<u64>,
}

/// What a call spends of a budget, in the budget's unit.
#[derive(Debug, Serialize)]
struct ChargeLine<'a> {
    budget: &'a BudgetId,
    account: &'a str,
    amount: i64,
}

/// Why a call did not fit into a budget.
#[derive(Debug, Serialize)]
struct BlockedLine<'a> {
    budget: &'a BudgetId,
    account: &'a str,
    why: Why,
    unit: BudgetUnit,
    limit: i64,
    need: i64,
    settled: i64,
    granted: i64,
    unknown: i64,
    held: i64,
    unrecorded: i64,
    free: i64,
}

impl<'a> ChargeLine<'a> {
    fn of(charge: &'a Charge) -> Self {
        let account = &charge.window.account;
        Self { budget: &account.budget, account: &account.of, amount: charge.amount }
    }
}

impl<'a> BlockedLine<'a> {
    fn of(blocked: &'a Blocked) -> Self {
        let Blocked { window, unit, limit, need, stand, held, unrecorded, free, why } = blocked;
        Self {
            budget: &window.account.budget,
            account: &window.account.of,
            why: *why,
            unit: *unit,
            limit: *limit,
            need: *need,
            settled: stand.settled,
            granted: stand.granted,
            unknown: stand.unknown,
            held: *held,
            unrecorded: *unrecorded,
            free: *free,
        }
    }
}

impl<'a> Line<'a> {
    pub fn of(outcome: &'a Outcome) -> Self {
        let call = &outcome.call;
        let last = outcome.attempts.last();
        let cache = call.cache.as_deref();
        let avoided = cache.and_then(|c| c.avoided.as_ref());
        Self {
            time: call.admitted_at.to_string(),
            call: call.id,
            ending: call.ending,
            status: call.status,
            operation: call.operation,
            model: &call.model,
            team: &call.team,
            feature: &call.feature,
            environment: &call.environment,
            key: call.key.as_ref().map(|k| &*k.0),
            dialect: call.dialect,
            user: call.user.as_deref(),
            chain: call.chain.as_deref(),
            prompt: call.prompt.as_deref().map(|prompt| &*prompt.name),
            prompt_version: call.prompt.as_deref().map(|prompt| &*prompt.version),
            trace: call.trace.as_deref(),
            code: call.code,
            stage: call.stage,
            error: call.error.as_deref(),
            attempts: outcome.attempts.len(),
            provider: last.map(|a| &*a.provider),
            region: last.map(|a| &*a.region),
            target: last.map(|a| &*a.target),
            tier: last.map(|a| a.tier.as_str()).filter(|t| !t.is_empty()),
            upstream_request_id: last.and_then(|a| a.upstream_request_id.as_deref()),
            input_tokens: call.usage.input,
            cache_read_tokens: call.usage.cache_read,
            cache_write_5m_tokens: call.usage.cache_write_5m,
            cache_write_1h_tokens: call.usage.cache_write_1h,
            output_tokens: call.usage.output,
            reasoning_tokens: call.usage.reasoning,
            units: &call.usage.units,
            usage_basis: call.basis,
            cost_nanos: call.cost.priced().0,
            cost_known: call.cost.is_known(),
            price_version: last.map(|a| &*a.price_version).filter(|v| !v.is_empty()),
            cache: cache.map(|c| c.mark),
            degraded: call.degraded,
            cache_skip: cache.and_then(|c| c.skip),
            cache_call: avoided.map(|a| a.call),
            avoided_cost_nanos: avoided.map(|a| a.cost.priced().0),
            avoided_cost_known: avoided.map(|a| a.cost.is_known()),
            stop_reason: call.stop_reason.as_deref(),
            total_us: call.timings.total,
            overhead_us: call.timings.overhead,
            body_read_us: call.timings.body_read,
            cleared_us: call.timings.cleared,
            queued_us: call.timings.queued,
            first_byte_us: call.timings.first_byte,
            first_token_us: call.timings.first_token,
            upstream_latency_ms: last.and_then(|a| a.timings.upstream_latency_ms),
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            edits: &call.edits,
            charges: call.charges.iter().map(ChargeLine::of).collect(),
            blocked: call.blocked.as_deref().map(BlockedLine::of),
            throttled: call.throttled.as_deref(),
            bounded_tokens: call.bounded,
        }
    }
}
