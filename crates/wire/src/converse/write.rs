//! Writing requests.

mod blocks;
pub(crate) mod fields;
mod tools;

use bedplate_core::conversation::{Conversation, Feature, Json, Member, Output, Rest, Role, Text};
use bedplate_core::form::Form;
use bedplate_core::refusal::Code;

pub(crate) use blocks::blocks as write_blocks;
pub(crate) use tools::tools;

use super::ids::Ids;
use super::request::MOST_PAIRS;
use crate::json::object::Bad;
use crate::json::write::{Object, object, string};
use crate::translate::Wanted;

/// How our own keys of metadata begin.
const RESERVED: &str = "bedplate:";

/// Objects whose unknown members are kept by their path.
const INNER: &[&str] =
    &["inferenceConfig.", "messages[", "outputConfig.", "performanceConfig.", "serviceTier.", "toolConfig."];

pub(crate) fn request(c: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String) {
    let mut o = object(out);
    if !c.messages.is_empty() {
        messages(Form::Converse, c, &mut o);
    }
    if !c.system.is_empty() {
        write_blocks(Form::Converse, &c.system, &mut Ids::default(), &mut o.list("system"));
    }
    inference(c, &mut o);
    tools(Form::Converse, c, &mut o);
    fields::fields(c, wanted.model, &mut o);
    output(c, wanted.model, &mut o);
    if !c.field_paths.is_empty() {
        let mut paths = o.list("additionalModelResponseFieldPaths");
        for path in &c.field_paths {
            paths.text(path);
        }
    }
    metadata(&c.metadata, wanted.metadata, &mut o);
    o.maybe_json("guardrailConfig", c.service.guardrail.as_ref());
    named(&c.rest, "serviceTier", "type", c.service.tier.as_deref().or(wanted.tier), &mut o);
    named(&c.rest, "performanceConfig", "latency", c.service.latency.as_deref(), &mut o);
    unknown(Form::Converse, &c.rest, &mut o);
}

/// Writes the members that the normal form does not model.
pub(crate) fn unknown(form: Form, rest: &Rest<'_>, o: &mut Object<'_>) {
    for member in rest.to(form) {
        if !INNER.iter().any(|inner| member.name.starts_with(inner)) {
            o.member(member);
        }
    }
}

/// Writes the turns, those of one role after another as one.
pub(crate) fn messages(form: Form, c: &Conversation<'_>, o: &mut Object<'_>) {
    let mut list = o.list("messages");
    let mut ids = Ids::default();
    let mut at = 0;
    for turns in c.messages.chunk_by(|one, next| one.role == next.role) {
        let Some(first) = turns.first() else { continue };
        let mut o = list.object();
        o.raw(
            "role",
            match first.role {
                Role::User => "\"user\"",
                Role::Assistant => "\"assistant\"",
                Role::System => "\"system\"",
            },
        );
        {
            let mut content = o.list("content");
            for turn in turns {
                write_blocks(form, &turn.content, &mut ids, &mut content);
            }
        }
        beside(
            &c.rest,
            form,
            |name| name.strip_prefix("messages[")?.strip_prefix(&format!("{at}]."))?.into(),
            &mut o,
        );
        at += turns.len();
    }
}

fn inference(c: &Conversation<'_>, o: &mut Object<'_>) {
    let has_rest = has_beside(&c.rest, Form::Converse, "inferenceConfig.");
    let s = &c.sampling;
    if c.max_tokens.is_none()
        && s.temperature.is_none()
        && s.top_p.is_none()
        && c.stop.is_empty()
        && !has_rest
    {
        return;
    }
    let mut o = o.object("inferenceConfig");
    numbers(c, &mut o);
    beside(&c.rest, Form::Converse, |name| name.strip_prefix("inferenceConfig."), &mut o);
}

/// What Converse's and Nova's `inferenceConfig` share.
pub(crate) fn numbers(c: &Conversation<'_>, o: &mut Object<'_>) {
    o.maybe_number("maxTokens", c.max_tokens)
        .maybe_json("temperature", c.sampling.temperature.as_ref())
        .maybe_json("topP", c.sampling.top_p.as_ref());
    if !c.stop.is_empty() {
        let mut list = o.list("stopSequences");
        for text in &c.stop {
            list.text(text);
        }
    }
}

