use std::sync::Arc;

use bedplate_core::budget::{Stand, Unit as BudgetUnit};
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::Sink;
use bedplate_core::record::Degraded;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_core::usage::Unit;
use bedplate_telemetry::metrics::{AccountReading, BudgetReading, METRICS, Metrics, MetricsConfig};
use bedplate_telemetry::metrics::{BreakerReading, EndReading, HedgeReading};
use proptest::prelude::*;

use crate::openmetrics::Page;
use crate::outcomes::{MODEL, answered, full, kept, refused, timed_out};

fn metrics() -> Arc<Metrics> {
    MetricsConfig::default().build("0.1.0")
}

fn page(metrics: &Metrics) -> Page {
    Page::read(&metrics.render())
}

fn settle(metrics: &Metrics, outcome: Outcome) {
    metrics.begun();
    metrics.settle(&Arc::new(outcome));
}

#[test]
fn a_fresh_page_can_be_scraped() {
    let page = page(&metrics());
    assert_eq!(page.types.len(), METRICS.len(), "every family has its description from the start");
    assert_eq!(page.get("bedplate_build_info", &[("version", "0.1.0")]), 1.0);
    assert_eq!(page.get("bedplate_ledger_up", &[]), 1.0);
}

#[test]
fn every_metric_of_the_table_is_counted() {
    let metrics = metrics();
    settle(&metrics, answered());
    let mut lighter = full();
    lighter.call.degraded = Some(Degraded::LighterModel);
    settle(&metrics, lighter);
    settle(&metrics, refused());
    settle(&metrics, timed_out(Code::FirstTokenTimeout));
    metrics.begun();
    metrics.breakers(vec![BreakerReading { provider: "use1".into(), model: MODEL.into(), state: 3 }]);
    metrics.ends(vec![EndReading { provider: "use1".into(), model: MODEL.into(), days: -3 }]);
    metrics.hedges(vec![HedgeReading { alias: "triage".into(), won: "second", calls: 7 }]);
    metrics.ledger_pending(42);
    metrics.ledger_up(false);
    let stand = Stand { settled: 250_000_000, granted: 100_000_000, unknown: 50_000_000 };
    let account = AccountReading { of: "team=payments".into(), stand };
    let (limit, unit) = (1_000_000_000, BudgetUnit::Usd);
    metrics.budgets(vec![BudgetReading { budget: "support".into(), unit, limit, accounts: vec![account] }]);
    let page = page(&metrics);

    assert_eq!(page.get("bedplate_degraded_total", &[("model", MODEL), ("by", "lighter-model")]), 1.0);
    assert_eq!(page.get("bedplate_breaker_state", &[("provider", "use1"), ("model", MODEL)]), 3.0);
    assert_eq!(page.get("bedplate_hedges_total", &[("alias", "triage"), ("won", "second")]), 7.0);
    // two requests, of which more was told than the twelve that were expected of each
    assert_eq!(page.get("bedplate_prompt_expected_tokens_total", &[("model", MODEL)]), 24.0);
    let told = page.get("bedplate_prompt_told_tokens_total", &[("model", MODEL)]);
    assert_eq!(page.get("bedplate_prompt_missed_tokens_total", &[("model", MODEL)]), told - 24.0);

    let whose = [("model", MODEL), ("team", "payments"), ("feature", "triage")];
    let call = |ending| [&whose[..], &[("operation", "ConverseStream"), ("ending", ending)]].concat();
    assert_eq!(page.get("bedplate_calls_total", &call("answered")), 1.0);
    assert_eq!(page.get("bedplate_calls_total", &call("cut")), 1.0);
    assert_eq!(page.get("bedplate_calls_total", &call("refused")), 1.0);
    assert_eq!(page.sum("bedplate_calls_total"), 4.0);

    let timed = [("model", MODEL), ("feature", "triage"), ("operation", "ConverseStream")];
    assert_eq!(page.get("bedplate_call_duration_seconds_count", &timed), 3.0);
    assert_eq!(page.get("bedplate_first_token_seconds_count", &timed), 2.0);
    assert!((page.get("bedplate_first_token_seconds_sum", &timed) - 0.424).abs() < 1e-9);
    let within = |le| [&timed[..], &[("le", le)]].concat();
    assert_eq!(page.get("bedplate_first_token_seconds_bucket", &within("0.16")), 0.0);
    assert_eq!(page.get("bedplate_first_token_seconds_bucket", &within("0.32")), 2.0);
    // (412 − 212) ms over 16 further tokens; a stream that was cut says nothing of its pace
    let paced = [("model", MODEL), ("feature", "triage")];
    assert_eq!(page.get("bedplate_output_token_seconds_count", &paced), 1.0);
    assert!((page.get("bedplate_output_token_seconds_sum", &paced) - 0.0125).abs() < 1e-9);
    assert_eq!(page.get("bedplate_overhead_seconds_count", &[("operation", "ConverseStream")]), 4.0);

    let tokens = |kind| page.get("bedplate_tokens_total", &[&whose[..], &[("kind", kind)]].concat());
    assert_eq!((tokens("input"), tokens("cache_read"), tokens("cache_write_5m")), (48.0, 200.0, 20.0));
    assert_eq!((tokens("cache_write_1h"), tokens("output")), (0.0, 34.0));
    assert_eq!(page.get("bedplate_units_total", &[("unit", "guardrail_content")]), 2.0);
    assert!((page.get("bedplate_cost_usd_total", &whose) - 11.04e-6).abs() < 1e-12);
    assert_eq!(page.get("bedplate_unpriced_calls_total", &whose), 1.0);

    assert_eq!(page.get("bedplate_timeouts_total", &[("model", MODEL), ("phase", "first_token")]), 1.0);
    assert_eq!(page.get("bedplate_timeouts_total", &[("model", MODEL), ("phase", "idle")]), 1.0);
    assert_eq!(page.get("bedplate_refusals_total", &[("code", "BP1002")]), 1.0);
    let attempt = |status, error| {
        let labels = [("provider", "use1"), ("model", MODEL), ("status", status), ("error", error)];
        page.get("bedplate_upstream_attempts_total", &labels)
    };
    assert_eq!(
        (attempt("200", "none"), attempt("429", "ThrottlingException"), attempt("0", "BP4002")),
        (2.0, 1.0, 1.0)
    );
    assert_eq!(page.get("bedplate_upstream_throttles_total", &[("provider", "use1"), ("model", MODEL)]), 1.0);
    assert_eq!(page.get("bedplate_in_flight", &[]), 1.0);
    assert_eq!(page.get("bedplate_ledger_pending_rows", &[]), 42.0);
    assert_eq!(page.get("bedplate_ledger_up", &[]), 0.0);
    let budget = [("budget", "support"), ("account", "team=payments"), ("unit", "usd")];
    let part = |of: &str| page.get(&format!("bedplate_budget_{of}"), &budget);
    assert_eq!((part("settled"), part("held"), part("unknown")), (0.25, 0.1, 0.05));
    assert_eq!(page.get("bedplate_budget_limit", &[budget[0], budget[2]]), 1.0);
    assert_eq!(page.get("bedplate_budget_used_ratio", &[budget[0]]), 0.4);
    assert_eq!(page.get("bedplate_budget_blocked_total", &[budget[0], ("why", "held")]), 1.0);
    assert_eq!(page.get("bedplate_budget_bounded_total", &[]), 1.0);
    let throttled = [("throttle", "teams"), ("kind", "tokens")];
    assert_eq!(page.get("bedplate_throttled_total", &throttled), 1.0);

    settle(&metrics, kept());
    let page = self::page(&metrics);
    assert_eq!(page.get("bedplate_cache_calls_total", &[&whose[..], &[("result", "hit")]].concat()), 1.0);
    assert_eq!(page.get("bedplate_cache_avoided_usd_total", &whose), 5.0e-6);

    for metric in METRICS {
        let name = metric.name();
        let shown = if metric.kind() == "histogram" { format!("{name}_count") } else { name };
        // no sink that could drop is running here
        assert!(page.names().contains(&*shown) || shown == "bedplate_telemetry_dropped_total", "{shown}");
        for label in metric.labels.iter().filter(|_| page.names().contains(&*shown)) {
            assert!(!page.values(&shown, label).is_empty(), "{shown} has no {label}");
        }
    }
}

