//! Cohere Command R, and the older prompt form of Command.

use serde_json::{Value, json};

use super::{Chunk, count, list, malformed, required, strings};
use crate::answer::Stop;
use crate::catalogue::Target;
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::{Piece, Prompt, Role, Turn};
use crate::seed::Rng;
use crate::stream::pieces;

pub(super) fn read(body: &Value, target: &Target) -> Result<Prompt, AwsError> {
    if is_old(target) {
        let text = required(body, "prompt")?.as_str().filter(|t| !t.is_empty());
        let text = text.ok_or_else(|| malformed("#/prompt: expected minLength: 1, actual: 0"))?;
        let max_tokens = count(body, "max_tokens", 1, 4096)?;
        return Ok(Prompt { max_tokens, stops: strings(&body["stop_sequences"]), ..Prompt::of_text(text) });
    }
    let message = required(body, "message")?;
    let text = message.as_str().ok_or_else(|| {
        malformed(&format!("#/message: expected type: String, found: {}", super::kind(message)))
    })?;
    let mut prompt = Prompt::of_text(text);
    let history = list(&body["chat_history"]).map(|m| Turn {
        role: if m["role"] == "CHATBOT" { Role::Assistant } else { Role::User },
        pieces: vec![Piece::Text(m["message"].as_str().unwrap_or_default().to_string())],
    });
    prompt.turns = history.chain(prompt.turns).collect();
    let preamble = body["preamble"].as_str().map(|p| Piece::Text(p.to_string()));
    let documents = list(&body["documents"]).map(|d| Piece::Passage {
        title: d["title"].as_str().unwrap_or_default().to_string(),
        text: d["snippet"].as_str().or(d["text"].as_str()).unwrap_or_default().to_string(),
    });
    prompt.system = preamble.into_iter().chain(documents).collect();
    prompt.max_tokens = count(body, "max_tokens", 1, 4096)?;
    prompt.stops = strings(&body["stop_sequences"]);
    Ok(prompt)
}

/// Command before R: `prompt` in, `generations` out.
fn is_old(target: &Target) -> bool {
    !target.base().contains("command-r")
}

pub(super) fn whole(done: &Completion, target: &Target) -> Value {
    if is_old(target) {
        let one = json!({ "id": id(done, 2), "text": done.answer.text(), "finish_reason": reason(done.answer.stop) });
        return json!({ "id": id(done, 1), "generations": [one] });
    }
    json!({
        "response_id": id(done, 1),
        "text": done.answer.text(),
        "generation_id": id(done, 2),
        "finish_reason": reason(done.answer.stop),
        "chat_history": [],
    })
}

pub(super) fn chunks(done: &Completion, target: &Target) -> Vec<Chunk> {
    if is_old(target) {
        let parts = pieces(&done.answer.text(), done.seed)
            .into_iter()
            .map(|(text, n)| (json!({ "index": 0, "text": text, "is_finished": false }), n));
        let end = json!({ "index": 0, "is_finished": true, "finish_reason": reason(done.answer.stop) });
        return parts.chain([(end, 0)]).collect();
    }
    let start =
        (json!({ "event_type": "stream-start", "generation_id": id(done, 2), "is_finished": false }), 0);
    let parts = pieces(&done.answer.text(), done.seed)
        .into_iter()
        .map(|(text, n)| (json!({ "event_type": "text-generation", "text": text, "is_finished": false }), n));
    let end = json!({ "event_type": "stream-end", "finish_reason": reason(done.answer.stop), "is_finished": true, "response": whole(done, target) });
    std::iter::once(start).chain(parts).chain([(end, 0)]).collect()
}

fn reason(stop: Stop) -> &'static str {
    if stop == Stop::MaxTokens { "MAX_TOKENS" } else { "COMPLETE" }
}

fn id(done: &Completion, which: u64) -> String {
    let mut rng = Rng::new(done.seed ^ which);
    let n = u128::from(rng.next()) << 64 | u128::from(rng.next());
    uuid::Uuid::from_u128(n).as_hyphenated().to_string()
}
