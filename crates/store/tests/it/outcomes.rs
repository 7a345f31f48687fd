//! Outcomes to write.

use std::sync::Arc;

use bedplate_core::attribution::PromptUse;
use bedplate_core::cache::{Avoided, CacheUse, Mark, Skip};
use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids;
use bedplate_core::key::{KeyId, StoredKey};
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::record::{AttemptRow, AttemptTimings, CallRow, Ending, Outcome, Timings};
use bedplate_core::refusal::{Code, Stage};
use bedplate_core::usage::{Unit, Usage, UsageBasis};
use bedplate_testkit::SeededIds;
use proptest::prelude::*;

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// As the ledger takes them.
pub(crate) fn shared(outcomes: impl IntoIterator<Item = Outcome>) -> Vec<Arc<Outcome>> {
    outcomes.into_iter().map(Arc::new).collect()
}

/// An answered call with two attempts, and every member set.
pub(crate) fn answered(ids: &dyn Ids, at: Timestamp) -> Outcome {
    let usage = Usage {
        input: 10,
        cache_read: 20,
        cache_write_5m: 30,
        cache_write_1h: 40,
        output: 50,
        reasoning: Some(5),
        units: vec![(Unit::Query, 2), (Unit::GuardrailContent, 3)],
    };
    let avoided = Avoided {
        call: CallId::new(at, ids),
        age_ms: 70,
        usage: Usage { input: 3, ..Usage::default() },
        cost: Cost::Unknown(Nanos(5)),
    };
    Outcome {
        call: CallRow {
            id: CallId::new(at, ids),
            admitted_at: at,
            dialect: Dialect::Bedrock,
            operation: Some(Operation::ConverseStream),
            model: "us.amazon.nova-lite-v1:0".into(),
            key: Some(KeyId("key_a".into())),
            team: "support".into(),
            feature: "triage".into(),
            environment: "prod".into(),
            user: Some("u-1".into()),
            chain: Some("run-7".into()),
            prompt: Some(Box::new(PromptUse { name: "greeting".into(), version: "3".into() })),
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            parent_span: Some("00f067aa0ba902b7".into()),
            ending: Ending::Answered,
            status: 200,
            code: None,
            stage: None,
            error: None,
            usage: usage.clone(),
            basis: UsageBasis::Reported,
            cost: Cost::Known(Nanos(1_234_567)),
            stop_reason: Some("end_turn".into()),
            timings: Timings {
                body_read: Some(10),
                queued: None,
                cleared: Some(20),
                first_byte: Some(300),
                first_token: Some(400),
                total: 5_000,
                overhead: 70,
            },
            bytes_in: 600,
            bytes_out: 700,
            edits: vec!["requestMetadata +112 bytes".into()],
            metadata: Vec::new(),
            stamped: 8,
            unstamped: 1,
            charges: Vec::new(),
            blocked: None,
            throttled: Some(Box::new(bedplate_core::rate::Throttled {
                throttle: "keys".into(),
                of: "key=key_a".into(),
                kind: bedplate_core::rate::Kind::Tokens,
                limit: 1_000,
                need: 600,
                remaining: 400,
                wait_ms: Some(12_000),
                alone: true,
            })),
            degraded: Some(bedplate_core::record::Degraded::LighterModel),
            bounded: Some(512),
            cache: Some(Box::new(CacheUse {
                mark: Mark::Stale,
                skip: Some(Skip::Sampled),
                avoided: Some(avoided),
            })),
        },
        attempts: vec![attempt(1, Usage::default(), 503), attempt(2, usage, 200)],
    }
}

pub(crate) fn attempt(n: u16, usage: Usage, status: u16) -> AttemptRow {
    AttemptRow {
        n,
        provider: "use1".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        target: "us.amazon.nova-lite-v1:0".into(),
        model: Some("amazon.nova-lite-v1:0".into()),
        tier: "default".into(),
        status,
        upstream_request_id: Some(format!("req-{n}")),
        code: (status >= 500).then_some(Code::UpstreamError),
        error: (status >= 500).then(|| "ServiceUnavailableException".into()),
        usage,
        basis: UsageBasis::Reported,
        price_version: "2026-11-01".into(),
        price_basis: "on demand, geography us".into(),
        cost: Cost::Known(Nanos(1_234_567)),
        expected: 12,
        timings: AttemptTimings {
            connect: Some(1),
            first_byte: Some(2),
            first_token: Some(3),
            total: 4,
            upstream_latency_ms: Some(5),
        },
    }
}

