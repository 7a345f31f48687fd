//! Taking out of a Converse body what a model refuses.
//!
//! Everything else stays in the caller's own bytes. What remains is a body that Bedrock takes again: no message
//! without content, no comma too many.

use std::ops::Range;

use bedplate_core::view::{Edits, Refuses};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::blocks::{Block, Kind, told};
use crate::json;

/// How the members of `inferenceConfig` are called that draw lots.
const SAMPLING: [&str; 2] = ["temperature", "topP"];
/// The same among a model's own fields.
const OWN_SAMPLING: [&str; 5] = ["temperature", "top_p", "top_k", "topP", "topK"];

/// Adds to `edits` what takes out of `body` what `refuses` names.
pub(super) fn adapt(body: &str, refuses: Refuses, edits: &mut Edits) {
    let mut names = Vec::new();
    let mut values: Vec<(String, &str)> = Vec::new();
    let read = json::each(body, &mut |name, value| values.push((name.to_owned(), value.get())));
    if read.is_err() {
        return;
    }
    let adapting = Adapting { body, refuses };
    let drop: Vec<bool> =
        values.iter().map(|(name, value)| adapting.drops(name, value, &mut names)).collect();
    // what others add comes after a comma: somebody has to be before it
    if !drop.iter().all(|drop| *drop) {
        let ends: Vec<usize> = values.iter().map(|(_, value)| json::range_in(body, value).end).collect();
        cut(body, 0, &ends, &drop, "", edits);
        edits.said.append(&mut names);
    }
    let mut counts = Counts::default();
    for ((name, value), drop) in values.iter().zip(&drop) {
        let start = json::range_in(body, value).start;
        match name.as_str() {
            _ if *drop => {}
            "inferenceConfig" if refuses.sampling => {
                members(value, start, "inferenceConfig", &SAMPLING, edits);
            }
            "additionalModelRequestFields" if refuses.sampling => adapting.own_fields(value, start, edits),
            "system" => adapting.list(value, start, "", &mut counts, edits),
            "messages" => adapting.messages(value, start, &mut counts, edits),
            "toolConfig" if refuses.cache_points => {
                if let Some(tools) = member(value, "tools") {
                    let start = start + json::range_in(value, tools).start;
                    adapting.list(tools, start, "", &mut counts, edits);
                }
            }
            _ => {}
        }
    }
    counts.say(edits);
}

struct Adapting<'a> {
    body: &'a str,
    refuses: Refuses,
}

/// What was left out of lists.
#[derive(Default)]
struct Counts {
    reasoning: usize,
    points: usize,
    tools: usize,
    prefill: bool,
}

impl Counts {
    fn say(&self, edits: &mut Edits) {
        let mut say = |n: usize, what: &str| {
            if n > 0 {
                edits.said.push(format!("{what}, {n}"));
            }
        };
        say(self.reasoning, "left out: reasoning of another family");
        say(self.points, "left out: cachePoint");
        say(self.tools, "written as text: toolUse and toolResult");
        if self.prefill {
            edits.said.push("left out: the assistant's prefill".into());
        }
    }
}

/// What stands where a message would be empty.
const NOTHING: &str = r#"{"text":"(no text)"}"#;

