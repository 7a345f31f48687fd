//! An answer piece by piece.

use std::borrow::Cow;

use super::{Citation, Json, Stop, Text};
use crate::usage::Usage;

/// What a stream says next. Streams come in this order: `Start`, blocks one after the other (each opened, grown and
/// closed), `Stop`, `Usage`. A reader gives an `Open` before the first delta of a block and a `Close` after its last,
/// also where a dialect leaves them out.
#[derive(Clone, PartialEq, Debug)]
pub enum Event<'a> {
    Start {
        id: Option<Text<'a>>,
        model: Option<Text<'a>>,
        usage: Option<Box<Usage>>,
    },
    Open {
        block: u32,
        opening: Opening<'a>,
    },
    Delta {
        block: u32,
        delta: Delta<'a>,
    },
    Close {
        block: u32,
    },
    Stop {
        stop: Stop<'a>,
        stopped_by: Option<Text<'a>>,
        fields: Option<Json<'a>>,
    },
    /// What the answer used, in all.
    Usage {
        usage: Box<Usage>,
        latency_ms: Option<u64>,
        tier: Option<Cow<'a, str>>,
        trace: Option<Json<'a>>,
    },
    /// Nothing new; the upstream lives.
    Ping,
    /// The upstream broke off: its name for the error, and what it says.
    Failed {
        error: Cow<'a, str>,
        message: Text<'a>,
    },
}

/// What a block is.
#[derive(Clone, PartialEq, Debug)]
pub enum Opening<'a> {
    Text,
    Refusal,
    Reasoning,
    /// Encrypted reasoning: what is known at once, the rest comes in deltas.
    Redacted(Option<Text<'a>>),
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        by_server: bool,
    },
    Image {
        format: Text<'a>,
    },
    /// What the form does not model, as it stood.
    Foreign(Json<'a>),
}

/// How a block grows.
#[derive(Clone, PartialEq, Debug)]
pub enum Delta<'a> {
    /// Of a text or a refusal.
    Text(Text<'a>),
    Reasoning(Text<'a>),
    Signature(Text<'a>),
    Redacted(Text<'a>),
    /// A piece of the JSON that the input of a tool is.
    Input(Text<'a>),
    Citation(Box<Citation<'a>>),
    /// Base64.
    Image(Text<'a>),
    /// What the form does not model, as it stood.
    Foreign(Json<'a>),
}
