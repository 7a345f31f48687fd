//! What messages are made of.

use super::{Json, Rest, Text};
use crate::form::Form;

/// A part of a message, of a system prompt or of a tool's result.
#[derive(Clone, PartialEq, Debug)]
pub enum Block<'a> {
    Text(Text<'a>),
    /// Text of an answer, and what it rests on.
    Cited {
        content: Vec<Text<'a>>,
        citations: Vec<Citation<'a>>,
    },
    /// A model says that it will not.
    Refusal(Text<'a>),
    Image(Media<'a>),
    Video(Media<'a>),
    Audio(Media<'a>),
    Document(Document<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    /// A value, in the result of a tool.
    Json(Json<'a>),
    Reasoning(Reasoning<'a>),
    SearchResult(SearchResult<'a>),
    Guarded(Guarded<'a>),
    /// What stands before it, back to the beginning, is to be kept in the prompt cache.
    CachePoint(CachePoint<'a>),
    /// A tool that may be used from here on, or no more: the value of `toolAddition` and `toolRemoval`.
    ToolChange {
        adds: bool,
        tool: Json<'a>,
    },
    /// What the form does not model: the whole block as it stood.
    Foreign {
        form: Form,
        block: Json<'a>,
    },
}

/// A picture, a film or a sound.
#[derive(Clone, PartialEq, Debug)]
pub struct Media<'a> {
    /// `png`, `jpeg`, `mp4`, `wav`: Converse's names.
    pub format: Text<'a>,
    pub source: Source<'a>,
    /// How closely an image is looked at, where a dialect says it.
    pub detail: Option<Text<'a>>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Source<'a> {
    /// Base64.
    Bytes(Text<'a>),
    S3 {
        uri: Text<'a>,
        owner: Option<Text<'a>>,
    },
    /// Plain text: documents only.
    Text(Text<'a>),
    /// Parts that can be cited one by one: documents only.
    Parts(Vec<Text<'a>>),
    /// Somewhere on the network. Never fetched: refused by whoever writes it, but for targets that take it.
    Url(Text<'a>),
    /// A file that the vendor keeps.
    File(Text<'a>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Document<'a> {
    pub name: Option<Text<'a>>,
    /// `pdf`, `txt`, `md`…: Converse's names.
    pub format: Option<Text<'a>>,
    pub source: Source<'a>,
    /// What the model is told of it.
    pub context: Option<Text<'a>>,
    /// Whether the answer is to cite it.
    pub cite: Option<bool>,
}

/// A model wants a tool used.
#[derive(Clone, PartialEq, Debug)]
pub struct ToolUse<'a> {
    pub id: Text<'a>,
    pub name: Text<'a>,
    /// Any JSON; mostly an object.
    pub input: Json<'a>,
    /// The vendor uses it, not the caller.
    pub by_server: bool,
}

/// What came of using a tool.
#[derive(Clone, PartialEq, Debug)]
pub struct ToolResult<'a> {
    /// Of the use.
    pub id: Text<'a>,
    pub content: Vec<Block<'a>>,
    /// `None` when it is not said.
    pub failed: Option<bool>,
    /// What kind of tool it was, where it was the vendor's: the value of `type`.
    pub kind: Option<Text<'a>>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Reasoning<'a> {
    Text {
        text: Text<'a>,
        signature: Option<Text<'a>>,
    },
    /// Encrypted by the vendor: base64.
    Redacted(Text<'a>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct SearchResult<'a> {
    pub source: Text<'a>,
    pub title: Text<'a>,
    pub content: Vec<Text<'a>>,
    pub cite: Option<bool>,
}

/// What a guardrail is to look at.
#[derive(Clone, PartialEq, Debug)]
pub enum Guarded<'a> {
    Text { text: Text<'a>, qualifiers: Vec<Text<'a>> },
    Image(Media<'a>),
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct CachePoint<'a> {
    /// `5m` or `1h`; `None` is the first.
    pub ttl: Option<Text<'a>>,
}

/// What a text rests on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Citation<'a> {
    pub title: Option<Text<'a>>,
    pub source: Option<Text<'a>>,
    /// What was cited.
    pub cited: Vec<Text<'a>>,
    pub location: Option<Location<'a>>,
    /// What a dialect says beside this.
    pub rest: Rest<'a>,
}

/// Where it was cited from. Ends are exclusive; documents and search results are counted from 0 in a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Location<'a> {
    Chars { document: u64, start: u64, end: u64 },
    Pages { document: u64, start: u64, end: u64 },
    Parts { document: u64, start: u64, end: u64 },
    SearchResult { result: u64, start: u64, end: u64 },
    Web { url: Text<'a>, domain: Option<Text<'a>> },
}
