//! The answer to ConverseStream, event by event.

use serde_json::{Value, json};

use super::whole::{additional, stop_reason, tail, usage};
use crate::answer::Block;
use crate::complete::Completion;
use crate::stream::{Event, pieces};

/// All events in order; padding is added when they are framed.
pub(crate) fn events(done: &Completion, body: &Value) -> Vec<Event> {
    let mut out = vec![Event::new("messageStart", json!({ "role": "assistant" }))];
    for (i, block) in done.answer.blocks.iter().enumerate() {
        self::block(i, block, done.seed, &mut out);
    }
    let mut stop = json!({ "stopReason": stop_reason(done.answer.stop) });
    if let Some(fields) = additional(done, body) {
        stop["additionalModelResponseFields"] = fields;
    }
    out.push(Event::new("messageStop", stop));
    let mut last = json!({ "usage": usage(done), "metrics": { "latencyMs": done.latency_ms() } });
    tail(done, body, &mut last);
    out.push(Event::new("metadata", last));
    out
}

fn block(i: usize, block: &Block, seed: u64, out: &mut Vec<Event>) {
    let delta = |delta: Value, tokens| {
        Event::paced("contentBlockDelta", json!({ "contentBlockIndex": i, "delta": delta }), tokens)
    };
    match block {
        Block::Text(text) => {
            let parts = pieces(text, seed).into_iter();
            out.extend(parts.map(|(t, n)| delta(json!({ "text": t }), n)));
        }
        Block::Thought { text, signature } => {
            let parts = pieces(text, seed).into_iter();
            out.extend(parts.map(|(t, n)| delta(json!({ "reasoningContent": { "text": t } }), n)));
            out.push(delta(json!({ "reasoningContent": { "signature": signature } }), 0));
        }
        Block::Call { id, name, input } => {
            let start = json!({ "toolUse": { "toolUseId": id, "name": name } });
            out.push(Event::new("contentBlockStart", json!({ "contentBlockIndex": i, "start": start })));
            let parts = pieces(&input.to_string(), seed).into_iter();
            out.extend(parts.map(|(t, n)| delta(json!({ "toolUse": { "input": t } }), n)));
        }
    }
    out.push(Event::new("contentBlockStop", json!({ "contentBlockIndex": i })));
}
