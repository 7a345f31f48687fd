//! One call: everything that is known of it, on one page. Its content is not: it is kept nowhere.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bedplate_core::record::{AttemptRow, CallRow, Outcome, Timings};
use bedplate_core::usage::{Usage, UsageBasis};

use super::{render, row, show, trouble};
use crate::api::asked::Named;
use crate::api::calls::find;
use crate::gate::Pass;
use crate::routes::Shared;

#[derive(Template)]
#[template(path = "call.html")]
pub(super) struct Page {
    id: String,
    at: String,
    pub(super) asked: String,
    model: String,
    ending: &'static str,
    tone: &'static str,
    status: u16,
    code: String,
    /// What the code says, and at which stage.
    why: String,
    figures: Vec<Fact>,
    groups: Vec<Group>,
    phases: Vec<Phase>,
    attempts: Vec<Attempt>,
    token: String,
}

struct Fact {
    name: &'static str,
    value: String,
}

struct Group {
    title: &'static str,
    facts: Vec<Fact>,
}

/// A stretch of the call's time, in per cent of it.
struct Phase {
    name: &'static str,
    class: &'static str,
    x: String,
    width: String,
    took: String,
}

struct Attempt {
    n: u16,
    target: String,
    tone: &'static str,
    answer: String,
    facts: Vec<Fact>,
}

/// `GET /calls/{id}`
pub(crate) async fn page(State(app): Shared, Extension(pass): Extension<Pass>, Named(id): Named) -> Response {
    let token = match pass {
        Pass::Session(session) => session.csrf.to_string(),
        Pass::Key => String::new(),
    };
    match find(&app, &id).await {
        Ok(outcome) => render(StatusCode::OK, &Page::of(&outcome, token)),
        Err(problem) => trouble(&problem),
    }
}

impl Page {
    fn of(outcome: &Outcome, token: String) -> Self {
        let c = &outcome.call;
        let why = match (c.code, &c.error) {
            (Some(code), error) => {
                let stage = c.stage.map_or("no stage", |s| s.name());
                let error = error.as_ref().map(|e| format!(" ({e})")).unwrap_or_default();
                format!("{}, at {stage}{error}", code.summary())
            }
            (None, Some(error)) => format!("the upstream's {error}"),
            (None, None) => String::new(),
        };
        Self {
            id: c.id.to_string(),
            at: c.admitted_at.to_string(),
            asked: c.operation.map_or("unknown operation", |op| op.name()).to_owned(),
            model: c.model.clone(),
            ending: c.ending.name(),
            tone: row::tone(c.ending),
            status: c.status,
            code: c.code.map_or_else(String::new, |c| c.to_string()),
            why,
            figures: figures(c),
            groups: vec![who(c), usage(c), connection(c)],
            phases: phases(&c.timings),
            attempts: outcome.attempts.iter().map(attempt).collect(),
            token,
        }
    }
}

fn figures(c: &CallRow) -> Vec<Fact> {
    let mut figures = vec![
        fact("Cost", c.cost.to_string()),
        fact("Tokens in", show::count(c.usage.prompt())),
        fact("Tokens out", show::count(c.usage.output)),
        fact("Total", show::us(c.timings.total)),
        fact("Own overhead", show::us(c.timings.overhead)),
    ];
    if let Some(first) = c.timings.first_token {
        figures.insert(3, fact("First token", show::us(first)));
    }
    figures
}

fn who(c: &CallRow) -> Group {
    let text = |s: &str| if s.is_empty() { "–".to_owned() } else { s.to_owned() };
    let maybe = |s: &Option<String>| text(s.as_deref().unwrap_or(""));
    let facts = match &c.key {
        None => vec![fact("Caller", "not recognised".into())],
        Some(key) => vec![
            fact("Team", text(&c.team)),
            fact("Feature", text(&c.feature)),
            fact("Environment", text(&c.environment)),
            fact("Key", key.to_string()),
        ],
    };
    let prompt = c.prompt.as_ref().map(|p| fact("Prompt", format!("{} {}", p.name, p.version)));
    let more = [fact("User", maybe(&c.user)), fact("Chain", maybe(&c.chain)), fact("Trace", maybe(&c.trace))];
    Group { title: "Who", facts: facts.into_iter().chain(prompt).chain(more).collect() }
}

fn usage(c: &CallRow) -> Group {
    let mut facts = tokens(&c.usage);
    facts.push(fact("Basis", basis(c.basis).into()));
    facts.push(fact("Cost", c.cost.to_string()));
    facts.push(fact("Stop reason", c.stop_reason.clone().unwrap_or_else(|| "–".into())));
    Group { title: "Usage", facts }
}

