//! Every metric: its name, labels and meaning. The one table for code, documentation and dashboards.

use prometheus_client::metrics::MetricType;

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Without the `_total` that counters end in when they are written.
    pub(crate) stem: &'static str,
    pub(crate) kind: MetricType,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl Metric {
    /// The name to query: `bedplate_calls_total`; of a histogram without `_bucket`.
    pub fn name(&self) -> String {
        match self.kind {
            MetricType::Counter => format!("{}_total", self.stem),
            _ => self.stem.to_owned(),
        }
    }

    /// `counter`, `gauge` or `histogram`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            _ => "unknown",
        }
    }
}

macro_rules! metrics {
    ($($name:ident = $stem:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        $(pub(crate) const $name: Metric =
            Metric { stem: $stem, kind: MetricType::$kind, labels: &[$($label),*], help: $help };)*

        /// Every metric that `/metrics` shows.
        pub const METRICS: &[Metric] = &[$($name),*];
    };
}

metrics! {
    CALLS = "bedplate_calls", Counter, ["model", "team", "feature", "operation", "ending"],
        "Calls settled, by how they ended";
    DURATION = "bedplate_call_duration_seconds", Histogram, ["model", "feature", "operation"],
        "From the first byte of the request to the last of the answer; calls that reached an upstream";
    FIRST_TOKEN = "bedplate_first_token_seconds", Histogram, ["model", "feature", "operation"],
        "From the first byte of the request to the first token of a stream";
    OUTPUT_TOKEN = "bedplate_output_token_seconds", Histogram, ["model", "feature"],
        "Mean time between the output tokens of a stream, one observation a call";
    OVERHEAD = "bedplate_overhead_seconds", Histogram, ["operation"],
        "What bedplate itself added: the total less the waits for the caller's body and for the upstream";
    TIMEOUTS = "bedplate_timeouts", Counter, ["model", "phase"],
        "Deadlines that passed, by phase: connect, first_token, idle, total";
    TOKENS = "bedplate_tokens", Counter, ["model", "team", "feature", "kind"],
        "Tokens, in disjoint kinds: input, cache_read, cache_write_5m, cache_write_1h, output";
    UNITS = "bedplate_units", Counter, ["unit"],
        "What is not counted in tokens: queries, images, seconds, guardrail text units";
    COST = "bedplate_cost_usd", Counter, ["model", "team", "feature"],
        "Dollars by the price book; of calls whose cost is not fully known, the known part";
    UNPRICED = "bedplate_unpriced_calls", Counter, ["model", "team", "feature"],
        "Calls whose cost is not fully known";
    CACHE = "bedplate_cache_calls", Counter, ["model", "team", "feature", "result"],
        "Calls that a rule of the cache concerns: hit, miss, bypass, stale";
    DEGRADED = "bedplate_degraded", Counter, ["model", "by"],
        "Answers that are less than was asked for: lighter-model, stale, static";
    BREAKER = "bedplate_breaker_state", Gauge, ["provider", "model"],
        "Whether a target of an alias is asked: 0 closed, 1 gets a growing part of its calls, 2 one call at a time, 3 open";
    HEDGES = "bedplate_hedges", Counter, ["alias", "won"],
        "Calls of which a second request was sent while the first was slow, by whose answer was given: first, second, neither";
    AVOIDED = "bedplate_cache_avoided_usd", Counter, ["model", "team", "feature"],
        "Dollars that kept answers spared, by the price book of their moment; not part of what was spent";
    AVOIDED_TOKENS = "bedplate_cache_avoided_tokens", Counter, ["model", "team", "feature", "kind"],
        "Tokens that kept answers spared, in the kinds of bedplate_tokens";
    REFUSALS = "bedplate_refusals", Counter, ["code"],
        "Calls that ended with a code of bedplate's own; BP4008 is an upstream's error passed on";
    BUDGET_LIMIT = "bedplate_budget_limit", Gauge, ["budget", "unit"],
        "What each account of a budget may spend over its period, in dollars or tokens";
    BUDGET_SETTLED = "bedplate_budget_settled", Gauge, ["budget", "account", "unit"],
        "Spent over the period that runs, by all nodes, and recorded or reconciled";
    BUDGET_HELD = "bedplate_budget_held", Gauge, ["budget", "account", "unit"],
        "Granted to living nodes and not settled";
    BUDGET_UNKNOWN = "bedplate_budget_unknown", Gauge, ["budget", "account", "unit"],
        "Granted to nodes that are gone and never settled: counts until it is reconciled";
    BUDGET_USED = "bedplate_budget_used_ratio", Gauge, ["budget"],
        "What counts against the limit of the budget's fullest account, as a part of it";
    BUDGET_BLOCKED = "bedplate_budget_blocked", Counter, ["budget", "why"],
        "Calls that a budget had no room for, by why: spent, held (perhaps for nothing), unknown, too_large, unpriced, unreachable";
    BUDGET_BOUNDED = "bedplate_budget_bounded", Counter, [],
        "Answers that were bounded to what was left of a budget, or because the model's maximum is not known";
    THROTTLED = "bedplate_throttled", Counter, ["throttle", "kind"],
        "Calls that a throttle refused, by what it counts: requests, tokens";
    EXPECTED = "bedplate_prompt_expected_tokens", Counter, ["model"],
        "Prompt tokens that were expected before requests were sent, of those whose tokens were told";
    TOLD = "bedplate_prompt_told_tokens", Counter, ["model"],
        "Prompt tokens that the upstream told of the same requests, cached ones too";
    MISSED = "bedplate_prompt_missed_tokens", Counter, ["model"],
        "By how much the expectation missed, request by request: over bedplate_prompt_told_tokens it is the error";
    UNSTAMPED = "bedplate_request_metadata_dropped", Counter, [],
        "Pairs of request metadata that found no room beside the caller's own";
    ATTEMPTS = "bedplate_upstream_attempts", Counter, ["provider", "model", "status", "error"],
        "Requests sent upstream; status 0 when no answer came, error the upstream's name or our code";
    UPSTREAM_DURATION = "bedplate_upstream_duration_seconds", Histogram, ["alias", "provider", "model"],
        "From the start of a request to the upstream to the last of its answer; answers with status 200, alias none where the caller named the model";
    UPSTREAM_FIRST_TOKEN = "bedplate_upstream_first_token_seconds", Histogram, ["alias", "provider", "model"],
        "From the start of a request to the upstream to the first token of its stream";
    UPSTREAM_TIMEOUTS = "bedplate_upstream_timeouts", Counter, ["alias", "provider", "model", "phase"],
        "Requests to the upstream that ran out of time, by phase: connect, first_token, idle, total";
    END_OF_LIFE = "bedplate_target_end_of_life_days", Gauge, ["provider", "model"],
        "Days until the model of an alias's target is gone, where the price book knows; below zero when it is";
    THROTTLES = "bedplate_upstream_throttles", Counter, ["provider", "model"],
        "Requests that the upstream throttled";
    IN_FLIGHT = "bedplate_in_flight", Gauge, [],
        "Calls that have begun and are not settled";
    DROPPED = "bedplate_telemetry_dropped", Counter, ["sink"],
        "Calls that a log or trace could not take, lines that CloudWatch Logs could not; the ledger has all calls";
    LEDGER_PENDING = "bedplate_ledger_pending_rows", Gauge, [],
        "Settled calls that are not written to the ledger yet";
    LEDGER_UP = "bedplate_ledger_up", Gauge, [],
        "1 when the last write to the ledger succeeded, else 0";
    BUILD = "bedplate_build_info", Gauge, ["version"],
        "Always 1; which version runs";
}
