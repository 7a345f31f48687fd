//! Plausible calls, from a seed: the tests, the samples of the pages and the example share them.
#![allow(dead_code, reason = "each of the three uses its part")]

use std::sync::Arc;

use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids;
use bedplate_core::key::KeyId;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::Total;
use bedplate_core::record::{AttemptRow, AttemptTimings, CallRow, Ending, Outcome, Timings};
use bedplate_core::refusal::Code;
use bedplate_core::usage::{Usage, UsageBasis};
use bedplate_testkit::SeededIds;

/// Nano-dollars by token: in, out.
type Price = (i64, i64);

const MODELS: [(&str, Option<Price>, u64); 5] = [
    ("us.amazon.nova-lite-v1:0", Some((60, 240)), 340),
    ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", Some((3_000, 15_000)), 1_150),
    ("global.anthropic.claude-haiku-4-5-20251001-v1:0", Some((1_000, 5_000)), 620),
    ("us.meta.llama3-3-70b-instruct-v1:0", Some((720, 720)), 480),
    ("arn:aws:bedrock:us-east-1:123456789012:imported-model/a1b2c3d4e5f6", None, 900),
];

const WHO: [(&str, &str); 6] = [
    ("support", "triage"),
    ("support", "reply-drafts"),
    ("search", "answers"),
    ("research", "summaries"),
    ("billing", "extraction"),
    ("growth", "copy"),
];

/// A row of dice.
pub(crate) struct Dice(SeededIds);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededIds::new(seed))
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % n.max(1)
    }

    /// Mostly near `middle`, sometimes several times as long.
    fn long_tailed(&self, middle: u64) -> u64 {
        let base = middle * (60 + self.below(80)) / 100;
        base * [1, 1, 1, 1, 1, 1, 1, 1, 2, 5][usize::try_from(self.below(10)).unwrap()]
    }
}

/// One call that ended at `at`.
pub(crate) fn call(at: Timestamp, dice: &Dice) -> Outcome {
    let pick = |n: usize| usize::try_from(dice.below(n as u64)).unwrap();
    let (team, feature) = WHO[pick(WHO.len()).min(pick(WHO.len()))];
    let (model, price, first) = MODELS[pick(MODELS.len()).min(pick(MODELS.len()))];
    let mut outcome = answered(at, team, feature, model, dice.long_tailed(first * 1_000), dice);
    let (input, output) = (outcome.call.usage.prompt(), outcome.call.usage.output);
    let cost = match price {
        Some((each_in, each_out)) => Cost::Known(Nanos(input as i64 * each_in + output as i64 * each_out)),
        None => Cost::Unknown(Nanos(0)),
    };
    outcome.call.cost = cost;
    outcome.attempts[0].cost = cost;
    match dice.below(40) {
        0 => refuse(&mut outcome, Code::BadSignature, 403),
        1 => refuse(&mut outcome, Code::ModelNotAllowed, 403),
        2 => refuse(&mut outcome, Code::BadBody, 400),
        3 => fail(&mut outcome),
        4 => {
            outcome.call.ending = Ending::Abandoned;
            outcome.call.basis = UsageBasis::Estimated;
        }
        5 => {
            outcome.call.ending = Ending::Cut;
            outcome.call.code = Some(Code::IdleTimeout);
            outcome.call.stage = Some(Code::IdleTimeout.stage());
            outcome.attempts[0].code = outcome.call.code;
        }
        _ => {}
    }
    outcome
}

/// `minutes` minutes up to `until` with about `each` calls in each, oldest first.
pub(crate) fn busy(until: Timestamp, minutes: i64, each: u64, seed: u64) -> Vec<Outcome> {
    let dice = Dice::new(seed);
    let mut calls = Vec::new();
    for minute in 0..minutes {
        let wave = 70 + (minute * 37 % 60).unsigned_abs() + dice.below(20);
        let n = (each * wave / 100).max(1);
        for i in 0..n {
            let second = i64::try_from(i * 60_000_000 / n).unwrap();
            calls.push(call(Timestamp(until.0 - (minutes - minute) * 60_000_000 + second), &dice));
        }
    }
    calls
}

/// What a day came to by `now`.
pub(crate) fn totals(now: Timestamp, seed: u64) -> Vec<Total> {
    let dice = Dice::new(seed);
    let day = Timestamp::from_secs(now.secs() / 86_400 * 86_400);
    let mut totals = Vec::new();
    for (w, (team, feature)) in WHO.iter().enumerate() {
        for (m, (model, price, _)) in MODELS.iter().enumerate() {
            let calls = 90 + dice.below(60_000) / (1 + w as u64) / (1 + m as u64);
            let usage = Usage { input: calls * 900, output: calls * 210, ..Usage::default() };
            let cost = match price {
                Some((i, o)) => Cost::Known(Nanos(usage.input as i64 * i + usage.output as i64 * o)),
                None => Cost::Unknown(Nanos(0)),
            };
            let unpriced = if price.is_none() { calls } else { 0 };
            totals.push(Total {
                day,
                team: (*team).into(),
                feature: (*feature).into(),
                environment: "prod".into(),
                model: (*model).into(),
                calls,
                refused: calls / 40,
                usage,
                cost,
                unpriced,
            });
        }
    }
    totals
}

