//! From one form to another, through the normal form.
//!
//! Every form has a [`Codec`]. It reads requests, answers and streams into the normal form and writes them from it, and
//! says of every [`Feature`] whether a request in its form has a place for it. What it has none for is taken out before
//! a request is written, in one place (`fit.rs`), so that nothing is left out silently; codecs need not look.
//!
//! To add a form: a variant of [`Form`], a module with a codec, an arm in [`codec`].

#[cfg(test)]
mod carried;
#[cfg(test)]
mod features;
mod fit;
mod stream;

pub use bedplate_core::conversation::Told;
use bedplate_core::conversation::{
    Answer, Block, Carry, Choice, Conversation, Dropped, Event, Feature, Json, Stop as StopReason, Text,
};
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::view::Refuses;
use bytes::Bytes;

use crate::chat::Chat;
use crate::converse::Converse;
use crate::eventstream;
use crate::family::Family;
use crate::json::object::Bad;
use crate::json::utf8;
use crate::json::write::object;
use crate::messages::{CLAUDE, MESSAGES};
use crate::nova::Nova;
use crate::sse;
pub use stream::{Broken, Framing, Stream};
pub(crate) use stream::{chunk, upper_camel};

/// What is asked of a translation beside what the request says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The model that is called, as the upstream names it: some forms say it in the body, and some say the same thing
    /// in another way to another model.
    pub model: &'a str,
    /// The answer is to be a stream.
    pub stream: bool,
    /// The service tier to ask for, where the caller asks for none.
    pub tier: Option<&'a str>,
    /// Pairs to add to the request metadata.
    pub metadata: &'a [(String, String)],
    /// The guardrail that the caller asks for beside the body.
    pub guardrail: Option<Guardrail<'a>>,
    /// Wishes of features that are not in general use, which the caller says beside the body: names with commas between.
    pub betas: &'a str,
    /// What the target is known to refuse; of a target of another family than the model that the conversation was held
    /// with, reasoning with signatures and fields of that model's own, which mean nothing to it.
    pub refuses: Refuses,
}

/// Bedrock's guardrail, as the headers of native bodies say it.
#[derive(Clone, Copy, Debug)]
pub struct Guardrail<'a> {
    pub id: &'a str,
    pub version: &'a str,
    /// `ENABLED`, `DISABLED`, `ENABLED_FULL`.
    pub trace: Option<&'a str>,
}

/// A request in another form.
#[derive(Debug)]
pub struct Translated {
    pub body: Bytes,
    /// What the target has no place for.
    pub dropped: Vec<Dropped>,
}

/// Translates a request.
///
/// # Errors
/// What is wrong with the body, by its member; or what the target cannot do and must not be left out.
pub fn request(from: Form, to: Form, body: &[u8], wanted: Wanted<'_>) -> Result<Translated, Refusal> {
    let text = utf8(body).map_err(Bad::from)?;
    let mut conversation = codec(from)?.read(text)?;
    beside(&mut conversation, &wanted);
    let target = codec(to)?;
    let mut dropped = target.settle(from, &mut conversation, &wanted)?;
    fit::fit(&mut conversation, to, |feature| target.carries(feature), &wanted, &mut dropped)?;
    let mut out = String::with_capacity(body.len() + 256);
    target.write(&conversation, &wanted, &mut out);
    Ok(Translated { body: out.into(), dropped })
}

/// What was said beside the body.
fn beside(conversation: &mut Conversation<'_>, wanted: &Wanted<'_>) {
    if let (None, Some(guardrail)) = (&conversation.service.guardrail, wanted.guardrail) {
        let mut json = String::new();
        let mut object = object(&mut json);
        object.string("guardrailIdentifier", guardrail.id).string("guardrailVersion", guardrail.version);
        if let Some(trace) = guardrail.trace {
            object.string("trace", &trace.to_ascii_lowercase());
        }
        drop(object);
        conversation.service.guardrail = Some(Json::from_raw(json));
    }
    for beta in wanted.betas.split(',').map(str::trim).filter(|beta| !beta.is_empty()) {
        if !conversation.betas.iter().any(|there| there.is(beta)) {
            conversation.betas.push(Text::of(beta));
        }
    }
}

/// Reads a request into the normal form.
///
/// # Errors
/// What is wrong with it, by its member.
pub fn read(form: Form, body: &str) -> Result<Conversation<'_>, Refusal> {
    Ok(codec(form)?.read(body)?)
}

/// Translates a whole answer.
///
/// # Errors
/// `BP4006` when it cannot be read.
pub fn answer(from: Form, to: Form, body: &[u8], told: &Told) -> Result<Bytes, Refusal> {
    let text = utf8(body).map_err(|fault| unreadable(fault.into()))?;
    let answer = codec(from)?.read_answer(text).map_err(unreadable)?;
    let mut out = String::with_capacity(body.len() + 256);
    codec(to)?.write_answer(&answer, told, &mut out);
    Ok(out.into())
}

