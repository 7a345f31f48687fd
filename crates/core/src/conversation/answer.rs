//! A whole answer, and why it ended.

use std::borrow::Cow;

use super::{Block, Json, Rest, Text};
use crate::usage::Usage;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer<'a> {
    /// The upstream's id of it.
    pub id: Option<Text<'a>>,
    /// The model that the upstream says it was.
    pub model: Option<Text<'a>>,
    /// When it was made, in seconds since 1970, where the upstream says so.
    pub created: Option<u64>,
    /// One, unless several answers were asked for.
    pub choices: Vec<Choice<'a>>,
    pub usage: Usage,
    /// What the upstream says it took.
    pub latency_ms: Option<u64>,
    /// The tier that served it: AWS's words.
    pub tier: Option<Cow<'a, str>>,
    /// What a guardrail and a router did: the value of Converse's `trace`.
    pub trace: Option<Json<'a>>,
    /// Fields of the model's own that were asked for: an object.
    pub fields: Option<Json<'a>>,
    /// What was said beside all this.
    pub rest: Rest<'a>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Choice<'a> {
    pub content: Vec<Block<'a>>,
    pub stop: Stop<'a>,
    /// The sequence that stopped it.
    pub stopped_by: Option<Text<'a>>,
    /// The chances of its tokens, as the upstream has them.
    pub logprobs: Option<Json<'a>>,
}

/// Why an answer ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop<'a> {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    /// A guardrail stepped in.
    Guardrail,
    /// The vendor's filter did.
    Filtered,
    /// The model will not.
    Refused,
    /// The vendor's tools take long; the caller sends the turn again to go on.
    Paused,
    ContextWindow,
    MalformedOutput,
    MalformedToolUse,
    /// A word that the form does not know, as it was said.
    Other(Cow<'a, str>),
}

/// What an answer in the caller's form says that the upstream's does not.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// An id for the answer where the upstream gives none; without a prefix.
    pub id: String,
    /// The model, as the caller named it.
    pub model: String,
    /// The model that answers, as the upstream names it: some count in another way.
    pub upstream: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The caller wants usage in a stream that says it only on request.
    pub include_usage: bool,
}
