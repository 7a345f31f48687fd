//! Two observations, and every place where they differ.

use std::collections::BTreeSet;

use serde::Serialize;

use super::expected::{self, Optional};
use super::observe::{Body, Observation};
use super::shape::Shape;
use super::stream::Stream;

/// One place where the two sides differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) simulator: String,
    pub(super) target: String,
    /// Why it may be so; then it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) optional: Option<&'static str>,
}

/// Every difference between what the simulator and the target answered.
pub(super) fn differences(
    simulator: &Observation,
    target: &Observation,
    optional: &'static [Optional],
) -> Vec<Difference> {
    let mut compare = Compare { found: Vec::new(), optional };
    compare.observations(simulator, target);
    compare.found
}

const ABSENT: &str = "absent";

struct Compare {
    found: Vec<Difference>,
    optional: &'static [Optional],
}

impl Compare {
    fn observations(&mut self, s: &Observation, t: &Observation) {
        self.texts("status", &s.status.to_string(), &t.status.to_string());
        self.texts("error", s.error.as_deref().unwrap_or("none"), t.error.as_deref().unwrap_or("none"));
        // an answer of another kind differs in everything: what it says tells nothing more
        if s.status / 100 != t.status / 100 {
            return;
        }
        let names: BTreeSet<_> = s.headers.keys().chain(t.headers.keys()).collect();
        for name in names {
            let path = format!("headers.{name}");
            match (s.headers.get(name), t.headers.get(name)) {
                (Some(s), Some(t)) => self.texts(&path, s, t),
                (s, t) => self.one_sided(&path, s.map(String::as_str), t.map(String::as_str)),
            }
        }
        match (&s.body, &t.body) {
            (Body::Json(s), Body::Json(t)) => self.shapes("body", s, t),
            (Body::Stream(s), Body::Stream(t)) => self.streams(s, t),
            (s, t) => self.texts("body", says(s), says(t)),
        }
    }

    fn streams(&mut self, s: &Stream, t: &Stream) {
        self.texts("events", &s.outline.join(", "), &t.outline.join(", "));
        let kinds: BTreeSet<_> = s.blocks.keys().chain(t.blocks.keys()).collect();
        for kind in kinds {
            let path = format!("blocks.{kind}");
            let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join("; ");
            match (s.blocks.get(kind).map(list), t.blocks.get(kind).map(list)) {
                (Some(s), Some(t)) => self.texts(&path, &s, &t),
                (s, t) => self.one_sided(&path, s.as_deref(), t.as_deref()),
            }
        }
        for (label, s) in &s.events {
            // an event that one side lacks is told by the outline
            if let Some(t) = t.events.get(label) {
                self.shapes(&format!("event.{label}"), s, t);
            }
        }
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join("; ");
        self.texts("frame headers", &list(&s.frames), &list(&t.frames));
        let end = |broke: &str| if broke.is_empty() { "well".into() } else { format!("badly: {broke}") };
        self.texts("end", &end(&s.broke), &end(&t.broke));
    }

    fn shapes(&mut self, path: &str, s: &Shape, t: &Shape) {
        if s.kinds != t.kinds {
            let null_apart = |a: &Shape, b: &Shape| {
                a.kinds.iter().filter(|k| **k != "null").eq(b.kinds.iter().filter(|k| **k != "null"))
                    || a.kinds.iter().eq(["null"].iter())
                    || b.kinds.iter().eq(["null"].iter())
            };
            let optional = if null_apart(s, t) { expected::why(path, self.optional) } else { None };
            self.push(path, s.says(), t.says(), optional);
        }
        if !s.words.is_empty() && !t.words.is_empty() && s.words != t.words {
            let list = |words: &BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(", ");
            self.push(path, list(&s.words), list(&t.words), expected::why(path, self.optional));
        }
        if !(s.kinds.contains("object") && t.kinds.contains("object")) && s.kinds != t.kinds {
            return;
        }
        let names: BTreeSet<_> = s.members.keys().chain(t.members.keys()).collect();
        for name in names {
            let path = format!("{path}.{name}");
            match (s.members.get(name), t.members.get(name)) {
                (Some(s), Some(t)) => self.shapes(&path, s, t),
                (s, t) => {
                    self.one_sided(&path, s.map(Shape::says).as_deref(), t.map(Shape::says).as_deref());
                }
            }
        }
        if let (Some(s), Some(t)) = (&s.items, &t.items) {
            self.shapes(&format!("{path}[]"), s, t);
        }
    }

    fn texts(&mut self, path: &str, s: &str, t: &str) {
        if s != t {
            self.push(path, s.to_owned(), t.to_owned(), None);
        }
    }

    fn one_sided(&mut self, path: &str, s: Option<&str>, t: Option<&str>) {
        let optional = expected::why(path, self.optional);
        let says = |side: Option<&str>| side.unwrap_or(ABSENT).to_owned();
        self.push(path, says(s), says(t), optional);
    }

    fn push(&mut self, path: &str, simulator: String, target: String, optional: Option<&'static str>) {
        self.found.push(Difference { path: path.to_owned(), simulator, target, optional });
    }
}

fn says(body: &Body) -> &'static str {
    match body {
        Body::None => "nothing",
        Body::Json(_) => "JSON",
        Body::Other => "no JSON",
        Body::Stream(_) => "an event stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(value: &serde_json::Value) -> Observation {
        Observation { status: 200, body: Body::Json(Box::new(Shape::of(value))), ..Observation::default() }
    }

    fn found(s: &serde_json::Value, t: &serde_json::Value) -> Vec<(String, String, String, bool)> {
        differences(&body(s), &body(t), &[])
            .into_iter()
            .map(|d| (d.path, d.simulator, d.target, d.optional.is_some()))
            .collect()
    }

    fn row(path: &str, s: &str, t: &str, optional: bool) -> (String, String, String, bool) {
        (path.into(), s.into(), t.into(), optional)
    }

    #[test]
    fn members_types_and_words_are_named_by_their_place() {
        let s = json!({ "usage": { "totalTokens": 3 }, "content": [{ "type": "text" }], "metrics": {} });
        let t = json!({ "usage": { "cacheDetails": [] }, "content": [{ "type": "image" }], "metrics": 7 });
        assert_eq!(
            found(&s, &t),
            [
                row("body.content[].type", "text", "image", false),
                row("body.metrics", "object", "number", false),
                row("body.usage.cacheDetails", "absent", "list", true),
                row("body.usage.totalTokens", "number", "absent", false),
            ]
        );
    }

    #[test]
    fn an_empty_list_is_no_difference_and_null_is_one() {
        assert_eq!(found(&json!({ "a": [] }), &json!({ "a": [1] })), []);
        assert_eq!(
            found(&json!({ "a": null }), &json!({ "a": 1 })),
            [row("body.a", "null", "number", false)]
        );
    }

    #[test]
    fn an_error_for_an_answer_is_told_once() {
        let s = body(&json!({ "output": {} }));
        let mut t = body(&json!({ "message": "no" }));
        (t.status, t.error) = (403, Some("AccessDeniedException".into()));
        let paths: Vec<_> = differences(&s, &t, &[]).into_iter().map(|d| d.path).collect();
        assert_eq!(paths, ["status", "error"]);
    }
}
