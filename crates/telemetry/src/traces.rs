//! OpenTelemetry traces over OTLP/HTTP: a span for each call, and children for its phases and its
//! attempts, made when the call settles. On the path of a call nothing happens but the hand-over.
//!
//! Names follow the GenAI semantic conventions v1.41; the one table of them is [`names`]. The trace
//! id is the caller's (`traceparent`), else the call id; the call's span id is
//! [`CallId::span`](bedplate_core::call::CallId::span), which is what goes on upstream.
//!
//! When the collector is gone or slow, calls go on: spans wait in a bounded queue, then are dropped
//! and counted, and the trouble is logged once.

mod export;
pub mod names;
mod spans;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use bedplate_core::setting::{SecretRef, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::export::Out;
use crate::inbox::{Inbox, Losses};
use crate::writer::Writer;

/// `[traces]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// The collector: `http://localhost:4318`. `/v1/traces` is added when the URL has no path.
    /// Without one there are no traces.
    pub endpoint: Option<String>,
    /// Headers for the collector, such as `authorization`.
    pub headers: BTreeMap<String, SecretRef>,
    /// A file of certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Which part of the traces is sent, 0 to 1; decided by trace id, so that services agree.
    pub sample: f64,
    /// `service.name` of the spans.
    pub service: String,
    /// How long one export may take, with its retries.
    pub timeout: Span,
    /// Calls that may wait to be sent.
    pub queue: usize,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            ca_file: None,
            sample: 1.0,
            service: "bedplate".to_owned(),
            timeout: Span::secs(10),
            queue: 16_384,
        }
    }
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    #[error("`[traces] endpoint` is not the URL of a collector: `{0}`")]
    Endpoint(String),
    #[error("`[traces] sample` is not between 0 and 1: {0}")]
    Sample(f64),
    #[error("`[traces] headers`: {0}")]
    Header(String),
    #[error("`[traces] ca_file`: {0}")]
    Certificates(String),
    #[error("traces cannot start: {0}")]
    Start(String),
}

const EVERY: Duration = Duration::from_millis(500);

/// Sends spans of settled calls.
pub struct Traces {
    inbox: Arc<Inbox>,
    writer: Writer,
    /// Trace ids below it are sent.
    below: u64,
}

impl TracesConfig {
    /// `None` when no endpoint is configured. `version` is bedplate's.
    ///
    /// # Errors
    /// Says which setting cannot be used.
    pub fn build(self, version: &str) -> Result<Option<Traces>, TracesError> {
        let Some(endpoint) = &self.endpoint else { return Ok(None) };
        if !(0.0..=1.0).contains(&self.sample) {
            return Err(TracesError::Sample(self.sample));
        }
        let inbox = Arc::new(Inbox::new(self.queue));
        let out = Out::new(&self, endpoint, version, Arc::clone(&inbox.losses))?;
        let writer = Writer::spawn("traces", Arc::clone(&inbox), EVERY, out)
            .map_err(|e| TracesError::Start(e.to_string()))?;
        Ok(Some(Traces { inbox, writer, below: threshold(self.sample) }))
    }
}

impl Traces {
    /// Calls whose spans were not delivered.
    pub fn dropped(&self) -> u64 {
        self.inbox.losses.count()
    }

    /// Sends what waits; `false` when that took longer than `within`.
    pub fn close(&self, within: Duration) -> bool {
        self.writer.close(None, within)
    }

    pub(crate) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.inbox.losses)
    }
}

impl Sink for Traces {
    fn settle(&self, outcome: &Arc<Outcome>) {
        if spans::trace_id(outcome) as u64 >> 1 < self.below {
            self.inbox.put(outcome);
        }
    }
}

/// The part of 2⁶³ that is sent; the low end of a trace id is random.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "0 to 1"
)]
fn threshold(sample: f64) -> u64 {
    (sample * (1u64 << 63) as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_none_are_sent_at_the_ends() {
        assert_eq!(threshold(0.0), 0);
        assert!(u64::MAX >> 1 < threshold(1.0));
        assert_eq!(threshold(0.5), 1 << 62);
    }
}
