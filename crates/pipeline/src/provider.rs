//! The port to what we call.
//!
//! To add a provider: a module in `upstream` that implements [`Provider`], and one arm where the
//! composition root builds providers from configuration.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use bedplate_core::BoxFuture;
use bedplate_core::cache::Finish;
use bedplate_core::call::{Headers, Operation, Spoken};
use bedplate_core::content::Content;
use bedplate_core::conversation::Dropped;
use bedplate_core::principal::Principal;
use bedplate_core::record::AttemptTimings;
use bedplate_core::refusal::Code;
use bedplate_core::usage::Usage;
use bedplate_core::view::Refuses;
use bytes::Bytes;

use crate::invoke::deadline::Deadlines;
use crate::pace::QuotaConfig;

/// Something that answers calls: Bedrock in one region and account.
pub trait Provider: Send + Sync {
    fn facts(&self) -> &ProviderFacts;

    /// What the tenant of a caller makes of a name; `model` is the id that stands in it, if any does.
    fn tenancy(&self, _who: &Principal, _name: &str, _model: Option<&str>) -> Tenancy {
        Tenancy::AsNamed
    }

    /// What a target leads to. Asked for each call, so what was found out once is kept.
    fn lead(self: Arc<Self>, _target: &str) -> Leading {
        Leading::Now(Lead::Itself)
    }

    /// Sends one request. The answer of a stream is given once its first event has come, so that an
    /// exception before content is an answer with an error status, not a broken stream.
    ///
    /// # Errors
    /// [`Failed`] when no answer came: not reached, too late, or unreadable.
    fn attempt(self: Arc<Self>, ask: Ask, deadlines: Deadlines)
    -> BoxFuture<'static, Result<Answer, Failed>>;
}

/// What is called for a caller who names a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// What was named.
    AsNamed,
    /// The application inference profile of the caller's tenant, which is to lead to the model that was named.
    Profile(Arc<str>),
    /// Nothing: what was named is the inference profile of somebody else.
    Foreign,
}

/// A lead, at once or after somebody was asked.
pub enum Leading {
    Now(Lead),
    Asked(BoxFuture<'static, Lead>),
}

/// Which model a target leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Its name says it: an id, or an ARN with the id in it; or nobody can be asked.
    Itself,
    /// To models that its name does not say.
    To(Arc<Targets>),
    /// Somebody was asked, and could not say; why, in a few words without anything secret.
    Nowhere(Arc<str>),
}

/// The models behind a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Ids of models or system-defined inference profiles, at least one.
    pub models: Vec<Arc<str>>,
    pub billed: Billed,
}

/// How calls of a target are paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Billed {
    /// As calls of its one model: an application inference profile.
    AsModel,
    /// As calls of the model that the answer names: a prompt router.
    AsAnswered,
    /// By the hour, whatever is called: provisioned throughput.
    ByTime,
}

impl Lead {
    /// The model whose prices hold, when that is known before the answer.
    pub fn model(&self) -> Option<&Arc<str>> {
        match self {
            Self::To(targets) if targets.billed == Billed::AsModel => targets.models.first(),
            Self::To(_) | Self::Itself | Self::Nowhere(_) => None,
        }
    }
}

/// What is known of a provider without asking it.
#[derive(Clone, Debug)]
pub struct ProviderFacts {
    pub name: Arc<str>,
    pub region: Arc<str>,
    /// Twelve digits; empty when not configured.
    pub account: Arc<str>,
    /// Whether calls get `requestMetadata` with the call id and what they are counted on.
    pub stamps: bool,
    /// What AWS allows there, as configured.
    pub quota: Option<Arc<QuotaConfig>>,
}

/// One request to a provider.
pub struct Ask {
    pub operation: Operation,
    /// Percent-encoded, as it goes on the wire.
    pub path: String,
    /// The path names another model than `target`, which is to be called in its place.
    pub stands_in: bool,
    pub query: String,
    pub headers: Headers,
    /// Who calls; `None` when bedplate itself does.
    pub who: Option<Principal>,
    /// The body in slices: what the caller sent, with our edits between.
    pub body: Vec<Bytes>,
    pub sha256: [u8; 32],
    /// The model or profile that is called.
    pub target: Arc<str>,
    /// The model that it leads to, which decides how bodies are read; the target itself when nothing is known.
    pub model: Arc<str>,
    /// In whose words the body is, and the answer is to be.
    pub spoken: Spoken,
    /// What the target refuses, and is to be left out where the body is written in another form.
    pub refuses: Refuses,
    /// To be set just before anything is sent: a request that never left is not worth draining.
    pub sent: Arc<AtomicBool>,
}

/// What came back, good or bad: an upstream's error is an answer too.
pub struct Answer {
    pub status: u16,
    /// End-to-end headers only.
    pub headers: Headers,
    pub request_id: Option<String>,
    /// The upstream's error name, when `status` is not 200: `ThrottlingException`.
    pub error: Option<String>,
    pub body: AnswerBody,
    pub timings: AttemptTimings,
    /// What of the request the target has no place for.
    pub dropped: Vec<Dropped>,
}

#[allow(clippy::large_enum_variant, reason = "one a call, and moved twice: less than a box costs")]
pub enum AnswerBody {
    Whole(Content, Metered),
    Stream(Box<dyn Flow>),
}

/// A stream of an answer, in the upstream's own bytes.
pub trait Flow: Send {
    /// The next piece. `None` says that the stream ended well; one that stops short, is damaged or
    /// loses its connection ends with [`Broke`]. After either nothing more comes.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>>;

    /// What was counted until now; lets the upstream go when it has not ended.
    fn metered(self: Box<Self>) -> Metered;
}

/// Bytes to forward, always whole events, and what was heard in them.
pub struct Piece {
    pub bytes: Bytes,
    pub heard: Heard,
}

/// What a scanner noticed in a piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Content has begun.
    pub content: bool,
    /// The stream carries an exception, by its AWS name: `ThrottlingException`.
    pub exception: Option<String>,
}

impl Heard {
    /// What was heard later is added.
    pub fn merge(&mut self, later: Self) {
        self.content |= later.content;
        if later.exception.is_some() {
            self.exception = later.exception;
        }
    }
}

/// A stream that ended badly.
#[derive(Debug)]
pub struct Broke {
    pub code: Code,
    pub cause: String,
}

/// What a request used, as far as the upstream said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metered {
    /// `None`: the upstream said nothing (yet).
    pub usage: Option<Usage>,
    /// The prompt's side, when a stream told it and broke before the rest.
    pub prompt: Option<Box<Usage>>,
    /// The service tier it echoed, empty when none; [`bedplate_core::record::OPTIMIZED`] for latency-optimised
    /// inference.
    pub tier: String,
    /// The model that a prompt router chose.
    pub model: Option<String>,
    pub stop_reason: Option<String>,
    /// What that means for a cache.
    pub finish: Finish,
    /// What the upstream says it took.
    pub latency_ms: Option<u64>,
    /// Bytes of generated content seen: bounds an estimate when usage never came.
    pub output_bytes: u64,
}

/// An attempt without an answer.
#[derive(Debug)]
pub struct Failed {
    pub code: Code,
    /// For the caller, where it is about the request; else what the code says.
    pub said: Option<String>,
    pub cause: String,
    pub request_id: Option<String>,
    /// Whether the whole request had been sent: then the upstream may have worked, and bills.
    pub sent: bool,
    pub timings: AttemptTimings,
}
