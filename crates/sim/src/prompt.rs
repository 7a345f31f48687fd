//! What a request asks of a model, in whatever form it came: the simulator's own normal form.

use serde_json::Value;

/// A request to a text model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prompt {
    pub(crate) offers: Vec<Offer>,
    pub(crate) choice: Choice,
    pub(crate) system: Vec<Piece>,
    pub(crate) turns: Vec<Turn>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stops: Vec<String>,
    /// The answer must be JSON of this schema.
    pub(crate) schema: Option<Value>,
    /// The model is asked to think first.
    pub(crate) thinks: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    User,
    Assistant,
    System,
}

#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) pieces: Vec<Piece>,
}

/// A part of a turn.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    /// Text that a guardrail is asked to look at.
    Guarded(String),
    /// A document or a search result.
    Passage {
        title: String,
        text: String,
    },
    /// A picture, a film, a sound: its tokens, and a digest that tells it from others.
    Media {
        tokens: u64,
        digest: u64,
    },
    Call {
        id: String,
        name: String,
        input: Value,
    },
    Outcome {
        id: String,
        content: Vec<Value>,
    },
    Thought(String),
    /// The prompt up to here may be cached.
    Mark(Ttl),
}

/// A member of the tool list.
#[derive(Clone, Debug)]
pub(crate) enum Offer {
    Tool { name: String, description: String, schema: Value },
    Mark(Ttl),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Any,
    Tool(String),
    Never,
}

/// How long a cached prefix lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Ttl {
    Short,
    Long,
}

impl Piece {
    /// What a reader would see.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(t) | Self::Guarded(t) | Self::Thought(t) => t.clone(),
            Self::Passage { title, text } => format!("{title}\n{text}"),
            Self::Call { name, input, .. } => format!("{name} {input}"),
            Self::Outcome { content, .. } => content.iter().map(plain).collect::<Vec<_>>().join("\n"),
            Self::Media { .. } | Self::Mark(_) => String::new(),
        }
    }

    /// What tells this piece from any other, for seeds and cache prefixes.
    pub(crate) fn form(&self) -> String {
        match self {
            Self::Media { tokens, digest } => format!("media {tokens} {digest}"),
            Self::Mark(ttl) => format!("mark {ttl:?}"),
            Self::Call { id, .. } => format!("call {id} {}", self.text()),
            Self::Outcome { id, .. } => format!("outcome {id} {}", self.text()),
            Self::Passage { .. } => format!("passage {}", self.text()),
            Self::Text(t) | Self::Guarded(t) | Self::Thought(t) => format!("text {t}"),
        }
    }
}

impl Offer {
    /// What tells this tool from any other.
    pub(crate) fn form(&self) -> String {
        match self {
            Self::Tool { name, description, schema } => format!("{name} {description} {schema}"),
            Self::Mark(ttl) => format!("mark {ttl:?}"),
        }
    }
}

impl Prompt {
    /// A prompt that is one text, as the older bodies have it.
    pub(crate) fn of_text(text: &str) -> Self {
        let pieces = vec![Piece::Text(text.to_string())];
        Self { turns: vec![Turn { role: Role::User, pieces }], ..Self::default() }
    }

    /// The last turn that a user wrote.
    pub(crate) fn last_user(&self) -> Option<&Turn> {
        self.turns.iter().rev().find(|t| t.role == Role::User)
    }

    /// Draws from the seed and the prompt alone, so that headers and metadata change nothing.
    pub(crate) fn seed(&self, seed: u64, model: &str) -> u64 {
        let offers = self.offers.iter().map(Offer::form);
        let said = self.system.iter().chain(self.turns.iter().flat_map(|t| &t.pieces)).map(Piece::form);
        let schema = self.schema.iter().map(Value::to_string);
        let start = crate::seed::mix(seed, model.as_bytes());
        offers.chain(said).chain(schema).fold(start, |seed, form| crate::seed::mix(seed, form.as_bytes()))
    }
}

/// JSON as text: a string without its quotes, anything else as it is written.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
