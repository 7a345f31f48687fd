//! Llama 3 and 4: `prompt` with headers around who speaks.

use bedplate_core::conversation::{Block, Conversation, Json, Media, Role, Sampling, Source, Text};
use bedplate_core::form::Form;

use super::script::{self, Turn};
use super::{missing, number, rest};
use crate::json::object::{Bad, List, object, read as parse};
use crate::json::write::Object;

object!(Body {
    "prompt" => prompt: Text<'a>,
    "max_gen_len" => max: u64,
    "temperature" => temperature: Json<'a>,
    "top_p" => top_p: Json<'a>,
    "images" => images: List<Text<'a>>,
});

/// The marks of one generation: before and after who speaks, and after what they say.
struct Marks {
    before: &'static str,
    after: &'static str,
    end: &'static str,
}

const BEGIN: &str = "<|begin_of_text|>";
/// Every mark begins so.
const OPENING: &str = "<|";
const THREE: Marks =
    Marks { before: "<|start_header_id|>", after: "<|end_header_id|>\n\n", end: "<|eot_id|>" };
const FOUR: Marks = Marks { before: "<|header_start|>", after: "<|header_end|>\n\n", end: "<|eot|>" };

pub(super) fn read(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: Body<'_> = parse(body)?;
    let prompt = body.prompt.ok_or_else(|| missing("prompt"))?;
    let prompt = prompt.decode();
    let found = [THREE, FOUR].iter().find_map(|marks| apart(&prompt, marks));
    let mut c = found.unwrap_or_else(|| script::one(&prompt));
    if let Some(images) = body.images {
        let asked = c.messages.iter_mut().rfind(|message| message.role == Role::User);
        let images = images.0.into_iter().map(|data| {
            Block::Image(Media { format: format(&data), source: Source::Bytes(data), detail: None })
        });
        if let Some(asked) = asked {
            asked.content.splice(0..0, images);
        }
    }
    Ok(Conversation {
        sampling: Sampling {
            temperature: number("temperature", body.temperature)?,
            top_p: number("top_p", body.top_p)?,
            ..Sampling::default()
        },
        max_tokens: body.max,
        rest: rest(Form::Llama, body.rest)?,
        ..c
    })
}

pub(super) fn write(body: &mut Object<'_>, c: &Conversation<'_>) {
    // every generation on Bedrock that is not the fourth takes the marks of the third
    let mut prompt = BEGIN.to_owned();
    let system = script::system(c);
    let turns = script::turns(c);
    let mut all: Vec<Turn> = Vec::with_capacity(turns.len() + 1);
    if !system.is_empty() {
        all.push((Role::System, system));
    }
    all.extend(turns);
    let last = all.len().saturating_sub(1);
    for (at, (role, text)) in all.iter().enumerate() {
        prompt.push_str(THREE.before);
        prompt.push_str(name(*role));
        prompt.push_str(THREE.after);
        prompt.push_str(&script::broken(text, OPENING));
        if at == last && *role == Role::Assistant {
            // the beginning of the answer
            body.string("prompt", &prompt);
            return parameters(body, c);
        }
        prompt.push_str(THREE.end);
    }
    prompt.push_str(THREE.before);
    prompt.push_str("assistant");
    prompt.push_str(THREE.after);
    body.string("prompt", &prompt);
    parameters(body, c);
}

fn parameters(body: &mut Object<'_>, c: &Conversation<'_>) {
    body.maybe_number("max_gen_len", c.max_tokens)
        .maybe_json("temperature", c.sampling.temperature.as_ref())
        .maybe_json("top_p", c.sampling.top_p.as_ref());
}

fn name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    }
}

/// The turns of a prompt that is a conversation by the template, and by nothing else.
fn apart<'a>(prompt: &str, marks: &Marks) -> Option<Conversation<'a>> {
    let mut rest = prompt.strip_prefix(BEGIN).unwrap_or(prompt).trim_start_matches('\n');
    let mut turns: Vec<(Role, &str)> = Vec::new();
    loop {
        rest = rest.strip_prefix(marks.before)?;
        let (role, after) = rest.split_once(marks.after)?;
        let role = match role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return None,
        };
        let (text, after) = match after.split_once(marks.end) {
            Some((text, after)) => (text, Some(after)),
            None => (after, None),
        };
        // images stand beside the prompt
        let text = text.trim_start_matches("<|image|>");
        if text.contains(OPENING) && script::broken(text, OPENING) != text {
            return None;
        }
        if after.is_some() || !text.is_empty() {
            turns.push((role, text));
        }
        match after.map(|after| after.trim_start_matches('\n')) {
            None if role == Role::Assistant => break,
            None => return None,
            Some("") => break,
            Some(after) => rest = after,
        }
    }
    let first = turns.iter().position(|(role, _)| *role != Role::System).unwrap_or(turns.len());
    let system = turns.drain(..first).map(|(_, text)| text).collect::<Vec<_>>().join("\n\n");
    (!turns.is_empty()).then(|| script::conversation(&system, turns))
}

/// What kind of image it is, by how its base64 begins.
fn format<'a>(data: &Text<'_>) -> Text<'a> {
    const STARTS: &[(&str, &str)] = &[("iVBOR", "\"png\""), ("R0lGOD", "\"gif\""), ("UklGR", "\"webp\"")];
    let known = STARTS.iter().find(|(start, _)| data.inner().starts_with(start));
    Text::from_raw(known.map_or("\"jpeg\"", |(_, format)| format))
}
