//! Which family of models an id belongs to: it decides how native bodies are read.

use bedplate_core::form::Form;

/// A family of native bodies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    Anthropic,
    Nova,
    /// Nova Canvas, Nova Reel and Titan Image: a task in, images out.
    AmazonImage,
    NovaEmbed,
    TitanText,
    TitanEmbed,
    AmazonRerank,
    CohereCommand,
    CohereEmbed,
    CohereRerank,
    Llama,
    Mistral,
    Ai21,
    DeepSeek,
    /// OpenAI's own models; bodies in OpenAI's form.
    OpenAi,
    /// Others whose bodies are in OpenAI's form: Qwen, Moonshot, MiniMax, Z.AI, NVIDIA, Google, xAI, Writer.
    OpenAiForm,
    Stability,
    /// Marengo.
    TwelveLabsEmbed,
    /// Pegasus.
    TwelveLabsText,
    Luma,
    /// Imported models, endpoints, application profiles that were not resolved: every known form is tried.
    Unknown,
}

/// What stands before the provider in the id of an inference profile.
pub const GEOGRAPHIES: &[&str] = &["global", "us", "eu", "apac", "jp", "au", "in", "us-gov", "ca", "sa"];

/// The start of an id (after its geography) and its family. The first that fits counts.
const STARTS: &[(&str, Family)] = &[
    ("anthropic.", Family::Anthropic),
    ("amazon.nova-canvas", Family::AmazonImage),
    ("amazon.nova-reel", Family::AmazonImage),
    ("amazon.titan-image", Family::AmazonImage),
    ("amazon.titan-embed", Family::TitanEmbed),
    ("amazon.titan", Family::TitanText),
    ("amazon.rerank", Family::AmazonRerank),
    ("cohere.embed", Family::CohereEmbed),
    ("cohere.rerank", Family::CohereRerank),
    ("cohere.", Family::CohereCommand),
    ("meta.", Family::Llama),
    ("mistral.", Family::Mistral),
    ("ai21.", Family::Ai21),
    ("deepseek.", Family::DeepSeek),
    ("openai.", Family::OpenAi),
    ("qwen.", Family::OpenAiForm),
    ("moonshot.", Family::OpenAiForm),
    ("moonshotai.", Family::OpenAiForm),
    ("minimax.", Family::OpenAiForm),
    ("zai.", Family::OpenAiForm),
    ("nvidia.", Family::OpenAiForm),
    ("google.", Family::OpenAiForm),
    ("xai.", Family::OpenAiForm),
    ("writer.", Family::OpenAiForm),
    ("stability.", Family::Stability),
    ("twelvelabs.marengo", Family::TwelveLabsEmbed),
    ("twelvelabs.", Family::TwelveLabsText),
    ("luma.", Family::Luma),
];

impl Family {
    /// The family of a model id, an inference profile's id, or the ARN of either. The ARN of an
    /// application profile tells nothing: resolve it first.
    pub fn of(model: &str) -> Self {
        let id = base_id(model);
        if id.starts_with("amazon.nova") {
            return match id {
                id if id.contains("embed") => Self::NovaEmbed,
                id if id.starts_with("amazon.nova-canvas") || id.starts_with("amazon.nova-reel") => {
                    Self::AmazonImage
                }
                _ => Self::Nova,
            };
        }
        STARTS.iter().find(|(start, _)| id.starts_with(start)).map_or(Self::Unknown, |(_, family)| *family)
    }

    /// The form of a native body, where its models hold conversations in one that is known.
    pub fn form(self, body: &[u8]) -> Option<Form> {
        let of_prompts = || {
            memchr::memmem::find(body, b"\"prompt\"").is_some()
                && memchr::memmem::find(body, b"\"messages\"").is_none()
        };
        Some(match self {
            Self::Anthropic => Form::Claude,
            Self::Nova => Form::Nova,
            Self::TitanText => Form::TitanText,
            Self::CohereCommand => Form::CohereCommand,
            Self::Llama => Form::Llama,
            Self::Mistral if of_prompts() => Form::MistralText,
            Self::Mistral => Form::MistralChat,
            Self::Ai21 => Form::Jamba,
            Self::DeepSeek if of_prompts() => Form::DeepSeekText,
            Self::DeepSeek | Self::OpenAi | Self::OpenAiForm => Form::Chat,
            _ => return None,
        })
    }

    /// Whether its models hold conversations: text in, text out.
    pub fn converses(self) -> bool {
        match self {
            Self::Anthropic
            | Self::Nova
            | Self::TitanText
            | Self::CohereCommand
            | Self::Llama
            | Self::Mistral
            | Self::Ai21
            | Self::DeepSeek
            | Self::OpenAi
            | Self::OpenAiForm
            | Self::TwelveLabsText
            | Self::Unknown => true,
            Self::AmazonImage
            | Self::NovaEmbed
            | Self::TitanEmbed
            | Self::AmazonRerank
            | Self::CohereEmbed
            | Self::CohereRerank
            | Self::Stability
            | Self::TwelveLabsEmbed
            | Self::Luma => false,
        }
    }

    /// Whether the answer of `InvokeModel` is priced by the query.
    pub fn reranks(self) -> bool {
        matches!(self, Self::AmazonRerank | Self::CohereRerank)
    }
}

/// Who made a model: `openai`; `None` when its id does not say.
pub fn maker(model: &str) -> Option<&'static str> {
    let id = base_id(model);
    let start = match id.starts_with("amazon.") {
        true => "amazon.",
        false => STARTS.iter().find(|(start, _)| id.starts_with(start))?.0,
    };
    start.split('.').next()
}

/// The base model's id: without ARN, without geography.
///
/// `arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0` → `amazon.nova-lite-v1:0`
pub fn base_id(model: &str) -> &str {
    let id = match model.starts_with("arn:") {
        true => model.split_once('/').map_or(model, |(_, id)| id),
        false => model,
    };
    match id.split_once('.') {
        Some((geography, rest)) if GEOGRAPHIES.contains(&geography) => rest,
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geographies_and_arns_do_not_hide_the_family() {
        for (id, family) in [
            ("us.amazon.nova-lite-v1:0", Family::Nova),
            ("us-gov.anthropic.claude-3-7-sonnet-20250219-v1:0", Family::Anthropic),
            ("arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0", Family::CohereEmbed),
            ("arn:aws:bedrock:us-east-1:1:inference-profile/global.openai.gpt-5", Family::OpenAi),
            ("amazon.nova-2-multimodal-embeddings-v1:0", Family::NovaEmbed),
            ("amazon.nova-canvas-v1:0", Family::AmazonImage),
            ("eu.twelvelabs.marengo-embed-2-7-v1:0", Family::TwelveLabsEmbed),
            ("twelvelabs.pegasus-1-2-v1:0", Family::TwelveLabsText),
            ("amazon.titan-embed-text-v2:0", Family::TitanEmbed),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2c3d4e5f6", Family::Unknown),
            ("triage", Family::Unknown),
        ] {
            assert_eq!(Family::of(id), family, "{id}");
        }
    }

    #[test]
    fn makers_tell_models_of_one_form_apart() {
        for (id, want) in [
            ("us.anthropic.claude-opus-5", Some("anthropic")),
            ("amazon.nova-lite-v1:0", Some("amazon")),
            ("us.amazon.titan-text-express-v1", Some("amazon")),
            ("qwen.qwen3-32b-v1:0", Some("qwen")),
            ("zai.glm-5", Some("zai")),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1", None),
        ] {
            assert_eq!(maker(id), want, "{id}");
        }
    }
}
