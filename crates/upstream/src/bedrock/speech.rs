//! Which of Bedrock's own ways of asking a call takes.

use std::sync::Arc;

use bedplate_core::call::{Dialect, Operation};
use bedplate_core::form::Form;
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::family::base_id;
use bedplate_wire::translate::{self, Framing};

use super::{Bedrock, exchange};
use crate::compatible::passes;
use crate::config::Api;
use crate::interpret::{self, Speech};

/// How a call is carried.
pub(super) enum Way {
    /// Bytes pass through.
    AsItIs,
    /// The request is written anew.
    In(Speech),
    /// Bytes pass through to the path of a vendor's own API.
    Compatible(Form),
    Embeddings,
    Count,
}

/// How the target of a call is asked.
pub(super) fn of(ask: &Ask, api: Api) -> Way {
    match (ask.spoken.dialect, ask.operation, ask.spoken.form) {
        (Dialect::OpenAi, Operation::InvokeModel, _) => Way::Embeddings,
        (Dialect::Anthropic, Operation::CountTokens, _) => Way::Count,
        (Dialect::Bedrock, Operation::InvokeModel | Operation::InvokeModelWithResponseStream, Some(form))
            if !is_of(form, &ask.model) =>
        {
            Way::In(converse(ask.operation))
        }
        (Dialect::Bedrock, ..) => Way::AsItIs,
        (Dialect::OpenAi | Dialect::Anthropic, operation, form) => vendors(ask, operation, form, api),
    }
}

/// How a call is carried that came in a vendor's words.
fn vendors(ask: &Ask, operation: Operation, form: Option<Form>, api: Api) -> Way {
    let alike = form.filter(|form| api == Api::Compatible && passes(ask, *form));
    // Claude is asked in words that Anthropic's dialect has all of
    let claudes = ask.spoken.dialect == Dialect::Anthropic && Family::of(&ask.model) == Family::Anthropic;
    match (api, alike) {
        (Api::Compatible, Some(form)) => Way::Compatible(form),
        (Api::Auto | Api::Compatible, _) if claudes => Way::In(invoke(Form::Claude, operation)),
        (Api::Invoke, _) => match own(&ask.model).filter(|form| translate::knows(*form)) {
            Some(form) => Way::In(invoke(form, operation)),
            None => Way::In(converse(operation)),
        },
        (Api::Auto | Api::Compatible | Api::Converse, _) => Way::In(converse(operation)),
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

fn invoke(form: Form, operation: Operation) -> Speech {
    let operation = match operation.streams() {
        true => Operation::InvokeModelWithResponseStream,
        false => Operation::InvokeModel,
    };
    Speech { form, framing: Framing::Chunks, operation }
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

/// The form of a model's own bodies, where its family has one that holds conversations.
fn own(model: &str) -> Option<Form> {
    let id = base_id(model);
    Some(match Family::of(model) {
        Family::Anthropic => Form::Claude,
        Family::Nova => Form::Nova,
        Family::TitanText => Form::TitanText,
        Family::CohereCommand => Form::CohereCommand,
        Family::Llama => Form::Llama,
        // of the first generation, which take a prompt
        Family::Mistral if ["7b", "mixtral", "2402"].iter().any(|old| id.contains(old)) => Form::MistralText,
        Family::Mistral => Form::MistralChat,
        Family::Ai21 => Form::Jamba,
        Family::DeepSeek if id.contains(".r1") => Form::DeepSeekText,
        Family::DeepSeek | Family::OpenAi | Family::OpenAiForm => Form::Chat,
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use bedplate_core::call::{Headers, Spoken};

    use super::*;

    fn way(api: Api, (dialect, form): (Dialect, Form), model: &str, operation: Operation) -> String {
        let ask = Ask {
            operation,
            path: String::new(),
            stands_in: false,
            query: String::new(),
            headers: Headers::default(),
            who: None,
            body: Vec::new(),
            sha256: [0; 32],
            target: model.into(),
            model: model.into(),
            spoken: Spoken { dialect, form: Some(form), told: None },
            refuses: bedplate_core::view::Refuses::default(),
            sent: Arc::new(AtomicBool::new(false)),
        };
        match of(&ask, api) {
            Way::AsItIs => "as it is".into(),
            Way::In(speech) => format!("{} in {:?}", speech.operation, speech.form),
            Way::Compatible(form) => format!("compatible {form:?}"),
            Way::Embeddings | Way::Count => unreachable!("no conversation"),
        }
    }

    const CHAT: (Dialect, Form) = (Dialect::OpenAi, Form::Chat);
    const MESSAGES: (Dialect, Form) = (Dialect::Anthropic, Form::Messages);
    const AWS: (Dialect, Form) = (Dialect::Bedrock, Form::Converse);
    const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    const NOVA: &str = "us.amazon.nova-lite-v1:0";
    const OSS: &str = "openai.gpt-oss-20b-1:0";

    #[test]
    fn what_is_chosen_is_chosen_for_vendors_words_only() {
        let whole = |api, spoken, model| way(api, spoken, model, Operation::Converse);
        for api in [Api::Auto, Api::Converse, Api::Invoke, Api::Compatible] {
            assert_eq!(whole(api, AWS, CLAUDE), "as it is");
        }
        assert_eq!(whole(Api::Auto, MESSAGES, CLAUDE), "InvokeModel in Claude");
        assert_eq!(whole(Api::Auto, MESSAGES, NOVA), "Converse in Converse");
        assert_eq!(whole(Api::Auto, CHAT, CLAUDE), "Converse in Converse");
        assert_eq!(whole(Api::Converse, MESSAGES, CLAUDE), "Converse in Converse");
        assert_eq!(whole(Api::Compatible, CHAT, OSS), "compatible Chat");
        assert_eq!(whole(Api::Compatible, MESSAGES, CLAUDE), "compatible Messages");
        for (model, form) in [(CLAUDE, Form::Claude), (NOVA, Form::Nova), (OSS, Form::Chat)] {
            let want = if translate::knows(form) {
                format!("InvokeModel in {form:?}")
            } else {
                "Converse in Converse".into()
            };
            assert_eq!(whole(Api::Invoke, CHAT, model), want);
        }
        assert_eq!(whole(Api::Invoke, CHAT, "nobody.knows-v1:0"), "Converse in Converse");
        let stream = way(Api::Auto, MESSAGES, CLAUDE, Operation::ConverseStream);
        assert_eq!(stream, "InvokeModelWithResponseStream in Claude");
    }
}
