//! Titan Text: `inputText` with lines that begin with who speaks.

use bedplate_core::conversation::{Conversation, Json, Role, Sampling, Text};
use bedplate_core::form::Form;

use super::{missing, number, rest, script};
use crate::json::object::{Bad, List, object, read as parse};
use crate::json::write::Object;

object!(Body { "inputText" => input: Text<'a>, "textGenerationConfig" => config: Config<'a> });
object!(Config {
    "maxTokenCount" => max: u64,
    "temperature" => temperature: Json<'a>,
    "topP" => top_p: Json<'a>,
    "stopSequences" => stop: List<Text<'a>>,
});

const USER: &str = "User:";
const BOT: &str = "Bot:";

pub(super) fn read(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: Body<'_> = parse(body)?;
    let input = body.input.ok_or_else(|| missing("inputText"))?;
    let input = input.decode();
    let c = apart(&input).unwrap_or_else(|| script::one(&input));
    let config = body.config.unwrap_or_default();
    Ok(Conversation {
        sampling: Sampling {
            temperature: number("textGenerationConfig.temperature", config.temperature)?,
            top_p: number("textGenerationConfig.topP", config.top_p)?,
            ..Sampling::default()
        },
        max_tokens: config.max,
        stop: config.stop.map(|stop| stop.0).unwrap_or_default(),
        rest: rest(Form::TitanText, body.rest)?,
        ..c
    })
}

pub(super) fn write(body: &mut Object<'_>, c: &Conversation<'_>) {
    let mut prompt = String::new();
    let system = script::system(c);
    if !system.is_empty() {
        prompt.extend([&*indented(&system, true), "\n\n"]);
    }
    let turns = script::turns(c);
    let last = turns.len().saturating_sub(1);
    for (at, (role, text)) in turns.iter().enumerate() {
        let who = if *role == Role::Assistant { BOT } else { USER };
        prompt.extend([who, " ", &indented(text, false)]);
        if at != last || *role != Role::Assistant {
            prompt.push('\n');
        }
    }
    if turns.last().is_none_or(|(role, _)| *role != Role::Assistant) {
        prompt.push_str(BOT);
    }
    body.string("inputText", &prompt);
    let s = &c.sampling;
    if c.max_tokens.is_none() && c.stop.is_empty() && s.temperature.is_none() && s.top_p.is_none() {
        return;
    }
    let mut config = body.object("textGenerationConfig");
    config
        .maybe_number("maxTokenCount", c.max_tokens)
        .maybe_json("temperature", s.temperature.as_ref())
        .maybe_json("topP", s.top_p.as_ref());
    super::stops(&mut config, "stopSequences", c);
}

/// A text of which no line begins as a turn does: such lines are moved by a space. Whatever ends a line for a reader
/// ends one here.
fn indented(text: &str, at_start: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut line = at_start;
    for (at, c) in text.char_indices() {
        if line && speaks(&text[at..]) {
            out.push(' ');
        }
        out.push(c);
        line = matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    }
    out
}

/// Whether a line begins with who speaks, however it is written.
fn speaks(line: &str) -> bool {
    [USER, BOT].iter().any(|who| line.get(..who.len()).is_some_and(|start| start.eq_ignore_ascii_case(who)))
}

/// The turns of a prompt that is a conversation by the template, and by nothing else.
fn apart<'a>(prompt: &str) -> Option<Conversation<'a>> {
    // where turns begin, and what each says
    let mut starts = Vec::new();
    let mut at = 0;
    for line in prompt.split_inclusive('\n') {
        for (role, who) in [(Role::User, USER), (Role::Assistant, BOT)] {
            if line.starts_with(who) {
                starts.push((role, at, at + who.len()));
            }
        }
        at += line.len();
    }
    let (first, last) = (starts.first()?, starts.last()?);
    // the model is to speak now, and turns take turns
    if first.0 != Role::User || last.0 != Role::Assistant || starts.windows(2).any(|two| two[0].0 == two[1].0)
    {
        return None;
    }
    let mut turns = Vec::with_capacity(starts.len());
    for (number, (role, _, from)) in starts.iter().enumerate() {
        let to = starts.get(number + 1).map_or(prompt.len(), |(_, at, _)| *at);
        let text = prompt.get(*from..to)?;
        let text = text.strip_prefix(' ').unwrap_or(text);
        let text = if to < prompt.len() { text.strip_suffix('\n').unwrap_or(text) } else { text };
        if to < prompt.len() || !text.is_empty() {
            turns.push((*role, text));
        }
    }
    let system = prompt.get(..first.1)?.trim_end_matches('\n');
    Some(script::conversation(system, turns))
}
