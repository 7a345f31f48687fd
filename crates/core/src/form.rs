//! In which form a body is written.

use serde::{Deserialize, Serialize};

/// A form of requests and answers. `wire` reads each into the normal form and writes each from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Bedrock's Converse.
    Converse,
    /// OpenAI's chat completions, as their API has them and as the bodies of gpt-oss and others on `InvokeModel` are.
    Chat,
    /// Anthropic's messages as their API has them: with `model` and `stream`.
    Messages,
    /// Anthropic's messages as the bodies of `InvokeModel` are: with `anthropic_version`.
    Claude,
    Nova,
    TitanText,
    Llama,
    /// Mistral's older models: `prompt` → `outputs`.
    MistralText,
    /// Mistral's newer models: as [`Form::Chat`], with words of their own.
    MistralChat,
    CohereCommand,
    /// Jamba: as [`Form::Chat`], with words of its own.
    Jamba,
    /// DeepSeek R1: `prompt` → `choices[].text`.
    DeepSeekText,
}

impl Form {
    pub const ALL: &'static [Self] = &[
        Self::Converse,
        Self::Chat,
        Self::Messages,
        Self::Claude,
        Self::Nova,
        Self::TitanText,
        Self::Llama,
        Self::MistralText,
        Self::MistralChat,
        Self::CohereCommand,
        Self::Jamba,
        Self::DeepSeekText,
    ];

    /// Whether two forms are one grammar: what one of them says and the normal form does not model means the same in the
    /// other.
    pub fn akin(self, other: Self) -> bool {
        let native = |form| if form == Self::Claude { Self::Messages } else { form };
        native(self) == native(other)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Claude => "claude",
            Self::Nova => "nova",
            Self::TitanText => "titan-text",
            Self::Llama => "llama",
            Self::MistralText => "mistral-text",
            Self::MistralChat => "mistral-chat",
            Self::CohereCommand => "cohere-command",
            Self::Jamba => "jamba",
            Self::DeepSeekText => "deepseek-text",
        }
    }
}
