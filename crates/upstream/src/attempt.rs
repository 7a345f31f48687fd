//! One request and the beginning of its answer, phase by phase: what is the same whoever is asked.

mod whole;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use bedplate_core::record::AttemptTimings;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Answer, Deadlines, Failed};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout_at;

use crate::host::Host;
use crate::pool::{Lease, Lost, Slices};
pub(crate) use whole::whole;

/// What an attempt is at.
pub(crate) struct Attempt {
    clock: Arc<dyn Clock>,
    began: Tick,
    pub(crate) timings: AttemptTimings,
    /// Whether the request may have reached the upstream.
    sent: bool,
}

/// Why there is no answer.
pub(crate) type Wrong = (Code, String);

impl Attempt {
    pub(crate) fn begin(clock: &Arc<dyn Clock>) -> Self {
        let clock = Arc::clone(clock);
        Self { began: clock.tick(), clock, timings: AttemptTimings::default(), sent: false }
    }

    /// Lets `work` have all the time there is.
    pub(crate) async fn within(
        mut self,
        deadlines: &Deadlines,
        work: impl AsyncFnOnce(&mut Self) -> Result<Answer, Wrong>,
    ) -> Result<Answer, Failed> {
        match timeout_at(deadlines.total, work(&mut self)).await {
            Ok(result) => result.map_err(|(code, cause)| self.failed(code, cause)),
            Err(_) => Err(self.failed(Code::TotalTimeout, "no whole answer".into())),
        }
    }

    /// Sends a request that is complete, and reads its answer with `read`: of one that streams the first event, by its
    /// deadline.
    pub(crate) async fn exchange(
        &mut self,
        host: &Host,
        request: Request<Slices>,
        (streams, deadlines, sent): (bool, &Deadlines, &AtomicBool),
        read: impl AsyncFnOnce(&mut Self, Lease, Response<Incoming>) -> Result<Answer, Wrong>,
    ) -> Result<Answer, Wrong> {
        let lease = timeout_at(deadlines.connect, host.pool.lease())
            .await
            .map_err(|_| (Code::ConnectTimeout, format!("no connection to {}", host.authority)))?
            .map_err(|e| (Code::Unreachable, format!("{}: {e}", host.authority)))?;
        let answering = async {
            let (lease, response) = self.send(host, lease, request, deadlines, sent).await?;
            self.timings.first_byte = Some(self.elapsed());
            read(self, lease, response).await
        };
        if !streams {
            return answering.await;
        }
        match timeout_at(deadlines.first_token, answering).await {
            Ok(result) => result,
            Err(_) => Err((Code::FirstTokenTimeout, "no event of the stream".into())),
        }
    }

    /// Sends; tries once more, on a new connection, when a kept one turns out to be dead: one that the
    /// other side closed while it lay idle.
    async fn send(
        &mut self,
        host: &Host,
        mut lease: Lease,
        request: Request<Slices>,
        deadlines: &Deadlines,
        sent: &AtomicBool,
    ) -> Result<(Lease, Response<Incoming>), Wrong> {
        let spare = lease.kept().then(|| request.clone());
        sent.store(true, Ordering::Relaxed);
        let began = self.elapsed();
        self.sent = true;
        let lost = match lease.send(request).await {
            Ok(response) => {
                self.timings.connect = lease.connected_in.map(micros);
                return Ok((lease, response));
            }
            Err(lost) => lost,
        };
        let dead = lost.unsent || (lost.closed() && self.elapsed() - began < DEAD);
        self.sent = !lost.unsent;
        let Some(again) = spare.filter(|_| dead) else { return Err(broke(host, &lost)) };
        self.sent = false;
        let mut lease = timeout_at(deadlines.connect, host.pool.connect())
            .await
            .map_err(|_| (Code::ConnectTimeout, format!("no connection to {}", host.authority)))?
            .map_err(|e| (Code::Unreachable, format!("{}: {e}", host.authority)))?;
        self.timings.connect = lease.connected_in.map(micros);
        self.sent = true;
        match lease.send(again).await {
            Ok(response) => Ok((lease, response)),
            Err(lost) => {
                self.sent = !lost.unsent;
                Err(broke(host, &lost))
            }
        }
    }

    /// Since it began, in microseconds.
    pub(crate) fn elapsed(&self) -> u64 {
        micros(self.clock.tick().since(self.began))
    }

    fn failed(&mut self, code: Code, cause: String) -> Failed {
        self.timings.total = self.elapsed();
        Failed { code, said: None, cause, request_id: None, sent: self.sent, timings: self.timings }
    }
}

/// A kept connection that closes so soon (in microseconds) after a request was written had been closed
/// before: no model answers, or fails, as fast. One that breaks later may have been worked on, and is
/// not asked twice.
const DEAD: u64 = 100_000;

fn broke(host: &Host, lost: &Lost) -> Wrong {
    let e = &lost.error;
    let cause = match std::error::Error::source(e) {
        Some(cause) => format!("{}: {e}: {cause}", host.authority),
        None => format!("{}: {e}", host.authority),
    };
    (if lost.unsent { Code::Unreachable } else { Code::BrokenAnswer }, cause)
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
