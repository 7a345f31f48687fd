//! OpenAI's words: what is asked, and how it is answered.

use serde_json::{Value, json};

use crate::chat::{Ending, Turn};

/// What may not be asked for, because a model like this one cannot give it.
const BEYOND: [&str; 6] = ["tools", "tool_choice", "functions", "response_format", "logprobs", "logit_bias"];

pub struct Asked {
    pub turns: Vec<Turn>,
    pub most: usize,
    pub stops: Vec<String>,
    pub streams: bool,
    /// Whether a stream ends with what it used.
    pub usage: bool,
}

/// Why a request is not answered.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub why: String,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, why: impl Into<String>) -> Self {
        Self { status, code, why: why.into() }
    }

    pub fn body(&self) -> Value {
        json!({"error": {"message": self.why, "type": "invalid_request_error", "param": null, "code": self.code}})
    }
}

/// Tokens of an answer that names no limit.
const MOST: u64 = 256;

/// # Errors
/// What cannot be answered, and why.
pub fn read(body: &Value, model: &str) -> Result<Asked, Refusal> {
    let invalid = |why: String| Refusal::new(400, "invalid_value", why);
    if body["model"].as_str() != Some(model) {
        return Err(Refusal::new(
            404,
            "model_not_found",
            format!("the model {} does not exist: `{model}` does", body["model"]),
        ));
    }
    if let Some(name) = BEYOND.iter().find(|name| !body[**name].is_null()) {
        return Err(Refusal::new(400, "unsupported_parameter", format!("`{name}` is beyond this model")));
    }
    if body["n"].as_u64().unwrap_or(1) != 1 {
        return Err(invalid("`n` can only be 1".into()));
    }
    if body["temperature"].as_f64().unwrap_or(0.0) != 0.0 {
        return Err(invalid("`temperature` can only be 0: the likeliest word is always taken".into()));
    }
    let most = [&body["max_completion_tokens"], &body["max_tokens"]].into_iter().find(|most| !most.is_null());
    let most = most.map_or(Some(MOST), Value::as_u64).filter(|most| *most > 0);
    let most = most.ok_or_else(|| invalid("`max_tokens` is no number above 0".into()))?;
    let stops = match &body["stop"] {
        Value::Null => Vec::new(),
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(|stop| stop.as_str().map(String::from)).collect(),
        _ => return Err(invalid("`stop` is no text and no list of texts".into())),
    };
    if stops.iter().any(String::is_empty) || stops.len() > 4 {
        return Err(invalid("`stop` is empty, or more than four".into()));
    }
    let turns = body["messages"].as_array().ok_or_else(|| invalid("`messages` is no list".into()))?;
    Ok(Asked {
        turns: turns.iter().map(turn).collect::<Result<_, _>>()?,
        most: most as usize,
        stops,
        streams: body["stream"] == true,
        usage: body["stream_options"]["include_usage"] == true,
    })
}

fn turn(message: &Value) -> Result<Turn, Refusal> {
    let invalid = |why: String| Refusal::new(400, "invalid_value", why);
    let role = match message["role"].as_str() {
        Some("developer") => "system",
        Some(role @ ("system" | "user" | "assistant")) => role,
        _ => return Err(invalid(format!("the role {} is not known", message["role"]))),
    };
    let text = match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().map(|part| part["text"].as_str().filter(|_| part["type"] == "text"));
            texts.collect::<Option<String>>().ok_or_else(|| invalid("only text can be read".into()))?
        }
        _ => return Err(invalid("`content` is no text".into())),
    };
    Ok(Turn { role: role.into(), text })
}

/// One answer's lines: what stays the same in all of them.
pub struct Voice {
    pub id: String,
    pub created: u64,
    pub model: String,
}

impl Voice {
    pub fn whole(&self, text: &str, ending: Ending, usage: &Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null},
                         "logprobs": null, "finish_reason": reason(ending)}],
            "usage": usage,
        })
    }

    pub fn first(&self) -> Value {
        self.chunk(
            &json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]),
        )
    }

    pub fn more(&self, text: &str) -> Value {
        self.chunk(&json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]))
    }

    pub fn last(&self, ending: Ending) -> Value {
        self.chunk(&json!([{"index": 0, "delta": {}, "finish_reason": reason(ending)}]))
    }

    pub fn used(&self, usage: &Value) -> Value {
        let mut chunk = self.chunk(&json!([]));
        chunk["usage"] = usage.clone();
        chunk
    }

    fn chunk(&self, choices: &Value) -> Value {
        json!({"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
               "choices": choices})
    }
}

pub fn usage(read: usize, written: usize) -> Value {
    json!({"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written})
}

pub fn reason(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Stop => Some("stop"),
        Ending::Length => Some("length"),
        Ending::Left => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(change: impl FnOnce(&mut Value)) -> Result<Asked, Refusal> {
        let mut body = json!({"model": "m", "messages": [
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "\"b\"\n"}]}]});
        change(&mut body);
        read(&body, "m")
    }

    #[test]
    fn a_question_is_read() {
        let asked = asked(|body| {
            body["stop"] = json!("x");
            body["max_completion_tokens"] = json!(7);
            body["stream"] = json!(true);
        });
        let asked = asked.unwrap();
        let turns: Vec<_> = asked.turns.iter().map(|turn| (turn.role.as_str(), turn.text.as_str())).collect();
        assert_eq!(turns, [("system", "Be short."), ("user", "a\"b\"\n")]);
        assert_eq!((asked.most, asked.stops, asked.streams, asked.usage), (7, vec!["x".into()], true, false));
    }

    #[test]
    fn what_it_cannot_do_is_refused() {
        for (name, value, status) in [
            ("model", json!("other"), 404),
            ("temperature", json!(0.5), 400),
            ("tools", json!([]), 400),
            ("n", json!(2), 400),
            ("max_tokens", json!(0), 400),
            ("stop", json!([""]), 400),
            ("messages", json!([{"role": "tool", "content": "x"}]), 400),
            ("messages", json!([{"role": "user", "content": [{"type": "image_url"}]}]), 400),
        ] {
            let refused = asked(|body| body[name] = value).err().unwrap();
            assert_eq!(refused.status, status, "{name}");
        }
    }
}