#[test]
fn targets_are_told_apart_by_alias() {
    let metrics = metrics();
    settle(&metrics, answered());
    let by_alias = |mut outcome: Outcome| {
        outcome.call.model = "triage".into();
        settle(&metrics, outcome);
    };
    by_alias(answered());
    by_alias(answered());
    by_alias(full());
    by_alias(timed_out(Code::FirstTokenTimeout));
    let page = page(&metrics);
    let of = |alias| [("alias", alias), ("provider", "use1"), ("model", MODEL)];
    let count = |alias| {
        let counted = |name: &str| page.get(&format!("bedplate_upstream_{name}_seconds_count"), &of(alias));
        (counted("duration"), counted("first_token"))
    };
    assert_eq!((count("none"), count("triage")), ((1.0, 1.0), (2.0, 2.0)));
    assert!((page.get("bedplate_upstream_duration_seconds_sum", &of("triage")) - 0.822).abs() < 1e-9);
    let timeouts = |phase| {
        page.get("bedplate_upstream_timeouts_total", &[&of("triage")[..], &[("phase", phase)]].concat())
    };
    // a stream that stopped has an answer, and its call says what became of it
    assert_eq!((timeouts("first_token"), timeouts("idle")), (1.0, 1.0));
}

#[test]
fn callers_cannot_grow_the_registry() {
    let metrics = MetricsConfig { label_values: 5, series: 20 }.build("0.1.0");
    for n in 0..1_000 {
        let mut outcome = if n % 2 == 0 { refused() } else { answered() };
        outcome.call.model = format!("made-up-{n}");
        outcome.call.team = format!("team-{}", n % 50).into();
        outcome.call.feature = format!("feature \"{}\"\n\\", n % 50).into();
        if let Some(attempt) = outcome.attempts.first_mut() {
            attempt.error = Some(format!("MadeUpException{n}"));
        }
        settle(&metrics, outcome);
    }
    let page = page(&metrics);
    assert_eq!(page.sum("bedplate_calls_total"), 1_000.0, "nothing is lost in `other`");
    assert_eq!(page.sum("bedplate_upstream_attempts_total"), 500.0);
    for (name, label) in [
        ("bedplate_calls_total", "model"),
        ("bedplate_calls_total", "team"),
        ("bedplate_calls_total", "feature"),
        ("bedplate_upstream_attempts_total", "error"),
        ("bedplate_upstream_duration_seconds_count", "alias"),
    ] {
        let values = page.values(name, label);
        assert!(values.len() <= 6 && values.contains("other"), "{label}: {values:?}");
    }
}