/// A call of somebody unknown, refused: as little as there can be.
pub(crate) fn refused(ids: &dyn Ids, at: Timestamp) -> Outcome {
    let mut outcome = answered(ids, at);
    outcome.attempts.clear();
    let call = &mut outcome.call;
    call.key = None;
    (call.team, call.feature, call.environment) = ("".into(), "".into(), "".into());
    (call.operation, call.user, call.chain, call.prompt) = (None, None, None, None);
    (call.stamped, call.unstamped) = (0, 0);
    (call.trace, call.parent_span, call.stop_reason) = (None, None, None);
    call.edits.clear();
    (call.ending, call.status) = (Ending::Refused, 403);
    (call.code, call.stage) = (Some(Code::UnknownKey), Some(Stage::Admit));
    call.error = Some("UnrecognizedClientException".into());
    (call.usage, call.basis, call.cost) = (Usage::default(), UsageBasis::None, Cost::FREE);
    call.timings = Timings { total: 9, ..Timings::default() };
    outcome
}

pub(crate) fn key(n: u8) -> StoredKey {
    StoredKey {
        id: KeyId(format!("key_{n:016}").into()),
        access_key_id: format!("AKIA{n:016}"),
        sealed_secret: vec![0, 1, 255, n],
        bearer_sha256: [n; 32],
        team: "support".into(),
        feature: "triage".into(),
        environment: "prod".into(),
        risk_profile: "internal".into(),
        features: vec!["search".into(), "it's \"quoted\"".into()],
        models: vec!["us.amazon.*".into()],
        created_at: Timestamp(1_000 + i64::from(n)),
        expires_at: None,
        disabled_at: None,
        rotated_from: None,
        version: 0,
    }
}

/// Any outcome of a few days, teams and models, with awkward text.
pub(crate) fn any_outcome() -> impl Strategy<Value = Outcome> {
    let text = prop_oneof![Just(String::new()), "[a-c]{1,2}", "\\PC{0,8}", Just("né \"'\\ 漢字".to_owned())];
    let names = (text.clone(), text.clone(), text.clone(), text);
    let numbers = (any::<u64>(), 0i64..4 * 86_400_000_000, any::<[u32; 6]>(), 0usize..4);
    let kinds = (0usize..5, proptest::option::of(0usize..Code::ALL.len()), any::<bool>(), any::<bool>());
    (names, numbers, kinds).prop_map(
        |((a, b, c, d), (seed, micros, n, attempts), (end, code, known, keyed))| {
            let ids = SeededIds::new(seed);
            let at = Timestamp(at("2026-11-20T00:00:00Z").0 + micros);
            let mut o = if keyed { answered(&ids, at) } else { refused(&ids, at) };
            o.attempts = (0..attempts)
                .map(|i| attempt(u16::try_from(i).unwrap() + 1, o.call.usage.clone(), 200))
                .collect();
            let call = &mut o.call;
            (call.team, call.feature, call.environment) = (a.as_str().into(), b.as_str().into(), "e".into());
            (call.model, call.user) = (c, Some(d));
            call.ending =
                [Ending::Answered, Ending::Refused, Ending::Failed, Ending::Cut, Ending::Abandoned][end];
            call.code = code.map(|i| Code::ALL[i]);
            call.usage.input = n[0].into();
            call.usage.output = n[1].into();
            call.usage.reasoning = known.then_some(n[2].into());
            call.timings.total = n[3].into();
            let nanos = Nanos(i64::from(n[4]) - i64::from(n[5]));
            call.cost = if known { Cost::Known(nanos) } else { Cost::Unknown(nanos) };
            o
        },
    )
}
