//! What `/readyz` says: the parts of a running bedplate, and whether calls can be served.

use bedplate_core::clock::Timestamp;
use serde::Serialize;

/// Knows how the parts fare. Asked by every probe: it must answer from memory.
pub trait Health: Send + Sync {
    fn ready(&self) -> Readiness;
}

/// Every part, in the order in which people should read them.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    pub parts: Vec<Part>,
}

/// One thing that calls rely on.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// `ledger`, `credentials use1`, `admission`.
    pub name: String,
    #[serde(flatten)]
    pub state: State,
    /// Whether bedplate is not ready while this fails. One of several providers may fail without that.
    pub needed: bool,
    /// Numbers worth knowing: rows pending, places taken.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub facts: Vec<(&'static str, u64)>,
}

/// How a part fares.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    Ok,
    Failing {
        /// Since when, as far as that is known.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
        since: Option<Timestamp>,
        /// Why, for operators.
        reason: String,
    },
}

impl Readiness {
    /// Whether every part that is needed works.
    pub fn is_ready(&self) -> bool {
        self.parts.iter().all(|p| !p.needed || p.state == State::Ok)
    }
}

impl Part {
    /// A part that works.
    pub fn ok(name: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, needed: true, facts: Vec::new() }
    }

    /// A part that fails.
    pub fn failing(name: impl Into<String>, since: Option<Timestamp>, reason: impl Into<String>) -> Self {
        Self { state: State::Failing { since, reason: reason.into() }, ..Self::ok(name) }
    }

    /// Adds a number worth knowing.
    #[must_use]
    pub fn with(mut self, fact: &'static str, n: u64) -> Self {
        self.facts.push((fact, n));
        self
    }

    /// Calls can be served while this part fails.
    #[must_use]
    pub fn spare(mut self) -> Self {
        self.needed = false;
        self
    }
}

fn as_text<S: serde::Serializer>(at: &Option<Timestamp>, s: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => s.collect_str(at),
        None => s.serialize_none(),
    }
}

fn as_map<S: serde::Serializer>(facts: &[(&'static str, u64)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(facts.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_counts() {
        let spare = Part::failing("credentials usw2", Some(Timestamp(0)), "none found").spare();
        let mut readiness = Readiness { parts: vec![Part::ok("ledger").with("pending", 3), spare] };
        assert!(readiness.is_ready());
        readiness.parts.push(Part::failing("admission", None, "draining"));
        assert!(!readiness.is_ready());
        assert_eq!(
            serde_json::to_value(&readiness.parts[0]).unwrap(),
            serde_json::json!({ "name": "ledger", "state": "ok", "needed": true, "facts": { "pending": 3 } }),
        );
    }
}
