//! Deadlines by phase.

use std::time::Duration;

use tokio::time::Instant;

/// How long each phase of an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until the first event of a stream, from the start of the attempt.
    pub first_token: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    /// All of it.
    pub total: Duration,
}

impl Timeouts {
    /// What is left when so much of the total has gone by.
    pub(crate) fn after(self, waited: Duration) -> Self {
        Self { total: self.total.saturating_sub(waited), ..self }
    }
}

/// The same, as moments, for one attempt.
#[derive(Clone, Debug)]
pub struct Deadlines {
    pub connect: Instant,
    pub first_token: Instant,
    pub idle: Duration,
    pub total: Instant,
}

impl Deadlines {
    /// Deadlines of an attempt that begins now.
    pub fn starting_now(timeouts: &Timeouts) -> Self {
        let now = now();
        Self {
            connect: now + timeouts.connect.min(timeouts.total),
            first_token: now + timeouts.first_token.min(timeouts.total),
            idle: timeouts.idle,
            total: now + timeouts.total,
        }
    }
}

/// Tokio's clock, which tests pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}
