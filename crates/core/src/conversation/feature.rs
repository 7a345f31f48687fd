//! Everything a request may use, by name: what each form can carry is said in these words.

use std::borrow::Cow;

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $name:ident = $said:literal,)*) => {
        /// Something that a request may hold.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Feature { $($(#[doc = $doc])+ $name),* }

        impl Feature {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As records, headers and docs say it: `top_k`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $said),* }
            }

            /// One sentence: what it is.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),* }
            }
        }
    };
}

features! {
    /// instructions before the conversation
    System = "system",
    /// instructions amid the conversation
    SystemTurn = "system_turn",
    /// names of people of one role
    MessageName = "message_name",
    /// text
    Text = "text",
    /// images, as bytes
    Image = "image",
    /// how closely an image is looked at
    ImageDetail = "image_detail",
    /// videos, as bytes
    Video = "video",
    /// sounds, as bytes
    Audio = "audio",
    /// documents: as bytes or text
    Document = "document",
    /// what the model is told of a document
    DocumentContext = "document_context",
    /// content that lies in S3
    S3 = "s3",
    /// content somewhere on the network
    Url = "url",
    /// files that a vendor keeps
    File = "file",
    /// what texts of earlier answers rest on
    Citation = "citation",
    /// documents and search results that the answer is to cite
    Cite = "cite",
    /// earlier answers in which the model would not
    Refusal = "refusal",
    /// uses of tools
    ToolUse = "tool_use",
    /// results of tools
    ToolResult = "tool_result",
    /// images and documents in results of tools
    ToolResultMedia = "tool_result_media",
    /// that a use of a tool failed
    ToolFailed = "tool_failed",
    /// uses and results of the vendor's own tools
    ServerTool = "server_tool",
    /// tools that come or go amid the conversation
    ToolChange = "tool_change",
    /// reasoning of earlier answers, with its signature
    Reasoning = "reasoning",
    /// encrypted reasoning of earlier answers
    RedactedReasoning = "redacted_reasoning",
    /// search results, to be cited
    SearchResult = "search_result",
    /// marks of what a guardrail is to look at
    Guarded = "guarded",
    /// marks of what is to be kept in the prompt cache
    CachePoint = "cache_point",
    /// how long it is kept
    CacheTtl = "cache_ttl",
    /// blocks of messages that the form does not model
    ForeignBlock = "foreign_block",
    /// tools of the caller's
    Tool = "tool",
    /// that the input of a tool must fit its schema
    StrictTool = "strict_tool",
    /// the vendor's own tools, by name
    SystemTool = "system_tool",
    /// tools that the form does not model
    ForeignTool = "foreign_tool",
    /// that some tool must be used, or a certain one
    ToolChoice = "tool_choice",
    /// that no tool may be used, though there are some
    ToolNever = "tool_choice_none",
    /// whether several tools may be used in one turn
    ParallelTools = "parallel_tools",
    /// the most tokens of output
    MaxTokens = "max_tokens",
    /// `temperature`
    Temperature = "temperature",
    /// `top_p`
    TopP = "top_p",
    /// `top_k`
    TopK = "top_k",
    /// what tokens lose that are frequent already
    FrequencyPenalty = "frequency_penalty",
    /// what tokens lose that are there already
    PresencePenalty = "presence_penalty",
    /// where chance begins
    Seed = "seed",
    /// what is added to the chance of tokens
    LogitBias = "logit_bias",
    /// that the chances of tokens are told
    Logprobs = "logprobs",
    /// sequences that end the answer
    Stop = "stop",
    /// several answers to one question
    Answers = "n",
    /// that the answer is JSON
    OutputJson = "output_json",
    /// that the answer fits a schema
    OutputSchema = "output_schema",
    /// whether and how much the model may think
    Thinking = "thinking",
    /// how much effort the model makes
    Effort = "effort",
    /// the service tier
    Tier = "service_tier",
    /// latency-optimised inference
    Latency = "latency",
    /// Bedrock's guardrail on the call
    Guardrail = "guardrail",
    /// pairs for AWS's invocation log
    Metadata = "request_metadata",
    /// an opaque name of the person behind the call
    User = "user",
    /// wishes of features that are not in general use
    Beta = "beta",
    /// fields of the model's own
    Field = "model_field",
    /// fields that the answer is to hold beside what every answer does
    FieldPath = "response_field",
    /// members that the form does not model
    Rest = "unknown",
}

/// What becomes of a feature in a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carry {
    /// It is written.
    Carried,
    /// It is left out, and that is said: the answer is as good an answer without it.
    Dropped,
    /// The call is refused: without it the answer would be another one than was asked for. Why, in a few words.
    Refused(&'static str),
}

/// Something that was left out of a request, because its target has no place for it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dropped {
    pub feature: Feature,
    /// The caller's own word for it, where that says more: the name of an unknown member.
    pub member: Option<Cow<'static, str>>,
}

impl Dropped {
    /// `top_k`, or the caller's own word.
    pub fn name(&self) -> &str {
        self.member.as_deref().unwrap_or(self.feature.name())
    }
}

impl From<Feature> for Dropped {
    fn from(feature: Feature) -> Self {
        Self { feature, member: None }
    }
}