#[test]
fn a_model_that_nobody_reached_earns_no_label_and_keeps_one_it_has() {
    let metrics = metrics();
    settle(&metrics, refused());
    assert_eq!(
        page(&metrics).values("bedplate_calls_total", "model").into_iter().collect::<Vec<_>>(),
        ["other"]
    );
    settle(&metrics, answered());
    settle(&metrics, refused());
    let page = page(&metrics);
    let labels = [
        ("model", MODEL),
        ("team", "none"),
        ("feature", "none"),
        ("operation", "ConverseStream"),
        ("ending", "refused"),
    ];
    assert_eq!(page.get("bedplate_calls_total", &labels), 1.0);
}

#[test]
fn threads_come_to_one_sum() {
    let metrics = metrics();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..500).for_each(|_| settle(&metrics, full())));
        }
        scope.spawn(|| (0..50).for_each(|_| drop(page(&metrics))));
    });
    let page = page(&metrics);
    assert_eq!(page.sum("bedplate_calls_total"), 4_000.0);
    assert_eq!(page.sum("bedplate_upstream_attempts_total"), 8_000.0);
    assert_eq!(page.get("bedplate_in_flight", &[]), 0.0);
    assert!((page.sum("bedplate_cost_usd_total") - 4_000.0 * 5.52e-6).abs() < 1e-9);
}

proptest! {
    /// Whatever a call holds, the page can be read and the sums are right.
    #[test]
    fn any_call_can_be_counted(
        model: String, team: String, total: u64, first: Option<u64>, output: u32, nanos in 0i64..1_000_000_000,
        status: u16, error: Option<String>, ending in 0usize..5, tokens in 0u64..1_000_000_000,
    ) {
        let mut outcome = answered();
        let call = &mut outcome.call;
        call.model = model;
        call.team = team.into();
        call.timings.total = total;
        call.timings.first_token = first;
        call.usage.output = u64::from(output);
        call.usage.input = tokens;
        call.usage.units = vec![(Unit::Query, tokens)];
        call.cost = Cost::Known(Nanos(nanos));
        call.ending = [Ending::Answered, Ending::Refused, Ending::Failed, Ending::Cut, Ending::Abandoned][ending];
        outcome.attempts[0].status = status;
        outcome.attempts[0].error = error;
        let metrics = metrics();
        settle(&metrics, outcome);
        let page = page(&metrics);
        prop_assert_eq!(page.sum("bedplate_calls_total"), 1.0);
        prop_assert_eq!(page.sum("bedplate_units_total"), tokens as f64);
        prop_assert!((page.sum("bedplate_cost_usd_total") - nanos as f64 / 1e9).abs() < 1e-9);
    }
}
