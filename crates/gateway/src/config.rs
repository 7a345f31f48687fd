//! `[limits]` and `[auth]`.

use bedplate_core::setting::{Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one caller may take before it is known who it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest request body. Bedrock takes 25,000,000 bytes.
    pub body: Size,
    /// The most bytes of request bodies held at once, over all calls.
    pub bodies_in_flight: Size,
    /// The most client connections, over all workers.
    pub connections: usize,
    /// How long a connection may wait for a whole request head, idle or slow, whatever it pings. Longer than the 60 s after
    /// which load balancers let go, so that it is never we who close first.
    pub head_timeout: Span,
    /// How long a client may take to send a request's body.
    pub body_timeout: Span,
    /// How long bytes may wait for a client that takes none: then the connection is closed, over HTTP/2
    /// the stream reset, and the call goes on as if the client had hung up.
    pub write_stall: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Size(25_000_000),
            bodies_in_flight: Size(1 << 30),
            connections: 20_000,
            head_timeout: Span::secs(75),
            body_timeout: Span::secs(60),
            write_stall: Span::secs(60),
        }
    }
}

/// How callers prove who they are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// How far a signature's time may be from ours. AWS allows five minutes.
    pub clock_skew: Span,
    /// What to do with `x-amz-security-token`, which keys of bedplate do not have.
    pub session_token: SessionToken,
}

impl Default for Auth {
    fn default() -> Self {
        Self { clock_skew: Span::secs(300), session_token: SessionToken::Ignore }
    }
}

/// The rule for session tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionToken {
    /// The signature decides alone.
    Ignore,
    /// A request that carries one is refused: it was meant for AWS.
    Refuse,
}
