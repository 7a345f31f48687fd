//! Native bodies that are one text: the models of Llama, older ones of Mistral, DeepSeek R1, Titan, and Command R, whose
//! conversation is a message and what was said before it.
//!
//! A prompt is a conversation written down with marks of the model's own between the turns. What people say must never
//! be taken for such a mark: [`script`] breaks every mark within a text by a space, so that the only marks in a prompt
//! are those that a template wrote. When a prompt is read it is taken apart only where it is a whole conversation by its
//! template; any other prompt is one text of the user's.

mod answer;
mod carries;
mod command;
mod deepseek;
mod events;
mod llama;
mod mistral;
mod script;
mod titan;

use bedplate_core::conversation::{
    Answer, Carry, Conversation, Dropped, Feature, Json, Member, Rest, Role, Told,
};
use bedplate_core::form::Form;

use crate::json::object::Bad;
use crate::json::write::{Object, object};
use crate::translate::{Codec, ReadEvents, Wanted, WriteEvents};

/// A family of such bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Llama,
    Mistral,
    DeepSeek,
    Titan,
    Command,
}

impl Family {
    fn form(self) -> Form {
        match self {
            Self::Llama => Form::Llama,
            Self::Mistral => Form::MistralText,
            Self::DeepSeek => Form::DeepSeekText,
            Self::Titan => Form::TitanText,
            Self::Command => Form::CohereCommand,
        }
    }
}

impl Codec for Family {
    fn carries(&self, feature: Feature) -> Carry {
        carries::carries(*self, feature)
    }

    fn settle(&self, _: Form, c: &mut Conversation<'_>, _: &Wanted<'_>) -> Result<Vec<Dropped>, Bad> {
        if *self == Self::Command && c.messages.last().is_none_or(|last| last.role != Role::User) {
            return Err(Bad::value(
                "messages",
                "these models answer a message: the last one must be the user's",
            ));
        }
        Ok(Vec::new())
    }

    fn read<'a>(&self, body: &'a str) -> Result<Conversation<'a>, Bad> {
        match self {
            Self::Llama => llama::read(body),
            Self::Mistral => mistral::read(body),
            Self::DeepSeek => deepseek::read(body),
            Self::Titan => titan::read(body),
            Self::Command => command::read(body),
        }
    }

    fn write(&self, c: &Conversation<'_>, _: &Wanted<'_>, out: &mut String) {
        let mut body = object(out);
        match self {
            Self::Llama => llama::write(&mut body, c),
            Self::Mistral => mistral::write(&mut body, c),
            Self::DeepSeek => deepseek::write(&mut body, c),
            Self::Titan => titan::write(&mut body, c),
            Self::Command => command::write(&mut body, c),
        }
        for member in c.rest.to(self.form()).iter().chain(&c.fields) {
            body.member(member);
        }
    }

    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Bad> {
        answer::read(*self, body)
    }

    fn write_answer(&self, answer: &Answer<'_>, told: &Told, out: &mut String) {
        answer::write(*self, answer, told, out);
    }

    fn reader(&self) -> Box<dyn ReadEvents> {
        Box::new(events::Reader::new(*self))
    }

    fn writer(&self, told: &Told) -> Box<dyn WriteEvents> {
        Box::new(events::Writer::new(*self, &told.id))
    }
}

/// What a body says beside what its family is known to.
///
/// # Errors
/// For members of other dialects.
fn rest(form: Form, members: Vec<Member<'_>>) -> Result<Rest<'_>, Bad> {
    const ELSEWHERE: &[&str] = &["messages", "inferenceConfig", "anthropic_version", "inputs"];
    match members.iter().find(|member| ELSEWHERE.contains(&&*member.name)) {
        Some(member) => Err(Bad::value(&*member.name, "mixed dialects: these models take one text")),
        None => Ok(Rest::of(form, members)),
    }
}

/// A member that must be there.
fn missing(member: &str) -> Bad {
    Bad::value(member, "it must be there")
}

/// # Errors
/// When it is no number.
fn number<'a>(name: &str, value: Option<Json<'a>>) -> Result<Option<Json<'a>>, Bad> {
    match value.as_ref().map(Json::number) {
        Some(None) => Err(Bad::value(name, "expected a number")),
        _ => Ok(value),
    }
}

/// Sequences that end the answer, when there are some.
fn stops(body: &mut Object<'_>, name: &str, c: &Conversation<'_>) {
    if !c.stop.is_empty() {
        let mut list = body.list(name);
        for stop in &c.stop {
            list.text(stop);
        }
    }
}