impl Adapting<'_> {
    /// Whether a member of the body goes as a whole, and how that is said.
    fn drops(&self, name: &str, value: &str, said: &mut Vec<String>) -> bool {
        let goes = match name {
            "toolConfig" => self.refuses.tools,
            "additionalModelRequestFields" => self.refuses.foreign,
            _ => false,
        };
        let goes = goes && value != "null";
        if goes {
            said.push(format!("left out: {name}"));
        }
        goes
    }

    /// Fields of the model's own, and those in their `inferenceConfig`.
    fn own_fields(&self, text: &str, start: usize, edits: &mut Edits) {
        members(text, start, "additionalModelRequestFields", &OWN_SAMPLING, edits);
        if let Some(inner) = member(text, "inferenceConfig") {
            let start = start + json::range_in(text, inner).start;
            members(inner, start, "additionalModelRequestFields.inferenceConfig", &OWN_SAMPLING, edits);
        }
    }

    fn messages(&self, text: &str, start: usize, counts: &mut Counts, edits: &mut Edits) {
        let Ok(messages) = serde_json::from_str::<Vec<&RawValue>>(text) else { return };
        let prefilled = self.refuses.prefill
            && messages.len() > 1
            && messages.last().is_some_and(|last| is_assistants(last.get()));
        let last = messages.len().saturating_sub(1);
        let mut drop = vec![false; messages.len()];
        if prefilled {
            drop[last] = true;
            counts.prefill = true;
        }
        for (message, _) in messages.iter().zip(&drop).filter(|(_, drop)| !**drop) {
            if let Some(content) = member(message.get(), "content") {
                self.list(content, json::range_in(self.body, content).start, NOTHING, counts, edits);
            }
        }
        let ends: Vec<usize> = messages.iter().map(|m| json::range_in(text, m.get()).end).collect();
        cut(text, start, &ends, &drop, "", edits);
    }

    /// The blocks of a message, of the system's prompt, or tools; `instead` stands there when none is left.
    fn list(&self, text: &str, start: usize, instead: &str, counts: &mut Counts, edits: &mut Edits) {
        let Ok(raw) = serde_json::from_str::<Vec<&RawValue>>(text) else { return };
        let blocks: Vec<Block<'_>> = raw.iter().map(|block| Block::of(block.get())).collect();
        let drop: Vec<bool> = blocks.iter().map(|block| self.drops_block(block.kind, counts)).collect();
        let ends: Vec<usize> = raw.iter().map(|block| json::range_in(text, block.get()).end).collect();
        let says = blocks.iter().zip(&drop).any(|(block, drop)| !*drop && block.kind != Kind::CachePoint);
        let none = drop.contains(&true) && !says && !instead.is_empty();
        if none {
            // a message of nothing but marks is none
            return put(text, start, &ends, instead, edits);
        }
        if self.refuses.tools {
            for (block, at) in blocks.iter().zip(&raw) {
                if let Some(words) = told(block) {
                    counts.tools += 1;
                    let at = json::range_in(text, at.get());
                    edits.splice(start + at.start..start + at.end, Bytes::from(words));
                }
            }
        }
        cut(text, start, &ends, &drop, "", edits);
    }

    fn drops_block(&self, kind: Kind, counts: &mut Counts) -> bool {
        match kind {
            Kind::Reasoning if self.refuses.foreign => counts.reasoning += 1,
            Kind::CachePoint if self.refuses.cache_points => counts.points += 1,
            _ => return false,
        }
        true
    }
}

fn is_assistants(message: &str) -> bool {
    member(message, "role").and_then(json::string).as_deref() == Some("assistant")
}

/// A member of an object, raw; `null` counts as absent.
fn member<'a>(object: &'a str, name: &'static str) -> Option<&'a str> {
    json::pick(object, &[name]).ok()?.text(0)
}

/// Takes the members `names` out of the object `text`, which begins at `start` of the body.
fn members(text: &str, start: usize, outer: &str, names: &[&str], edits: &mut Edits) {
    let (mut ends, mut drop, mut said) = (Vec::new(), Vec::new(), Vec::new());
    let read = json::each(text, &mut |name, value| {
        let goes = names.contains(&name) && value.get() != "null";
        if goes {
            said.push(format!("left out: {outer}.{name}"));
        }
        ends.push(json::range_in(text, value.get()).end);
        drop.push(goes);
    });
    if read.is_ok() {
        cut(text, start, &ends, &drop, "", edits);
        edits.said.append(&mut said);
    }
}

/// Takes what `drop` says out of the list or object `text`, which begins at `start` of the body; `ends` are where its
/// elements, or the values of its members, end in `text`.
fn cut(text: &str, start: usize, ends: &[usize], drop: &[bool], instead: &str, edits: &mut Edits) {
    let leading = drop.iter().take_while(|drop| **drop).count();
    let mut splice = |range: Range<usize>, with: &str| {
        edits.splice(start + range.start..start + range.end, Bytes::copy_from_slice(with.as_bytes()));
    };
    if leading > 0 {
        let Some(open) = text.find(['{', '[']) else { return };
        let end = ends[leading - 1];
        // the comma after the last of them goes, too
        let comma = if leading == ends.len() { None } else { text[end..].find(',') };
        splice(open + 1..comma.map_or(end, |comma| end + comma + 1), instead);
    }
    for at in leading..ends.len() {
        if drop[at] {
            splice(ends[at - 1]..ends[at], "");
        }
    }
}

/// Puts `instead` in the place of all elements.
fn put(text: &str, start: usize, ends: &[usize], instead: &str, edits: &mut Edits) {
    cut(text, start, ends, &vec![true; ends.len()], instead, edits);
}
