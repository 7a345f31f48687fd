//! The normal form: what a request for a model means, whatever dialect it was written in.
//!
//! A superset of Bedrock's Converse. Each dialect and each family of native bodies is read into it and written from it
//! (crate `wire`); none is ever turned into another directly. Where caller and target speak alike no conversation is
//! made at all: bytes pass through.
//!
//! Texts stay as they stood in the body, escapes and all ([`Text`], [`Json`]): what is only carried is never decoded,
//! and what is written needs no escaping.
//!
//! | module | what it names |
//! |---|---|
//! | [`text`](Text) | strings and values of JSON that are carried |
//! | [`block`](Block) | what messages are made of |
//! | [`tool`](Tool) | tools and how they are chosen |
//! | [`answer`](Answer) | a whole answer, and why it ended |
//! | [`event`](Event) | an answer piece by piece |
//! | [`feature`](Feature) | everything a request may use, by name: what forms can carry |

mod answer;
mod block;
mod event;
mod feature;
mod text;
mod tool;

use std::borrow::Cow;

pub use answer::{Answer, Choice, Stop, Told};
pub use block::{
    Block, CachePoint, Citation, Document, Guarded, Location, Media, Reasoning, SearchResult, Source,
    ToolResult, ToolUse,
};
pub use event::{Delta, Event, Opening};
pub use feature::{Carry, Dropped, Feature};
pub use text::{Json, Text};
pub use tool::{Tool, ToolChoice, ToolItem};

use crate::form::Form;

/// A request.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Conversation<'a> {
    /// Texts, guarded texts and cache points only.
    pub system: Vec<Block<'a>>,
    pub messages: Vec<Message<'a>>,
    pub tools: Vec<ToolItem<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several tools may be used in one turn; `None` leaves it to the model.
    pub parallel_tools: Option<bool>,
    pub sampling: Sampling<'a>,
    /// The most tokens of output; `None` leaves it to the model.
    pub max_tokens: Option<u64>,
    pub stop: Vec<Text<'a>>,
    /// How many answers are wanted; 0 and 1 are both one.
    pub answers: u64,
    /// What the text of the answer must be.
    pub output: Option<Output<'a>>,
    pub thinking: Option<Thinking>,
    /// `low`, `medium`, `high`, `xhigh`, `max`, `minimal`, `none`: as the caller says it.
    pub effort: Option<Text<'a>>,
    /// How it is to be served.
    pub service: Service<'a>,
    /// Pairs for AWS's invocation log: the caller's and ours.
    pub metadata: Vec<(Text<'a>, Text<'a>)>,
    /// An opaque name of the person behind the call.
    pub user: Option<Text<'a>>,
    /// Wishes of features of the model that are not in general use, by name (`anthropic_beta`).
    pub betas: Vec<Text<'a>>,
    /// Fields of the model's own (`additionalModelRequestFields`) beside those that the form models.
    pub fields: Vec<Member<'a>>,
    /// JSON Pointers of fields that the answer is to hold beside what every answer does.
    pub field_paths: Vec<Text<'a>>,
    /// What was said beside all this, in order.
    pub rest: Rest<'a>,
}

/// One turn.
#[derive(Clone, PartialEq, Debug)]
pub struct Message<'a> {
    pub role: Role,
    /// Who speaks, where a dialect tells people of one role apart.
    pub name: Option<Text<'a>>,
    pub content: Vec<Block<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    User,
    Assistant,
    /// Instructions amid a conversation.
    System,
}

/// How the next token is drawn. Numbers as they were written.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sampling<'a> {
    pub temperature: Option<Json<'a>>,
    pub top_p: Option<Json<'a>>,
    pub top_k: Option<Json<'a>>,
    pub frequency_penalty: Option<Json<'a>>,
    pub presence_penalty: Option<Json<'a>>,
    pub seed: Option<Json<'a>>,
    /// Token ids and what is added to their chance: an object.
    pub logit_bias: Option<Json<'a>>,
    /// How many chances to tell of each token; `Some(0)`: of the token itself only.
    pub logprobs: Option<u64>,
}

impl Sampling<'_> {
    pub fn is_empty(&self) -> bool {
        *self == Sampling::default()
    }
}

/// What the text of an answer must be.
#[derive(Clone, PartialEq, Debug)]
pub enum Output<'a> {
    /// Some JSON object.
    Json,
    /// JSON that fits a schema.
    Schema { name: Option<Text<'a>>, description: Option<Text<'a>>, schema: Json<'a>, strict: Option<bool> },
}

/// Whether the model may think before it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thinking {
    Off,
    /// As much as the model finds right.
    Adaptive,
    /// With at most so many tokens; `None` leaves it to the model.
    On {
        budget: Option<u64>,
    },
}

/// How a call is to be served.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Service<'a> {
    /// `priority`, `default`, `flex`, `reserved`: AWS's words.
    pub tier: Option<Cow<'a, str>>,
    /// `standard` or `optimized`.
    pub latency: Option<Cow<'a, str>>,
    /// Bedrock's guardrail on the call: the value of `guardrailConfig`.
    pub guardrail: Option<Json<'a>>,
}

/// A member of a body: its name, decoded, and its value.
#[derive(Clone, PartialEq, Debug)]
pub struct Member<'a> {
    pub name: Cow<'a, str>,
    pub value: Json<'a>,
}

/// What a dialect said that the form does not model. It goes to targets of the same form as it came, and to no other.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rest<'a> {
    /// `None` when there is nothing.
    pub form: Option<Form>,
    pub members: Vec<Member<'a>>,
}

impl<'a> Rest<'a> {
    /// What goes to a target of this form.
    pub fn to(&self, form: Form) -> &[Member<'a>] {
        match self.form.is_some_and(|said| said.akin(form)) {
            true => &self.members,
            false => &[],
        }
    }

    pub fn of(form: Form, members: Vec<Member<'a>>) -> Self {
        Self { form: (!members.is_empty()).then_some(form), members }
    }
}
