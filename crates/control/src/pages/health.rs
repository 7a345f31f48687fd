//! How the parts fare, as a strip.

use bedplate_core::clock::Timestamp;

use super::show;
use crate::health::{Part, Readiness, State};

#[derive(Clone, Debug)]
pub(super) struct Strip {
    pub(super) ready: bool,
    pub(super) parts: Vec<Chip>,
}

#[derive(Clone, Debug)]
pub(super) struct Chip {
    pub(super) name: String,
    /// `ok`, `warn` (fails, but calls are served) or `bad`.
    pub(super) tone: &'static str,
    /// Why and for how long it fails, and its numbers.
    pub(super) says: String,
}

impl Strip {
    pub(super) fn of(readiness: &Readiness, now: Timestamp) -> Self {
        let parts = readiness.parts.iter().map(|p| chip(p, now)).collect();
        Self { ready: readiness.is_ready(), parts }
    }
}

fn chip(part: &Part, now: Timestamp) -> Chip {
    let mut says: Vec<String> = Vec::new();
    let tone = match &part.state {
        State::Ok => "ok",
        State::Failing { since, reason } => {
            let since = since.map(|at| format!(" for {}", show::ago(at, now))).unwrap_or_default();
            says.push(format!("failing{since}: {reason}"));
            if part.needed { "bad" } else { "warn" }
        }
    };
    says.extend(part.facts.iter().map(|(fact, n)| format!("{} {fact}", show::count(*n))));
    Chip { name: part.name.clone(), tone, says: says.join(", ") }
}
