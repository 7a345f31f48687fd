//! Command R: a message, and what was said before it.

use bedplate_core::conversation::{Block, Conversation, Json, Message, Role, Sampling, Text};
use bedplate_core::form::Form;

use super::{missing, number, rest, stops};
use crate::json::object::{Bad, List, object, read as parse};
use crate::json::write::Object;

object!(Body {
    "message" => message: Text<'a>,
    "chat_history" => history: List<Entry<'a>>,
    "preamble" => preamble: Text<'a>,
    "max_tokens" => max: u64,
    "temperature" => temperature: Json<'a>,
    "p" => top_p: Json<'a>,
    "k" => top_k: Json<'a>,
    "stop_sequences" => stop: List<Text<'a>>,
    "frequency_penalty" => frequency: Json<'a>,
    "presence_penalty" => presence: Json<'a>,
    "seed" => seed: Json<'a>,
});
object!(Entry { "role" => role: Text<'a>, "message" => message: Text<'a> });

pub(super) fn read(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: Body<'_> = parse(body)?;
    let message = body.message.ok_or_else(|| missing("message"))?;
    let mut messages = Vec::new();
    for (at, entry) in body.history.map(|history| history.0).unwrap_or_default().into_iter().enumerate() {
        messages.push(turn(entry).map_err(|bad| bad.within(format_args!("chat_history[{at}]")))?);
    }
    messages.push(said(Role::User, message));
    Ok(Conversation {
        system: body.preamble.map(Block::Text).into_iter().collect(),
        messages,
        sampling: Sampling {
            temperature: number("temperature", body.temperature)?,
            top_p: number("p", body.top_p)?,
            top_k: number("k", body.top_k)?,
            frequency_penalty: number("frequency_penalty", body.frequency)?,
            presence_penalty: number("presence_penalty", body.presence)?,
            seed: number("seed", body.seed)?,
            ..Sampling::default()
        },
        max_tokens: body.max,
        stop: body.stop.map(|stop| stop.0).unwrap_or_default(),
        rest: rest(Form::CohereCommand, body.rest)?,
        ..Conversation::default()
    })
}

fn turn(entry: Entry<'_>) -> Result<Message<'_>, Bad> {
    let role = match entry.role.as_ref().map(Text::decode).as_deref() {
        Some("USER") => Role::User,
        Some("CHATBOT") => Role::Assistant,
        Some("SYSTEM") => Role::System,
        Some("TOOL") => return Err(Bad::value("role", "tools of these models are carried to no other")),
        Some(_) => return Err(Bad::value("role", "expected `USER`, `CHATBOT` or `SYSTEM`")),
        None => return Err(missing("role")),
    };
    Ok(said(role, entry.message.ok_or_else(|| missing("message"))?))
}

fn said(role: Role, text: Text<'_>) -> Message<'_> {
    Message { role, name: None, content: vec![Block::Text(text)] }
}

pub(super) fn write(body: &mut Object<'_>, c: &Conversation<'_>) {
    let Some((last, before)) = c.messages.split_last() else { return };
    text(body, "message", &last.content);
    if !before.is_empty() {
        let mut list = body.list("chat_history");
        for message in before {
            let role = match message.role {
                Role::User => "USER",
                Role::Assistant => "CHATBOT",
                Role::System => "SYSTEM",
            };
            text(list.object().string("role", role), "message", &message.content);
        }
    }
    if !c.system.is_empty() {
        text(body, "preamble", &c.system);
    }
    let s = &c.sampling;
    body.maybe_number("max_tokens", c.max_tokens)
        .maybe_json("temperature", s.temperature.as_ref())
        .maybe_json("p", s.top_p.as_ref())
        .maybe_json("k", s.top_k.as_ref())
        .maybe_json("frequency_penalty", s.frequency_penalty.as_ref())
        .maybe_json("presence_penalty", s.presence_penalty.as_ref())
        .maybe_json("seed", s.seed.as_ref());
    stops(body, "stop_sequences", c);
}

/// Texts, one under the other, as one string. They need no marks: turns are members of their own.
fn text(body: &mut Object<'_>, name: &str, blocks: &[Block<'_>]) {
    let mut out = String::from("\"");
    for block in blocks {
        let texts: &[Text<'_>] = match block {
            Block::Text(text) | Block::Refusal(text) => std::slice::from_ref(text),
            Block::Cited { content, .. } => content,
            _ => continue,
        };
        if out.len() > 1 {
            out.push_str("\\n\\n");
        }
        texts.iter().for_each(|text| out.push_str(text.inner()));
    }
    out.push('"');
    body.raw(name, &out);
}
