//! The console: what is happening now.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bedplate_core::ports::Total;
use bedplate_core::record::Outcome;
use serde::Deserialize;

use super::budgets::Budgets;
use super::chart::{self, Bar};
use super::health::Strip;
use super::latency::Latency;
use super::row::Row;
use super::spend::Spend;
use super::{budgets, fresh, render, show};
use crate::api::totals::midnight;
use crate::budgets::Status;
use crate::gate::Pass;
use crate::health::Readiness;
use crate::live::{Picture, WINDOWS, Window};
use crate::routes::{App, Shared};

/// How many calls the table shows.
const ROWS: usize = 60;
/// The window that is shown when nobody picks one, in minutes.
const USUAL: u32 = 5;

/// The whole page. What changes is a [`Fragment`] in it.
#[derive(Template)]
#[template(path = "console.html")]
pub(super) struct Console {
    version: &'static str,
    /// Empty when the page was asked for with the admin key itself.
    token: String,
    fragment: Fragment,
}

#[derive(Template)]
#[template(path = "fragment.html")]
pub(super) struct Fragment {
    pub(super) health: Strip,
    pub(super) now: String,
    pub(super) up: String,
    pub(super) switch: Vec<Switch>,
    pub(super) window: String,
    pub(super) tiles: Tiles,
    pub(super) spend: Spend,
    pub(super) budgets: Budgets,
    pub(super) latency: Latency,
    pub(super) codes: Vec<Refused>,
    pub(super) rows: Vec<Row>,
    /// Calls that came too fast to be shown; empty when there are none.
    pub(super) missed: String,
}

/// One of the windows that may be picked.
pub(super) struct Switch {
    minutes: u32,
    current: bool,
}

/// The big numbers.
pub(super) struct Tiles {
    calls: String,
    rate: String,
    in_flight: String,
    call_bars: Vec<Bar>,
    cost_bars: Vec<Bar>,
    unanswered: String,
    unanswered_share: String,
    unanswered_parts: String,
    bad_bars: Vec<Bar>,
    total: String,
    total_p50: String,
    total_bars: Vec<Bar>,
    overhead: String,
}

/// A line of refusals by code.
pub(super) struct Refused {
    code: String,
    summary: &'static str,
    calls: String,
    width: String,
}

/// What may be picked.
#[derive(Deserialize)]
pub(crate) struct Choice {
    window: Option<u32>,
}

/// Nonsense picks nothing.
type Chosen = Result<Query<Choice>, QueryRejection>;

/// `GET /`
pub(crate) async fn page(State(app): Shared, Extension(pass): Extension<Pass>, choice: Chosen) -> Response {
    let token = match pass {
        Pass::Session(session) => session.csrf.to_string(),
        Pass::Key => String::new(),
    };
    let fragment = current(&app, choice).await;
    render(StatusCode::OK, &Console { version: app.parts.version, token, fragment })
}

/// `GET /fragment`: what the script puts in place of what it shows.
pub(crate) async fn fragment(State(app): Shared, choice: Chosen) -> Response {
    render(StatusCode::OK, &current(&app, choice).await)
}

async fn current(app: &App, choice: Chosen) -> Fragment {
    let minutes = choice.ok().and_then(|Query(c)| c.window).unwrap_or(USUAL);
    let parts = &app.parts;
    let now = parts.clock.now();
    let today = app.today.or(&*parts.clock, parts.ledger.totals(midnight(now), now)).await;
    let standing = parts.treasurer.status(None, budgets::OF_EACH);
    let standing = app.standing.or(&*parts.clock, standing).await;
    let (picture, recent) = (parts.live.picture(), parts.live.recent(ROWS));
    Fragment::of(&picture, &recent, &parts.health.ready(), &today, &standing, minutes)
}

impl Fragment {
    pub(super) fn of(
        picture: &Picture,
        recent: &[Arc<Outcome>],
        readiness: &Readiness,
        today: &fresh::Answer<Vec<Total>>,
        standing: &fresh::Answer<Vec<Status>>,
        minutes: u32,
    ) -> Self {
        let minutes = if WINDOWS.contains(&minutes) { minutes } else { USUAL };
        // `picture` has every window
        let [window, hour] = [minutes, 60].map(|m| picture.window(m).cloned().unwrap_or_else(Window::empty));
        Self {
            health: Strip::of(readiness, picture.at),
            now: show::time(picture.at),
            up: show::ago(picture.since, picture.at),
            switch: WINDOWS.map(|m| Switch { minutes: m, current: m == minutes }).into(),
            window: format!("{minutes} min"),
            tiles: Tiles::of(picture, &window),
            spend: Spend::of(today, &hour),
            budgets: Budgets::of(standing, picture.at),
            latency: Latency::of(&window),
            codes: codes(&window),
            rows: recent.iter().map(|o| Row::of(&o.call)).collect(),
            missed: if picture.missed > 0 { show::count(picture.missed) } else { String::new() },
        }
    }
}

