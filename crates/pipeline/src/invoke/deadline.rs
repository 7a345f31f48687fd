//! Deadlines by phase.

use std::time::Duration;

use bedplate_core::refusal::{Code, Refusal};
use tokio::time::{Instant, timeout_at};

/// How long each phase of an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until the first event of a stream, from the start of the attempt.
    pub first_token: Duration,
    /// Between two events of a stream, or two pieces of a whole answer.
    pub idle: Duration,
    /// All of it.
    pub total: Duration,
}

impl Timeouts {
    /// What is left when so much of the total has gone by.
    pub(crate) fn after(self, waited: Duration) -> Self {
        Self { total: self.total.saturating_sub(waited), ..self }
    }

    /// No longer than the caller waits.
    pub(crate) fn by(self, until: Option<Instant>) -> Self {
        let left = until.map(|until| until.saturating_duration_since(now()));
        Self { total: left.map_or(self.total, |left| left.min(self.total)), ..self }
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

/// What comes of `work` as long as the caller waits.
///
/// # Errors
/// `BP4004` when the caller's own deadline passed meanwhile.
pub(crate) async fn in_time<T>(
    until: Option<Instant>,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    // in one place, so that a call without a deadline is no larger
    let work = std::pin::pin!(work);
    match until {
        None => work.await,
        Some(until) => timeout_at(until, work).await.unwrap_or_else(|_| Err(too_late())),
    }
}

/// The caller's own deadline passed before any upstream was asked.
pub(crate) fn too_late() -> Refusal {
    Refusal::of(Code::TotalTimeout).because("the caller's deadline passed before anybody was asked")
}

/// Tokio's clock, which tests pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}
