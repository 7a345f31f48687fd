//! Tools, and how they are chosen.

use super::{CachePoint, Json, Rest, Text};
use crate::form::Form;

/// Something in the list of tools.
#[derive(Clone, PartialEq, Debug)]
pub enum ToolItem<'a> {
    Tool(Tool<'a>),
    /// One of the vendor's, by name.
    System(Text<'a>),
    CachePoint(CachePoint<'a>),
    /// What the form does not model, as it stood.
    Foreign {
        form: Form,
        tool: Json<'a>,
    },
}

/// A tool of the caller's.
#[derive(Clone, PartialEq, Debug)]
pub struct Tool<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    /// A JSON Schema of its input: an object; `None` when it takes none.
    pub schema: Option<Json<'a>>,
    /// Whether its input must fit the schema.
    pub strict: Option<bool>,
    /// What a dialect says beside this.
    pub rest: Rest<'a>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum ToolChoice<'a> {
    /// As the model sees fit.
    Auto,
    /// Some tool.
    Any,
    /// None.
    Never,
    /// This one.
    Named(Text<'a>),
}