pub(crate) fn answered(
    at: Timestamp,
    team: &str,
    feature: &str,
    model: &str,
    first: u64,
    dice: &Dice,
) -> Outcome {
    let streams = dice.below(3) > 0;
    let operation = if streams { Operation::ConverseStream } else { Operation::Converse };
    let (input, output) = (120 + dice.below(4_000), 20 + dice.below(700));
    let overhead = 90 + dice.below(220) + if dice.below(50) == 0 { 2_400 } else { 0 };
    let total = first + overhead + output * 9_000;
    let admitted_at = Timestamp(at.0 - i64::try_from(total).unwrap());
    let cached = if dice.below(3) == 0 { input / 2 } else { 0 };
    let usage = Usage { input: input - cached, cache_read: cached, output, ..Usage::default() };
    let first_token = streams.then_some(first + overhead);
    let attempt = AttemptRow {
        n: 1,
        provider: "use1".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        target: model.into(),
        model: None,
        tier: "default".into(),
        status: 200,
        upstream_request_id: Some(CallId::new(admitted_at, &dice.0).to_string()),
        code: None,
        error: None,
        usage: usage.clone(),
        basis: UsageBasis::Reported,
        price_version: "2026-11-20".into(),
        price_basis: "default-region price".into(),
        cost: Cost::FREE,
        expected: 12,
        timings: AttemptTimings {
            connect: (dice.below(9) == 0).then_some(4_200),
            first_byte: Some(first),
            first_token: streams.then_some(first),
            total: total - overhead,
            upstream_latency_ms: Some((total - overhead) / 1_000),
        },
    };
    Outcome {
        call: CallRow {
            id: CallId::new(admitted_at, &dice.0),
            admitted_at,
            dialect: Dialect::Bedrock,
            operation: Some(operation),
            model: model.into(),
            key: Some(KeyId(format!("key_{team:0<16.16}").into())),
            team: team.into(),
            feature: feature.into(),
            environment: "prod".into(),
            user: None,
            chain: (dice.below(4) == 0).then(|| "checkout-assistant-17".into()),
            prompt: None,
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            parent_span: None,
            ending: Ending::Answered,
            status: 200,
            code: None,
            stage: None,
            error: None,
            usage,
            basis: UsageBasis::Reported,
            cost: Cost::FREE,
            stop_reason: Some("end_turn".into()),
            timings: Timings {
                body_read: Some(overhead / 3),
                queued: None,
                cleared: Some(overhead),
                first_byte: Some(first + overhead),
                first_token,
                total,
                overhead,
            },
            bytes_in: input * 4,
            bytes_out: output * 5,
            edits: vec!["requestMetadata +112 bytes".into()],
            metadata: Vec::new(),
            stamped: 4,
            unstamped: 0,
            charges: Vec::new(),
            blocked: None,
            throttled: None,
            degraded: None,
            bounded: None,
            cache: None,
        },
        attempts: vec![attempt],
    }
}

/// Makes a call one that bedplate refused.
pub(crate) fn refuse(outcome: &mut Outcome, code: Code, status: u16) {
    let call = &mut outcome.call;
    outcome.attempts = Vec::new();
    call.ending = Ending::Refused;
    call.status = status;
    call.code = Some(code);
    call.stage = Some(code.stage());
    call.error = Some("AccessDeniedException".into());
    (call.usage, call.basis, call.cost) = (Usage::default(), UsageBasis::None, Cost::FREE);
    call.stop_reason = None;
    // it ends when the answered call would have ended
    call.admitted_at.0 += i64::try_from(call.timings.total).unwrap() - 140;
    call.timings = Timings { body_read: Some(60), total: 140, overhead: 90, ..Timings::default() };
    if code == Code::BadSignature {
        (call.key, call.team, call.feature, call.environment) = (None, "".into(), "".into(), Arc::from(""));
    }
}

/// Makes a call one that the upstream refused twice.
fn fail(outcome: &mut Outcome) {
    let call = &mut outcome.call;
    call.ending = Ending::Failed;
    call.status = 429;
    call.error = Some("ThrottlingException".into());
    call.code = Some(Code::UpstreamError);
    call.stage = Some(Code::UpstreamError.stage());
    (call.usage, call.basis, call.cost) = (Usage::default(), UsageBasis::None, Cost::FREE);
    call.timings.first_token = None;
    call.stop_reason = None;
    let first = &mut outcome.attempts[0];
    first.status = 429;
    first.error = call.error.clone();
    first.code = call.code;
    (first.usage, first.basis, first.cost) = (Usage::default(), UsageBasis::None, Cost::FREE);
    first.timings.first_token = None;
    let mut again = first.clone();
    again.n = 2;
    again.region = "us-west-2".into();
    again.provider = "usw2".into();
    outcome.attempts.push(again);
}
