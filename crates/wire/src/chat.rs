//! OpenAI's chat completions, and the bodies that say the same with words of their own (Mistral's newer models, Jamba).
//!
//! What the normal form says and this dialect has no word for is said as users of LiteLLM and OpenRouter do:
//! `cache_control` on parts, messages and tools marks cache points; `reasoning_content` holds reasoning, and
//! `thinking_blocks` its signatures and its encrypted parts. `system` and `developer` mean the same, and are written as
//! `system`.

mod answer;
mod carries;
mod inline;
mod read;
mod stop;
mod stream;
mod tier;
mod usage;
mod write;

use bedplate_core::conversation::{Answer, Carry, Conversation, Feature};
use bedplate_core::form::Form;

use crate::json::object::Bad;
use crate::translate::{Codec, ReadEvents, Told, Wanted, WriteEvents};

/// Whose words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chat {
    OpenAi,
    Mistral,
    Jamba,
}

impl Chat {
    fn form(self) -> Form {
        match self {
            Self::OpenAi => Form::Chat,
            Self::Mistral => Form::MistralChat,
            Self::Jamba => Form::Jamba,
        }
    }
}

impl Codec for Chat {
    fn carries(&self, feature: Feature) -> Carry {
        carries::carries(*self, feature)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Conversation<'a>, Bad> {
        read::conversation(*self, body)
    }

    fn write(&self, conversation: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String) {
        write::conversation(*self, conversation, wanted, out);
    }

    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Bad> {
        answer::read(*self, body)
    }

    fn write_answer(&self, answer: &Answer<'_>, told: &Told, out: &mut String) {
        answer::write(*self, answer, told, out);
    }

    fn reader(&self) -> Box<dyn ReadEvents> {
        Box::new(stream::Reader::new(*self))
    }

    fn writer(&self, told: &Told) -> Box<dyn WriteEvents> {
        Box::new(stream::Writer::new(*self, told))
    }
}
