//! What a door hands over.

use std::sync::Arc;

use bedplate_core::cache::{Canonical, Wish};
use bedplate_core::call::{Headers, Operation, Spoken};
use bedplate_core::content::Content;
use bedplate_core::key::Key;
use bedplate_core::pace::Class;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::{Edits, View};
use tokio::time::Instant;

/// A call whose request has been read, not yet admitted.
pub struct Call {
    pub operation: Operation,
    /// The model, profile or guardrail as the caller named it, decoded once. Empty for lists.
    pub name: String,
    /// The path as it came, percent-encoded.
    pub path: String,
    /// The query as it came, without `?` and without what belongs to the caller's signature.
    pub query: String,
    /// What goes upstream beside the body: content type, accept, `x-amzn-bedrock-*`.
    pub headers: Headers,
    pub body: Arc<dyn Native>,
    /// The key that was found by what the caller presented.
    pub key: Arc<Key>,
    /// The proof that the caller holds that key.
    pub evidence: Box<dyn Evidence>,
    pub tags: Tags,
}

/// What a caller says about a call.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    /// `x-bedplate-feature`: one of the features the key may name.
    pub feature: Option<String>,
    /// `x-bedplate-user`: opaque.
    pub user: Option<String>,
    /// `x-bedplate-chain`: groups the calls of one prompt chain or agent run.
    pub chain: Option<String>,
    /// `x-bedplate-priority`.
    pub class: Option<Class>,
    /// `x-bedplate-conversation`: calls of one conversation stay on one target; opaque.
    pub conversation: Option<String>,
    /// `x-bedplate-cache`.
    pub cache: Option<Wish>,
    /// `x-bedplate-deadline`: when the caller has no use for an answer any more.
    pub until: Option<Instant>,
    /// W3C trace id and parent span id of `traceparent`, in lower-case hexadecimal.
    pub trace: Option<(String, String)>,
}

/// Proof that the caller holds a key: a signature over the request, or the token itself.
pub trait Evidence: Send + Sync {
    /// # Errors
    /// `BP1003` and its neighbours when the proof does not hold.
    fn verify(&self) -> Result<(), Refusal>;
}

/// A body in its native form: read through a view, sent with edits. Crate `wire` knows how.
pub trait Native: Send + Sync {
    fn content(&self) -> &Content;

    fn view(&self) -> &dyn View;

    /// SHA-256 of the body once `edits` are applied.
    fn sha256(&self, edits: &Edits) -> [u8; 32];

    /// The request as the cache reads it, with the headers that go with it; `None` when its answer cannot be kept.
    fn canonical(&self, headers: &Headers) -> Option<Canonical>;

    /// In whose words it is.
    fn spoken(&self) -> Spoken {
        Spoken::default()
    }

    /// Whether a model reads such a body, or it can be written anew for it.
    fn fits(&self, model: &str) -> bool;

    /// Whether a model is known to be of another family than the one that the body was written for.
    fn is_foreign_to(&self, _model: &str) -> bool {
        false
    }

    /// An answer of ours in the words of the caller's dialect, as `operation` gives it: headers and a body, of a stream
    /// all of its frames. `None` where we cannot write one.
    fn answer(&self, text: &str) -> Option<(Headers, Content)>;
}
