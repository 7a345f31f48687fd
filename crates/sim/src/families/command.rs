//! Cohere Command R.

use serde_json::{Value, json};

use super::{Chunk, count, list, malformed, required, strings};
use crate::answer::Stop;
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::{Piece, Prompt, Role, Turn};
use crate::seed::Rng;
use crate::stream::pieces;

pub(super) fn read(body: &Value) -> Result<Prompt, AwsError> {
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

pub(super) fn whole(done: &Completion) -> Value {
    json!({
        "response_id": id(done, 1),
        "text": done.answer.text(),
        "generation_id": id(done, 2),
        "finish_reason": reason(done.answer.stop),
        "chat_history": [],
    })
}

pub(super) fn chunks(done: &Completion) -> Vec<Chunk> {
    let start =
        (json!({ "event_type": "stream-start", "generation_id": id(done, 2), "is_finished": false }), 0);
    let parts = pieces(&done.answer.text(), done.seed)
        .into_iter()
        .map(|(text, n)| (json!({ "event_type": "text-generation", "text": text, "is_finished": false }), n));
    let end = json!({ "event_type": "stream-end", "finish_reason": reason(done.answer.stop), "is_finished": true, "response": whole(done) });
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
