//! Meta Llama.

use serde_json::{Value, json};

use super::{Chunk, count, malformed, required};
use crate::answer::Stop;
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::Prompt;
use crate::stream::pieces;

pub(super) fn read(body: &Value) -> Result<Prompt, AwsError> {
    let prompt = required(body, "prompt")?;
    let text = prompt.as_str().ok_or_else(|| {
        malformed(&format!("#/prompt: expected type: String, found: {}", super::kind(prompt)))
    })?;
    let most = count(body, "max_gen_len", 1, 8192)?.unwrap_or(512);
    Ok(Prompt { max_tokens: Some(most), ..Prompt::of_text(text) })
}

pub(super) fn whole(done: &Completion) -> Value {
    json!({
        "generation": done.answer.text(),
        "prompt_token_count": done.split.input,
        "generation_token_count": done.output,
        "stop_reason": reason(done.answer.stop),
    })
}

pub(super) fn chunks(done: &Completion) -> Vec<Chunk> {
    let mut written = 0;
    let mut out: Vec<Chunk> = Vec::new();
    for (i, (text, n)) in pieces(&done.answer.text(), done.seed).into_iter().enumerate() {
        written += n;
        let prompt = if i == 0 { json!(done.split.input) } else { Value::Null };
        out.push((
            json!({ "generation": text, "prompt_token_count": prompt, "generation_token_count": written, "stop_reason": null }),
            n,
        ));
    }
    out.push((
        json!({ "generation": "", "prompt_token_count": null, "generation_token_count": done.output, "stop_reason": reason(done.answer.stop) }),
        0,
    ));
    out
}

fn reason(stop: Stop) -> &'static str {
    if stop == Stop::MaxTokens { "length" } else { "stop" }
}
