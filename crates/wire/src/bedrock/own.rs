//! Answers of our own, in the words of Bedrock: what a caller gets when no model can be asked.

use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use crate::eventstream::{CONTENT_TYPE, encode_event};

/// An answer that says `text`, as the operation gives it: of a stream all of its events. `None` for operations whose
/// answers have another form with every model.
pub fn answer(operation: Operation, text: &str) -> Option<(Headers, Content)> {
    let (content_type, body) = match operation {
        Operation::Converse => ("application/json", whole(text)),
        Operation::ConverseStream => (CONTENT_TYPE, stream(text)),
        _ => return None,
    };
    let mut headers = Headers::with_capacity(1);
    headers.push("content-type", content_type);
    Some((headers, Content::new(body)))
}

fn nothing() -> Value {
    json!({ "inputTokens": 0, "outputTokens": 0, "totalTokens": 0 })
}

fn whole(text: &str) -> Bytes {
    let message = json!({ "role": "assistant", "content": [{ "text": text }] });
    let answer = json!({
        "metrics": { "latencyMs": 0 },
        "output": { "message": message },
        "stopReason": "end_turn",
        "usage": nothing(),
    });
    Bytes::from(answer.to_string())
}

fn stream(text: &str) -> Bytes {
    let events = [
        ("messageStart", json!({ "role": "assistant" })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": text } })),
        ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        ("messageStop", json!({ "stopReason": "end_turn" })),
        ("metadata", json!({ "metrics": { "latencyMs": 0 }, "usage": nothing() })),
    ];
    let mut out = BytesMut::new();
    for (name, payload) in events {
        out.extend_from_slice(&encode_event(name, payload.to_string().as_bytes()));
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventstream::{Kind, Scanner};

    #[test]
    fn a_stream_has_the_events_of_a_real_one_in_their_order() {
        let (headers, body) = answer(Operation::ConverseStream, "We are \"busy\".").unwrap();
        assert_eq!(headers.text("content-type"), Some(CONTENT_TYPE));
        let mut scanner = Scanner::new(true);
        scanner.feed(body.into_exposed());
        let mut names = Vec::new();
        while let Some(frame) = scanner.next_frame().unwrap() {
            let Kind::Event(name) = frame.kind() else { panic!("no event") };
            names.push(name.to_owned());
        }
        assert_eq!(
            names,
            ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
        );
    }

    #[test]
    fn a_whole_answer_says_the_text_and_native_bodies_have_none() {
        let (_, body) = answer(Operation::Converse, "We are busy.").unwrap();
        let body: Value = serde_json::from_slice(&body.into_exposed()).unwrap();
        assert_eq!(body["output"]["message"]["content"][0]["text"], "We are busy.");
        assert!(answer(Operation::InvokeModel, "x").is_none());
    }
}
