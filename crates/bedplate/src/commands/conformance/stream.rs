//! What can be seen of an event stream: its events in order, its blocks, and which event carries what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bedplate_pipeline::{Flow, Metered};
use bedplate_wire::eventstream::{Frame, Kind, Scanner, Value as Header};
use serde_json::Value;

use super::shape::Shape;

/// A stream as it is compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Event types in order, runs as one; the events of content blocks are `content` together.
    pub(super) outline: Vec<String>,
    /// By kind of block (`text`, `toolUse`): the sequences of event types that such blocks had.
    pub(super) blocks: BTreeMap<String, BTreeSet<String>>,
    /// What the events of each type carried, without padding.
    pub(super) events: BTreeMap<String, Shape>,
    /// The headers that frames had, in order.
    pub(super) frames: BTreeSet<String>,
    /// Why the stream ended badly; empty when it ended well.
    pub(super) broke: String,
}

impl Stream {
    /// Reads to the end, waiting at most `idle` for each piece.
    pub(super) async fn read(mut flow: Box<dyn Flow>, idle: Duration) -> (Self, Metered) {
        let mut reading = Reading::default();
        let mut scanner = Scanner::new(true);
        let broke = loop {
            let piece = std::future::poll_fn(|cx| flow.poll_piece(cx));
            match tokio::time::timeout(idle, piece).await {
                Err(_) => break "it stood still".to_owned(),
                Ok(None) => break String::new(),
                Ok(Some(Err(broke))) => break broke.cause,
                Ok(Some(Ok(piece))) => scanner.feed(piece.bytes),
            }
            match reading.frames(&mut scanner) {
                Ok(()) => {}
                Err(damage) => break damage,
            }
        };
        let mut stream = reading.finish();
        stream.broke = broke;
        (stream, flow.metered())
    }
}

#[derive(Default)]
struct Reading {
    stream: Stream,
    /// Content blocks that were begun, by index.
    open: BTreeMap<u64, Block>,
}

/// A content block so far.
#[derive(Default)]
struct Block {
    kind: Option<String>,
    sequence: Vec<String>,
}