/// An answer of our own in a form, whole or as a stream with all of its events, and its content type.
pub fn own(form: Form, stream: bool, told: &Told, text: &str) -> Option<(&'static str, Bytes)> {
    let codec = codec(form).ok()?;
    let text = Text::of(text);
    if !stream {
        let choice = Choice {
            content: vec![Block::Text(text)],
            stop: StopReason::EndTurn,
            stopped_by: None,
            logprobs: None,
        };
        let mut out = String::new();
        codec.write_answer(&Answer { choices: vec![choice], ..Answer::default() }, told, &mut out);
        return Some(("application/json", out.into()));
    }
    let (framing, content_type) = match form {
        Form::Converse => (Framing::EventStream, eventstream::CONTENT_TYPE),
        Form::Chat | Form::Messages => (Framing::Sse, sse::CONTENT_TYPE),
        _ => (Framing::Chunks, eventstream::CONTENT_TYPE),
    };
    Some((content_type, stream::own((form, framing), codec, told, text)))
}

/// Whether a form can be read and written, and is not only carried as it is.
pub fn knows(form: Form) -> bool {
    codec(form).is_ok()
}

/// Whether a request in a form has a place for something.
pub fn carries(form: Form, feature: Feature) -> Option<Carry> {
    codec(form).ok().map(|codec| codec.carries(feature))
}

/// Reads and writes one form.
pub(crate) trait Codec: Sync {
    /// Whether a request has a place for something.
    fn carries(&self, feature: Feature) -> Carry;

    /// Says in this form's way what it says in another than most, or to some models only; before what it has no place
    /// for is taken out. Gives what had to be left out for it.
    fn settle(
        &self,
        _from: Form,
        _conversation: &mut Conversation<'_>,
        _wanted: &Wanted<'_>,
    ) -> Result<Vec<Dropped>, Bad> {
        Ok(Vec::new())
    }

    /// Reads a request, and refuses what its dialect does.
    fn read<'a>(&self, body: &'a str) -> Result<Conversation<'a>, Bad>;

    /// Writes a request, of which everything has its place.
    fn write(&self, conversation: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String);

    /// Reads a whole answer.
    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Bad>;

    /// Writes a whole answer. What the form has no place for is left out: an answer is not refused.
    fn write_answer(&self, answer: &Answer<'_>, told: &Told, out: &mut String);

    /// Reads a stream.
    fn reader(&self) -> Box<dyn ReadEvents>;

    /// Writes a stream.
    fn writer(&self, told: &Told) -> Box<dyn WriteEvents>;
}

/// Reads the events of one stream, in constant space.
pub(crate) trait ReadEvents: Send {
    /// Says which model answers, as the upstream names it.
    fn of_model(&mut self, _model: &str) {}

    /// Reads one event: its name (`contentBlockDelta`; empty where the form names none) and its payload, a value of JSON
    /// (the word `[DONE]` of OpenAI's streams is not given).
    fn read<'a>(&mut self, name: &str, payload: &'a str, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad>;

    /// The upstream ended the stream: what is left to say. `false` when the stream stops short.
    fn finish(&mut self, out: &mut dyn FnMut(Event<'static>)) -> bool;
}

/// Writes the events of one stream, in constant space.
pub(crate) trait WriteEvents: Send {
    /// Gives what the event is in this form, often nothing: names (as for [`ReadEvents::read`]) and payloads.
    fn write(&mut self, event: &Event<'_>, out: &mut dyn FnMut(&str, &str));

    /// After the last event.
    fn finish(&mut self, out: &mut dyn FnMut(&str, &str));
}

/// # Errors
/// For forms that are only carried as they are.
fn codec(form: Form) -> Result<&'static dyn Codec, Refusal> {
    match form {
        Form::Converse => Ok(&Converse),
        Form::Chat => Ok(&Chat::OpenAi),
        Form::MistralChat => Ok(&Chat::Mistral),
        Form::Jamba => Ok(&Chat::Jamba),
        Form::Messages => Ok(&MESSAGES),
        Form::Claude => Ok(&CLAUDE),
        Form::Llama => Ok(&Family::Llama),
        Form::MistralText => Ok(&Family::Mistral),
        Form::DeepSeekText => Ok(&Family::DeepSeek),
        Form::TitanText => Ok(&Family::Titan),
        Form::CohereCommand => Ok(&Family::Command),
        Form::Nova => Ok(&Nova),
    }
}

fn unreadable(bad: Bad) -> Refusal {
    Refusal::of(Code::BrokenAnswer).because(format!("{}: {}", bad.at, bad.why))
}
