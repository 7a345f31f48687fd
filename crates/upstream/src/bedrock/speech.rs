//! Which of Bedrock's own ways of asking a call takes.

use std::sync::Arc;

use bedplate_core::call::{Dialect, Operation};
use bedplate_core::form::Form;
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed};
use bedplate_wire::bedrock::Family;
use bedplate_wire::translate::Framing;

use super::{Bedrock, exchange};
use crate::interpret::{self, Speech};

/// How a call is carried.
pub(super) enum Way {
    /// Bytes pass through.
    AsItIs,
    /// The request is written anew.
    In(Speech),
    Embeddings,
    Count,
}

/// How the target of a call is asked.
pub(super) fn of(ask: &Ask) -> Way {
    match (ask.spoken.dialect, ask.operation, ask.spoken.form) {
        (Dialect::OpenAi, Operation::InvokeModel, _) => Way::Embeddings,
        (Dialect::Anthropic, Operation::CountTokens, _) => Way::Count,
        (Dialect::Bedrock, Operation::InvokeModel | Operation::InvokeModelWithResponseStream, Some(form))
            if !is_of(form, &ask.model) =>
        {
            Way::In(converse(ask.operation))
        }
        (Dialect::Bedrock, ..) => Way::AsItIs,
        // Claude is asked in words that Anthropic's dialect has all of
        (Dialect::Anthropic, operation, _) if Family::of(&ask.model) == Family::Anthropic => {
            Way::In(claude(operation))
        }
        (Dialect::OpenAi | Dialect::Anthropic, operation, _) => Way::In(converse(operation)),
    }
}

pub(super) async fn interpreted(
    provider: Arc<Bedrock>,
    ask: Ask,
    speech: Speech,
    deadlines: Deadlines,
) -> Result<Answer, Failed> {
    let to = (speech, path(speech.operation));
    interpret::interpreted(ask, to, async |ask| exchange::exchange(provider, ask, deadlines).await).await
}

fn claude(operation: Operation) -> Speech {
    let operation = match operation.streams() {
        true => Operation::InvokeModelWithResponseStream,
        false => Operation::InvokeModel,
    };
    Speech { form: Form::Claude, framing: Framing::Chunks, operation }
}

fn converse(operation: Operation) -> Speech {
    let operation = if operation.streams() { Operation::ConverseStream } else { Operation::Converse };
    Speech { form: Form::Converse, framing: Framing::EventStream, operation }
}

/// The end says what is asked; the model is put in where the target's own name is written.
fn path(operation: Operation) -> &'static str {
    match operation {
        Operation::ConverseStream => "/converse-stream",
        Operation::InvokeModel => "/invoke",
        Operation::InvokeModelWithResponseStream => "/invoke-with-response-stream",
        _ => "/converse",
    }
}

/// Whether a model reads bodies of a form.
fn is_of(form: Form, model: &str) -> bool {
    let forms: &[Form] = match Family::of(model) {
        Family::Anthropic => &[Form::Claude],
        Family::Nova => &[Form::Nova],
        Family::TitanText => &[Form::TitanText],
        Family::CohereCommand => &[Form::CohereCommand],
        Family::Llama => &[Form::Llama],
        Family::Mistral => &[Form::MistralText, Form::MistralChat],
        Family::Ai21 => &[Form::Jamba],
        Family::DeepSeek => &[Form::DeepSeekText, Form::Chat],
        Family::OpenAi | Family::OpenAiForm => &[Form::Chat],
        // who knows: as it came
        _ => return true,
    };
    forms.contains(&form)
}
