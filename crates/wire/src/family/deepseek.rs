//! DeepSeek R1: `prompt` with marks before who speaks. The model thinks first: what it thinks ends with `</think>`.

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
});

/// Every mark begins so; the bar is U+FF5C.
const OPENING: &str = "<｜";
const BEGIN: &str = "<｜begin▁of▁sentence｜>";
const END: &str = "<｜end▁of▁sentence｜>";
const USER: &str = "<｜User｜>";
const ASSISTANT: &str = "<｜Assistant｜>";
/// Prompts end so: what comes is what the model thinks.
const THINK: &str = "<think>\n";

pub(super) fn read(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: Body<'_> = parse(body)?;
    let prompt = body.prompt.ok_or_else(|| missing("prompt"))?;
    let prompt = prompt.decode();
    let c = apart(&prompt).unwrap_or_else(|| script::one(&prompt));
    Ok(Conversation {
        sampling: Sampling {
            temperature: number("temperature", body.temperature)?,
            top_p: number("top_p", body.top_p)?,
            ..Sampling::default()
        },
        max_tokens: body.max,
        stop: body.stop.map(|stop| stop.0).unwrap_or_default(),
        rest: rest(Form::DeepSeekText, body.rest)?,
        ..c
    })
}

pub(super) fn write(body: &mut Object<'_>, c: &Conversation<'_>) {
    let mut prompt = BEGIN.to_owned();
    prompt.push_str(&script::broken(&script::system(c), OPENING));
    let turns = script::turns(c);
    let last = turns.len().saturating_sub(1);
    for (at, (role, text)) in turns.iter().enumerate() {
        let text = script::broken(text, OPENING);
        match role {
            Role::User | Role::System => prompt.extend([USER, &*text]),
            // the beginning of the answer: the thinking is over
            Role::Assistant if at == last => prompt.extend([ASSISTANT, &*text]),
            Role::Assistant => prompt.extend([ASSISTANT, &*text, END]),
        }
    }
    if turns.last().is_none_or(|(role, _)| *role != Role::Assistant) {
        prompt.extend([ASSISTANT, THINK]);
    }
    body.string("prompt", &prompt).maybe_number("max_tokens", c.max_tokens);
    stops(body, "stop", c);
    body.maybe_json("temperature", c.sampling.temperature.as_ref())
        .maybe_json("top_p", c.sampling.top_p.as_ref());
}

/// The turns of a prompt that is a conversation by the template, and by nothing else.
fn apart<'a>(prompt: &str) -> Option<Conversation<'a>> {
    let prompt = prompt.strip_prefix(BEGIN).unwrap_or(prompt);
    let (system, mut rest) = prompt.split_at(prompt.find(USER)?);
    let mut turns = Vec::new();
    loop {
        let (asked, after) = rest.strip_prefix(USER)?.split_once(ASSISTANT)?;
        turns.push((Role::User, asked));
        let (answer, after) = match after.split_once(END) {
            Some((answer, after)) => (answer, Some(after)),
            None => (after, None),
        };
        let begun = answer.trim_end_matches('\n') == THINK.trim_end() || answer.is_empty();
        if after.is_some() || !begun {
            turns.push((Role::Assistant, answer));
        }
        match after {
            None | Some("") => break,
            Some(after) => rest = after,
        }
    }
    let whole = |text: &str| script::broken(text, OPENING) == text;
    let plain = whole(system) && turns.iter().all(|(_, text)| whole(text));
    plain.then(|| script::conversation(system, turns))
}
