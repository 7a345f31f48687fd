//! Anthropic's messages, as their API has them and as the bodies of `InvokeModel` are: one grammar, but for the members
//! that say which model is called and how.

mod answer;
mod carries;
mod citation;
mod errors;
mod events;
mod grammar;
mod put;
mod read;
mod settle;
mod source;
pub(crate) mod splice;
mod tools;
mod turns;
mod usage;
mod write;

use bedplate_core::conversation::{Answer, Carry, Conversation, Dropped, Feature};
use bedplate_core::form::Form;

use crate::json::object::Bad;
use crate::translate::{Codec, ReadEvents, Told, Wanted, WriteEvents};

/// The version of the grammar that `InvokeModel` wants named in the body.
const VERSION: &str = "bedrock-2023-05-31";

pub(crate) static MESSAGES: Messages = Messages { form: Form::Messages };
pub(crate) static CLAUDE: Messages = Messages { form: Form::Claude };

/// The codec of both forms.
pub(crate) struct Messages {
    /// [`Form::Messages`] or [`Form::Claude`].
    form: Form,
}

impl Codec for Messages {
    fn carries(&self, feature: Feature) -> Carry {
        carries::carries(self.form, feature)
    }

    fn settle(
        &self,
        _: Form,
        conversation: &mut Conversation<'_>,
        _: &Wanted<'_>,
    ) -> Result<Vec<Dropped>, Bad> {
        settle::settle(self.form, conversation)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Conversation<'a>, Bad> {
        read::request(self.form, body)
    }

    fn write(&self, conversation: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String) {
        write::request(self.form, conversation, wanted, out);
    }

    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Bad> {
        answer::read(self.form, body)
    }

    fn write_answer(&self, answer: &Answer<'_>, told: &Told, out: &mut String) {
        answer::write(answer, told, out);
    }

    fn reader(&self) -> Box<dyn ReadEvents> {
        Box::new(events::Reader::default())
    }

    fn writer(&self, told: &Told) -> Box<dyn WriteEvents> {
        Box::new(grammar::Writer::new(told.clone()))
    }
}
