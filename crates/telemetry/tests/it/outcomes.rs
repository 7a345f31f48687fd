//! Outcomes as the pipeline settles them.

use std::sync::Arc;

use bedplate_core::attribution::PromptUse;
use bedplate_core::budget::{
    Account, Blocked, BudgetId, Charge, NodeId, Stand, Unit as BudgetUnit, Why, Window,
};
use bedplate_core::cache::{Avoided, CacheUse, Mark};
use bedplate_core::call::{Dialect, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::key::KeyId;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::rate::{Kind, Throttled};
use bedplate_core::record::{AttemptRow, AttemptTimings, CallRow, Ending, Outcome, Timings};
use bedplate_core::refusal::{Code, Stage};
use bedplate_core::usage::{Unit, Usage, UsageBasis};

pub(crate) const ID: &str = "019a9f4c-5e00-7abc-8def-0123456789ab";
pub(crate) const MODEL: &str = "us.amazon.nova-lite-v1:0";

/// A stream that was answered at its first attempt.
pub(crate) fn answered() -> Outcome {
    let usage = Usage { input: 24, cache_read: 100, cache_write_5m: 10, output: 17, ..Usage::default() };
    let cost = Cost::Known(Nanos(5_520));
    Outcome {
        call: CallRow {
            id: ID.parse().unwrap(),
            admitted_at: Timestamp::parse("2026-11-22T12:00:03.25Z").unwrap(),
            dialect: Dialect::Bedrock,
            operation: Some(Operation::ConverseStream),
            model: MODEL.into(),
            key: Some(KeyId("key_0123456789abcdef".into())),
            team: "payments".into(),
            feature: "triage".into(),
            environment: "prod".into(),
            user: None,
            chain: None,
            prompt: None,
            trace: None,
            parent_span: None,
            ending: Ending::Answered,
            status: 200,
            code: None,
            stage: None,
            error: None,
            usage: usage.clone(),
            basis: UsageBasis::Reported,
            cost,
            stop_reason: Some("end_turn".into()),
            timings: Timings {
                body_read: Some(150),
                queued: None,
                cleared: Some(230),
                first_byte: Some(210_000),
                first_token: Some(212_000),
                total: 412_000,
                overhead: 310,
            },
            bytes_in: 512,
            bytes_out: 2_048,
            edits: vec![],
            metadata: Vec::new(),
            stamped: 5,
            unstamped: 0,
            charges: Vec::new(),
            blocked: None,
            throttled: None,
            degraded: None,
            bounded: None,
            cache: None,
        },
        attempts: vec![AttemptRow {
            n: 1,
            provider: "use1".into(),
            region: "us-east-1".into(),
            account: "123456789012".into(),
            target: MODEL.into(),
            model: None,
            tier: "default".into(),
            status: 200,
            upstream_request_id: Some("7c9e0000-1111-4222-8333-444455556666".into()),
            code: None,
            error: None,
            usage,
            basis: UsageBasis::Reported,
            price_version: "2026-11-22".into(),
            price_basis: "default-region price".into(),
            cost,
            expected: 12,
            timings: AttemptTimings {
                connect: None,
                first_byte: Some(209_000),
                first_token: Some(211_000),
                total: 411_000,
                upstream_latency_ms: Some(405),
            },
        }],
    }
}

/// The same with every field filled: throttled first, answered by the second attempt, then cut.
pub(crate) fn full() -> Outcome {
    let mut outcome = answered();
    let mut first = outcome.attempts[0].clone();
    first.status = 429;
    first.error = Some("ThrottlingException".into());
    first.usage = Usage::default();
    first.cost = Cost::FREE;
    first.timings = AttemptTimings { connect: Some(2_000), total: 9_000, ..AttemptTimings::default() };
    outcome.attempts[0].n = 2;
    outcome.attempts.insert(0, first);
    let call = &mut outcome.call;
    call.user = Some("u-7".into());
    call.chain = Some("run-12".into());
    call.prompt = Some(Box::new(PromptUse { name: "greeting".into(), version: "3".into() }));
    (call.stamped, call.unstamped) = (7, 2);
    call.trace = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
    call.parent_span = Some("00f067aa0ba902b7".into());
    call.ending = Ending::Cut;
    call.code = Some(Code::IdleTimeout);
    call.stage = Some(Stage::Invoke);
    call.error = Some("ModelTimeoutException".into());
    call.usage.reasoning = Some(5);
    call.usage.units = vec![(Unit::GuardrailContent, 2)];
    call.cost = Cost::Unknown(Nanos(5_520));
    call.edits = vec!["requestMetadata +112 bytes".into()];
    let account = Account { budget: BudgetId("support".into()), of: "team=payments".into() };
    let window = Window { account, starts: Timestamp::parse("2026-11-01T00:00:00Z").unwrap() };
    call.charges = vec![Charge { window: window.clone(), node: NodeId("n".into()), amount: 5_520 }];
    call.blocked = Some(Box::new(Blocked {
        window,
        unit: BudgetUnit::Usd,
        limit: 1_000_000_000,
        need: 40_000_000,
        stand: Stand { settled: 900_000_000, granted: 60_000_000, unknown: 20_000_000 },
        held: 50_000_000,
        unrecorded: 7_000_000,
        free: 3_000_000,
        why: Why::Held,
    }));
    call.throttled = Some(Box::new(Throttled {
        throttle: "teams".into(),
        of: "team=payments".into(),
        kind: Kind::Tokens,
        limit: 100_000,
        need: 1_200,
        remaining: 800,
        wait_ms: Some(240),
        alone: true,
    }));
    call.bounded = Some(300);
    outcome
}

/// A call that nobody recognised.
pub(crate) fn refused() -> Outcome {
    let mut outcome = answered();
    outcome.attempts.clear();
    let call = &mut outcome.call;
    call.key = None;
    for name in [&mut call.team, &mut call.feature, &mut call.environment] {
        *name = "".into();
    }
    call.ending = Ending::Refused;
    call.status = 403;
    call.code = Some(Code::UnknownKey);
    call.stage = Some(Stage::Admit);
    call.error = Some("UnrecognizedClientException".into());
    call.usage = Usage::default();
    call.basis = UsageBasis::None;
    call.cost = Cost::FREE;
    call.stop_reason = None;
    call.timings = Timings { total: 90, overhead: 90, ..Timings::default() };
    outcome
}

/// An upstream that never connected.
pub(crate) fn timed_out(code: Code) -> Outcome {
    let mut outcome = answered();
    let attempt = &mut outcome.attempts[0];
    attempt.status = 0;
    attempt.code = Some(code);
    attempt.upstream_request_id = None;
    attempt.tier = String::new();
    attempt.usage = Usage::default();
    let call = &mut outcome.call;
    call.ending = Ending::Refused;
    call.status = 503;
    call.code = Some(code);
    call.stage = Some(Stage::Invoke);
    call.usage = Usage::default();
    call.cost = Cost::FREE;
    call.timings.first_token = None;
    outcome
}

/// The `n`th call of a series.
pub(crate) fn nth(n: u64) -> Arc<Outcome> {
    let mut outcome = answered();
    outcome.call.id = format!("019a9f4c-5e00-7abc-8def-{n:012x}").parse().unwrap();
    outcome.call.bytes_in = n;
    outcome.attempts[0].upstream_request_id = Some(format!("request-{n}"));
    Arc::new(outcome)
}

/// Answered from the cache: nothing was asked upstream.
pub(crate) fn kept() -> Outcome {
    let mut outcome = answered();
    outcome.attempts.clear();
    let call = &mut outcome.call;
    let usage = std::mem::take(&mut call.usage);
    (call.basis, call.cost) = (UsageBasis::None, Cost::FREE);
    let avoided = Avoided { call: call.id, age_ms: 1_500, usage, cost: Cost::Known(Nanos(5_000)) };
    call.cache = Some(Box::new(CacheUse { mark: Mark::Hit, skip: None, avoided: Some(avoided) }));
    outcome
}
