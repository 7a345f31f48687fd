//! The doors: one for each dialect that callers speak. A door reads a request into a call and says refusals in its
//! callers' words; what lies between is the same for all.

mod anthropic;
mod arrival;
pub(crate) mod bedrock;
mod credentials;
mod evidence;
mod openai;
mod vendor;
mod words;

use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::refusal::Refusal;
use bedplate_pipeline::{Call, Record};
use http::Request;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body;
use crate::connection::exchange::Conn;
use crate::gateway::{Gateway, Snapshot};
pub(crate) use arrival::until;

/// A door, by the dialect that is spoken there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Door(pub(crate) Dialect);

/// What a request turned out to be.
pub(crate) enum Visit {
    Call(Call),
    /// A question which models there are: all of them, or one by its name. The call says who asks.
    Models(Call, Option<String>),
}

/// When a request came, and in which call.
#[derive(Clone, Copy)]
pub(crate) struct Came {
    pub(crate) id: CallId,
    pub(crate) at: Timestamp,
    /// When its caller has no use for an answer any more.
    pub(crate) until: Option<Instant>,
}

impl Door {
    /// By the path; where two vendors have the same path, by a header that only one of their clients sends.
    pub(crate) fn of(request: &Request<Incoming>) -> Self {
        let path = request.uri().path();
        let is_anthropic = path.starts_with("/anthropic/") || path.starts_with("/v1/messages");
        Self(
            if is_anthropic
                || path.starts_with("/v1/models") && request.headers().contains_key(anthropic::VERSION)
            {
                Dialect::Anthropic
            } else if path.starts_with("/v1/") || path.starts_with("/openai/") {
                Dialect::OpenAi
            } else {
                Dialect::Bedrock
            },
        )
    }

    /// Which operation a request asks for, where its path says it.
    pub(crate) fn operation(self, request: &Request<Incoming>) -> Option<Operation> {
        match self.0 {
            Dialect::Bedrock => bedrock::operation(request),
            Dialect::OpenAi | Dialect::Anthropic => None,
        }
    }

    /// Reads a request. In this order, so that a stranger costs little: the path, the key and the date, and only then
    /// the body.
    pub(crate) async fn read(
        self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        request: Request<Incoming>,
        conn: &Conn,
        came: Came,
        record: &mut Record,
    ) -> Result<(Visit, body::Held), Refusal> {
        match self.0 {
            Dialect::Bedrock => bedrock::read(gateway, snapshot, request, conn, came, record).await,
            Dialect::OpenAi => openai::read(gateway, snapshot, request, conn, came, record).await,
            Dialect::Anthropic => anthropic::read(gateway, snapshot, request, conn, came, record).await,
        }
    }
}