fn output(c: &Conversation<'_>, model: &str, o: &mut Object<'_>) {
    let effort = c.effort.as_ref().filter(|_| fields::effort_is_portable(c, model));
    let has_rest = has_beside(&c.rest, Form::Converse, "outputConfig.");
    if c.output.is_none() && effort.is_none() && !has_rest {
        return;
    }
    let mut o = o.object("outputConfig");
    match &c.output {
        Some(Output::Json) => schema(&Json::from_raw(super::ANY_OBJECT), [None, None], &mut o),
        Some(Output::Schema { name, description, schema: json, .. }) => {
            schema(json, [name.as_ref(), description.as_ref()], &mut o);
        }
        None => {}
    }
    o.maybe_text("effort", effort);
    beside(&c.rest, Form::Converse, |name| name.strip_prefix("outputConfig."), &mut o);
}

fn schema(json: &Json<'_>, [name, description]: [Option<&Text<'_>>; 2], o: &mut Object<'_>) {
    let mut format = o.object("textFormat");
    format.raw("type", "\"json_schema\"");
    let mut structure = format.object("structure");
    let mut o = structure.object("jsonSchema");
    o.string("schema", json.raw()).maybe_text("name", name).maybe_text("description", description);
}

/// The caller's pairs first, then ours as far as there is room; a key stands there once.
fn metadata(callers: &[(Text<'_>, Text<'_>)], ours: &[(String, String)], o: &mut Object<'_>) {
    if callers.is_empty() && ours.is_empty() {
        return;
    }
    let mut o = o.object("requestMetadata");
    let callers = callers.iter().map(|(name, value)| (trimmed(&name.decode()), trimmed(&value.decode())));
    let ours = ours.iter().map(|(name, value)| (trimmed(name), trimmed(value)));
    let mut there: Vec<String> = Vec::new();
    for (name, value) in callers.chain(ours) {
        if there.len() < MOST_PAIRS && !name.is_empty() && !there.contains(&name) {
            o.member(&Member { name: name.as_str().into(), value: Json::from_raw(quoted(&value)) });
            there.push(name);
        }
    }
}

/// # Errors
/// When a caller's pair has a key that is ours, also once it is written as AWS takes it.
pub(super) fn unclaimed(callers: &[(Text<'_>, Text<'_>)]) -> Result<(), Bad> {
    let is_ours =
        |name: String| name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    match callers.iter().any(|(name, _)| is_ours(trimmed(&name.decode()))) {
        true => Err(Bad {
            at: Feature::Metadata.name().to_owned(),
            why: format!("it uses keys that start with `{RESERVED}`, which bedplate reserves"),
            code: Code::ReservedMetadata,
        }),
        false => Ok(()),
    }
}

/// What AWS takes of a text in metadata: 256 characters of those that it knows.
fn trimmed(text: &str) -> String {
    let takes = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
    text.chars().filter(|c| takes(*c)).take(256).collect()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    string(&mut out, text);
    out
}

/// An object of one word, and what its dialect says beside it.
fn named(rest: &Rest<'_>, object: &str, member: &str, value: Option<&str>, o: &mut Object<'_>) {
    let inside = |name: &str| name.strip_prefix(object).is_some_and(|name| name.starts_with('.'));
    let has_rest = rest.to(Form::Converse).iter().any(|member| inside(&member.name));
    if value.is_none() && !has_rest {
        return;
    }
    let mut o = o.object(object);
    if let Some(value) = value {
        o.string(member, value);
    }
    if has_rest {
        beside(rest, Form::Converse, |name| name.strip_prefix(object)?.strip_prefix('.'), &mut o);
    }
}

pub(crate) fn has_beside(rest: &Rest<'_>, form: Form, prefix: &str) -> bool {
    rest.to(form).iter().any(|member| member.name.starts_with(prefix))
}

/// Writes the members of an inner object that the normal form does not model; `inside` gives their names within it.
pub(crate) fn beside(rest: &Rest<'_>, form: Form, inside: impl Fn(&str) -> Option<&str>, o: &mut Object<'_>) {
    for member in rest.to(form) {
        if let Some(name) = inside(&member.name) {
            o.member(&Member { name: name.into(), value: member.value.clone() });
        }
    }
}