impl Reading {
    fn frames(&mut self, scanner: &mut Scanner) -> Result<(), String> {
        while let Some(frame) = scanner.next_frame().map_err(|damage| damage.to_string())? {
            self.frame(&frame)?;
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), String> {
        self.stream.frames.insert(headers(frame)?);
        let mut payload: Value = serde_json::from_slice(frame.payload()).unwrap_or(Value::Null);
        // Bedrock pads its events to hide how long their text is
        if let Value::Object(members) = &mut payload {
            members.remove("p");
        }
        match frame.kind() {
            Kind::Event("chunk") => {
                self.carries("chunk", &payload);
                let native = payload["bytes"].as_str().and_then(|text| STANDARD.decode(text).ok());
                let native = native.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
                self.event(&label(native.as_ref()), &native.unwrap_or_default());
            }
            Kind::Event(name) => self.event(name, &payload),
            Kind::Exception(name) => self.event(&format!("exception {name}"), &payload),
            Kind::Error { code, .. } => self.event(&format!("error {code}"), &payload),
            Kind::Other => self.event("a frame of no known kind", &payload),
        }
        Ok(())
    }

    fn event(&mut self, label: &str, value: &Value) {
        // may come at any time, or never
        if label == "ping" {
            return;
        }
        self.carries(label, value);
        let block = label.starts_with("contentBlock") || label.starts_with("content_block");
        let place = if block { "content" } else { label };
        push_run(&mut self.stream.outline, place);
        if block {
            let inner = value.get(label).unwrap_or(value);
            let index = inner.get("contentBlockIndex").or_else(|| inner.get("index")).and_then(Value::as_u64);
            let block = self.open.entry(index.unwrap_or(u64::MAX)).or_default();
            push_run(&mut block.sequence, label);
            block.kind = block.kind.take().or_else(|| kind(inner));
        }
    }

    fn carries(&mut self, label: &str, value: &Value) {
        self.stream.events.entry(label.to_owned()).or_default().merge(Shape::of(value));
    }

    fn finish(mut self) -> Stream {
        for block in std::mem::take(&mut self.open).into_values() {
            let kind = block.kind.unwrap_or_else(|| "unknown".into());
            self.stream.blocks.entry(kind).or_default().insert(block.sequence.join(" "));
        }
        self.stream
    }
}

fn push_run(sequence: &mut Vec<String>, name: &str) {
    if sequence.last().is_none_or(|last| last != name) {
        sequence.push(name.to_owned());
    }
}

/// The type of a native chunk: its `type` (Anthropic), or its one member (Nova), else `native`.
fn label(native: Option<&Value>) -> String {
    let Some(Value::Object(members)) = native else { return "a chunk that is no JSON object".into() };
    if let Some(Value::String(kind)) = members.get("type") {
        return kind.clone();
    }
    let mut own = members.iter().filter(|(name, _)| !name.starts_with("amazon-bedrock-"));
    match (own.next(), own.next()) {
        (Some((name, Value::Object(_))), None) => name.clone(),
        _ => "native".into(),
    }
}

/// The kind of content that an event of a block tells, in Converse's words.
fn kind(event: &Value) -> Option<String> {
    let first = |member: &str| event.get(member)?.as_object()?.keys().next().cloned();
    let named = |member: &str| Some(event.get(member)?.get("type")?.as_str()?.to_owned());
    let said = named("content_block").or_else(|| named("delta")).or_else(|| first("start"));
    let said = said.or_else(|| first("delta"))?;
    Some(match said.as_str() {
        "text_delta" => "text".into(),
        "tool_use" | "input_json_delta" => "toolUse".into(),
        "thinking" | "thinking_delta" | "signature_delta" => "reasoningContent".into(),
        _ => said,
    })
}

/// The headers of a frame in order, with the values that are the same in every frame of its kind.
fn headers(frame: &Frame) -> Result<String, String> {
    let mut said = Vec::new();
    for header in frame.headers() {
        let (name, value) = header.map_err(|damage| damage.to_string())?;
        said.push(match (name, value) {
            (":content-type" | ":message-type", Header::Text(text)) => format!("{name}={text}"),
            (_, Header::Text(_)) => name.to_owned(),
            (_, _) => format!("{name} (not text)"),
        });
    }
    Ok(said.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(events: &[(&str, Value)]) -> Stream {
        let mut reading = Reading::default();
        for (label, value) in events {
            reading.event(label, value);
        }
        reading.finish()
    }

    #[test]
    fn runs_are_one_and_blocks_stand_by_kind() {
        let delta =
            |i: u32, delta: Value| ("contentBlockDelta", json!({ "contentBlockIndex": i, "delta": delta }));
        let stop = |i: u32| ("contentBlockStop", json!({ "contentBlockIndex": i }));
        let stream = read(&[
            ("messageStart", json!({ "role": "assistant" })),
            delta(0, json!({ "text": "a" })),
            delta(0, json!({ "text": "b" })),
            stop(0),
            ("contentBlockStart", json!({ "contentBlockIndex": 1, "start": { "toolUse": {} } })),
            delta(1, json!({ "toolUse": { "input": "{}" } })),
            stop(1),
            ("messageStop", json!({})),
        ]);
        assert_eq!(stream.outline, ["messageStart", "content", "messageStop"]);
        assert!(stream.blocks["text"].contains("contentBlockDelta contentBlockStop"));
        assert!(stream.blocks["toolUse"].contains("contentBlockStart contentBlockDelta contentBlockStop"));
    }

    #[test]
    fn native_chunks_are_named_by_what_they_are() {
        assert_eq!(label(Some(&json!({ "type": "message_stop", "amazon-bedrock-x": {} }))), "message_stop");
        assert_eq!(label(Some(&json!({ "metadata": {}, "amazon-bedrock-x": {} }))), "metadata");
        assert_eq!(label(Some(&json!({ "outputText": "a", "index": 0 }))), "native");
        assert_eq!(label(None), "a chunk that is no JSON object");
    }
}