fn connection(c: &CallRow) -> Group {
    let changed = if c.edits.is_empty() { "nothing".to_owned() } else { c.edits.join("; ") };
    let facts = vec![
        fact("Dialect", c.dialect.name().into()),
        fact("Bytes in", show::count(c.bytes_in)),
        fact("Bytes out", show::count(c.bytes_out)),
        fact("Body read", show::maybe_us(c.timings.body_read)),
        fact("Cleared", show::maybe_us(c.timings.cleared)),
        fact("First byte", show::maybe_us(c.timings.first_byte)),
        fact("Changed", changed),
    ];
    Group { title: "Request", facts }
}

/// Counters that are not zero; disjoint, but for reasoning.
fn tokens(u: &Usage) -> Vec<Fact> {
    let all = [
        ("Input", u.input),
        ("Cache read", u.cache_read),
        ("Cache write 5 min", u.cache_write_5m),
        ("Cache write 1 h", u.cache_write_1h),
        ("Output", u.output),
        ("of it reasoning", u.reasoning.unwrap_or(0)),
    ];
    let mut facts: Vec<_> =
        all.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| fact(name, show::count(n))).collect();
    facts.extend(u.units.iter().map(|(unit, n)| fact("Units", format!("{} × {unit:?}", show::count(*n)))));
    if facts.is_empty() {
        facts.push(fact("Tokens", "none".into()));
    }
    facts
}

fn basis(basis: UsageBasis) -> &'static str {
    match basis {
        UsageBasis::None => "nothing is metered",
        UsageBasis::Reported => "as the upstream reported it",
        UsageBasis::Estimated => "estimated: the upstream did not say",
        UsageBasis::Unmetered => "unmetered: allowed by configuration",
    }
}

/// Cuts the call's time at the moments that are known.
fn phases(t: &Timings) -> Vec<Phase> {
    let first = t.first_token.or(t.first_byte);
    let cuts = [
        ("receiving", "receive", t.body_read),
        ("admitting", "admit", t.cleared),
        ("waiting for the upstream", "wait", first),
        ("answering", "answer", Some(t.total)),
    ];
    let (mut from, mut phases) = (0, Vec::new());
    for (name, class, until) in cuts {
        let Some(until) = until.map(|u| u.min(t.total)) else { continue };
        if until > from {
            let percent = |us: u64| format!("{:.3}", us as f64 * 100.0 / t.total as f64);
            let took = show::us(until - from);
            phases.push(Phase { name, class, x: percent(from), width: percent(until - from), took });
            from = until;
        }
    }
    phases
}

fn attempt(a: &AttemptRow) -> Attempt {
    let or = |s: &str, none: &str| if s.is_empty() { none.to_owned() } else { s.to_owned() };
    let mut answer = if a.status == 0 { "no answer".to_owned() } else { format!("status {}", a.status) };
    if let Some(error) = &a.error {
        answer = format!("{answer}, {error}");
    }
    if let Some(code) = a.code {
        answer = format!("{answer}, {code}: {}", code.summary());
    }
    let t = &a.timings;
    let mut facts = vec![
        fact("Provider", format!("{}, {}", a.provider, or(&a.region, "no region"))),
        fact("Account", or(&a.account, "unknown")),
        fact("Request id", a.upstream_request_id.clone().unwrap_or_else(|| "–".into())),
        fact("Tier", or(&a.tier, "not said")),
    ];
    facts.extend(tokens(&a.usage));
    facts.extend([
        fact("Basis", basis(a.basis).into()),
        fact("Cost", format!("{} by prices of {}", a.cost, or(&a.price_version, "no book"))),
        fact("Connect", t.connect.map_or_else(|| "kept connection".into(), show::us)),
        fact("First byte", show::maybe_us(t.first_byte)),
        fact("First token", show::maybe_us(t.first_token)),
        fact("Total", show::us(t.total)),
        fact("Upstream says", t.upstream_latency_ms.map_or_else(|| "–".into(), |ms| format!("{ms} ms"))),
    ]);
    let tone = if (200..300).contains(&a.status) && a.code.is_none() { "ok" } else { "bad" };
    Attempt { n: a.n, target: a.target.to_string(), tone, answer, facts }
}

fn fact(name: &'static str, value: String) -> Fact {
    Fact { name, value }
}

#[cfg(test)]
impl Page {
    pub(super) fn sample() -> Self {
        let at = bedplate_core::clock::Timestamp::from_secs(1_795_348_800);
        let outcomes = crate::outcomes::busy(at, 3, 200, 7);
        let richest = outcomes.iter().max_by_key(|o| (o.attempts.len(), o.call.timings.first_token));
        Self::of(richest.unwrap(), "abc".into())
    }
}