impl Tiles {
    fn of(picture: &Picture, w: &Window) -> Self {
        let unanswered = w.refused + w.failed + w.cut;
        let parts = [("refused", w.refused), ("failed", w.failed), ("cut", w.cut)];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(what, n)| format!("{} {what}", show::count(n)))
            .collect();
        Self {
            calls: show::count(w.calls),
            rate: rate(w.calls, w.seconds),
            in_flight: show::count(picture.in_flight),
            call_bars: chart::calls(picture),
            cost_bars: chart::minutes(
                picture,
                |m| u64::try_from(m.cost.priced().0).unwrap_or(0),
                |m| show::cost(m.cost),
                "",
            ),
            unanswered: show::count(unanswered),
            unanswered_share: show::share(unanswered, w.calls),
            unanswered_parts: if parts.is_empty() { "all is well".into() } else { parts.join(" · ") },
            bad_bars: chart::minutes(
                picture,
                |m| m.bad,
                |m| format!("{} not answered", show::count(m.bad)),
                "bad",
            ),
            total: show::maybe_us(w.total.p95_us),
            total_p50: show::maybe_us(w.total.p50_us),
            total_bars: chart::minutes(
                picture,
                |m| m.total.p95_us.unwrap_or(0),
                |m| format!("p95 {}", show::maybe_us(m.total.p95_us)),
                "",
            ),
            overhead: show::maybe_us(w.overhead.p50_us),
        }
    }
}

fn codes(window: &Window) -> Vec<Refused> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let most = window.codes.first().map_or(0, |c| signed(c.calls));
    let line = |c: &crate::live::CodeLine| Refused {
        code: c.code.to_string(),
        summary: c.summary,
        calls: show::count(c.calls),
        width: chart::percent(signed(c.calls), most),
    };
    window.codes.iter().map(line).collect()
}

/// Calls by the second, or by the minute when they are few.
fn rate(calls: u64, seconds: u64) -> String {
    let each = calls as f64 / seconds.max(1) as f64;
    match each {
        0.0 => "none".into(),
        x if x >= 99.5 => format!("{x:.0}/s"),
        x if x >= 1.0 => format!("{x:.1}/s"),
        x => format!("{:.1}/min", x * 60.0),
    }
}

#[cfg(test)]
mod samples {
    use bedplate_core::clock::{Clock, Timestamp};
    use bedplate_core::ports::Sink;
    use bedplate_testkit::ManualClock;

    use super::*;
    use crate::health::Part;
    use crate::live::Live;
    use crate::outcomes;

    impl Fragment {
        pub(crate) fn sample() -> Self {
            let clock = ManualClock::at("2026-11-22T12:00:00Z");
            let live = Live::new(Arc::new(clock.clone()));
            for outcome in outcomes::busy(clock.now(), 3, 200, 7) {
                live.settle(&Arc::new(outcome));
            }
            let parts = vec![
                Part::ok("ledger").with("pending", 3),
                Part::failing("credentials usw2", Some(Timestamp(0)), "no credentials were found").spare(),
            ];
            let totals = Ok(Arc::new(outcomes::totals(clock.now(), 7)));
            let standing = Ok(Arc::new(budgets::samples::statuses()));
            Self::of(&live.picture(), &live.recent(ROWS), &Readiness { parts }, &totals, &standing, 5)
        }
    }

    impl Console {
        pub(crate) fn sample() -> Self {
            Self { version: "0.1.0", token: "abc".into(), fragment: Fragment::sample() }
        }
    }

    #[test]
    fn a_fragment_shows_calls_spend_latency_and_refusals() {
        let html = Fragment::sample().render().unwrap();
        for word in [
            "BP1003",
            "p99",
            "us.amazon.nova-lite-v1:0",
            "no credentials were found",
            "support/triage",
            "$250.00 a month",
        ] {
            assert!(html.contains(word), "`{word}` is not in {html}");
        }
    }

    #[test]
    fn a_fragment_of_nothing_is_whole() {
        let live = Live::new(Arc::new(ManualClock::at("2026-11-22T12:00:00Z")));
        let nothing = Ok(Arc::new(Vec::new()));
        let fragment =
            Fragment::of(&live.picture(), &[], &Readiness::default(), &nothing, &Ok(Arc::default()), 7);
        let html = fragment.render().unwrap();
        assert!(html.contains("No calls yet") && !html.contains("Budgets"), "{html}");
    }

    #[test]
    fn rates_have_a_unit_that_fits() {
        assert_eq!(
            [rate(0, 60), rate(3, 60), rate(90, 60), rate(60_000, 60)],
            ["none", "3.0/min", "1.5/s", "1000/s"]
        );
    }
}
