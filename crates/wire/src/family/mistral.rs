//! Mistral's older models: `prompt` with marks around what the user says.

use bedplate_core::conversation::{Conversation, Json, Role, Sampling, Text};
use bedplate_core::form::Form;

use super::{missing, number, rest, script, stops};
use crate::json::object::{Bad, List, object, read as parse};
use crate::json::write::Object;

object!(Body {
    "prompt" => prompt: Text<'a>,
    "max_tokens" => max: u64,
    "stop" => stop: List<Text<'a>>,
    "temperature" => temperature: Json<'a>,
    "top_p" => top_p: Json<'a>,
    "top_k" => top_k: Json<'a>,
});

const BEGIN: &str = "<s>";
const END: &str = "</s>";
const ASK: &str = "[INST]";
const ASKED: &str = "[/INST]";
/// Marks that these models know. They are made of the letters that people write: each is broken after its bracket.
const MARKS: &[(&str, &str)] = &[
    ("[INST]", "[ INST]"),
    ("[/INST]", "[ /INST]"),
    ("<<SYS>>", "< <SYS>>"),
    ("<</SYS>>", "< </SYS>>"),
    ("<s>", "< s>"),
    ("</s>", "< /s>"),
    ("[AVAILABLE_TOOLS]", "[ AVAILABLE_TOOLS]"),
    ("[/AVAILABLE_TOOLS]", "[ /AVAILABLE_TOOLS]"),
    ("[TOOL_RESULTS]", "[ TOOL_RESULTS]"),
    ("[/TOOL_RESULTS]", "[ /TOOL_RESULTS]"),
    ("[TOOL_CALLS]", "[ TOOL_CALLS]"),
];

pub(super) fn read(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: Body<'_> = parse(body)?;
    let prompt = body.prompt.ok_or_else(|| missing("prompt"))?;
    let prompt = prompt.decode();
    let c = apart(&prompt).unwrap_or_else(|| script::one(&prompt));
    Ok(Conversation {
        sampling: Sampling {
            temperature: number("temperature", body.temperature)?,
            top_p: number("top_p", body.top_p)?,
            top_k: number("top_k", body.top_k)?,
            ..Sampling::default()
        },
        max_tokens: body.max,
        stop: body.stop.map(|stop| stop.0).unwrap_or_default(),
        rest: rest(Form::MistralText, body.rest)?,
        ..c
    })
}

/// Instructions are the beginning of what the user says first: these models have no other place for them.
pub(super) fn write(body: &mut Object<'_>, c: &Conversation<'_>) {
    let mut prompt = BEGIN.to_owned();
    let mut before = script::system(c);
    let turns = script::turns(c);
    let last = turns.len().saturating_sub(1);
    for (at, (role, text)) in turns.iter().enumerate() {
        if *role == Role::User || at == 0 {
            let asked = match (before.is_empty(), *role == Role::User) {
                (true, true) => text.clone(),
                (false, true) => format!("{before}\n\n{text}"),
                (_, false) => before.clone(),
            };
            before.clear();
            prompt.extend([ASK, " ", &unmarked(&asked), " ", ASKED]);
        }
        if *role != Role::User {
            prompt.extend([" ", &unmarked(text)]);
            if at != last {
                prompt.push_str(END);
            }
        }
    }
    body.string("prompt", &prompt).maybe_number("max_tokens", c.max_tokens);
    stops(body, "stop", c);
    body.maybe_json("temperature", c.sampling.temperature.as_ref())
        .maybe_json("top_p", c.sampling.top_p.as_ref())
        .maybe_json("top_k", c.sampling.top_k.as_ref());
}

/// A text without a whole mark.
fn unmarked(text: &str) -> String {
    let mut text = text.to_owned();
    for (mark, broken) in MARKS {
        if text.contains(mark) {
            text = text.replace(mark, broken);
        }
    }
    text
}

/// The turns of a prompt that is a conversation by the template, and by nothing else.
fn apart<'a>(prompt: &str) -> Option<Conversation<'a>> {
    let mut rest = prompt.strip_prefix(BEGIN).unwrap_or(prompt).trim_start();
    let mut turns = Vec::new();
    loop {
        let (asked, after) = rest.strip_prefix(ASK)?.split_once(ASKED)?;
        turns.push((Role::User, trimmed(asked)?));
        let (answer, after) = match after.split_once(END) {
            Some((answer, after)) => (answer, Some(after.trim_start())),
            None => (after, None),
        };
        let answer = answer.strip_prefix(' ').unwrap_or(answer);
        if after.is_some() || !answer.is_empty() {
            turns.push((Role::Assistant, trimmed(answer)?));
        }
        match after {
            None | Some("") => return Some(script::conversation("", turns)),
            Some(after) => rest = after,
        }
    }
}

/// What stands between two marks; `None` when there is a third.
fn trimmed(text: &str) -> Option<&str> {
    let text = text.strip_prefix(' ').unwrap_or(text);
    let text = text.strip_suffix(' ').unwrap_or(text);
    (!MARKS.iter().any(|(mark, _)| text.contains(mark))).then_some(text)
}
