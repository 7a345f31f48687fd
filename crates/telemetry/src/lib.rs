//! What leaves a running bedplate besides answers: metrics, logs and traces.
//!
//! Everything here is a [`Sink`]: it takes an [`Outcome`](bedplate_core::record::Outcome) when a call
//! settles, on the thread that served it, and must cost that thread next to nothing. Metrics count at
//! once, in a shard of the thread's own. The others hand the outcome over to a thread of theirs
//! through a bounded queue; when it is full the record is dropped and counted in
//! `bedplate_telemetry_dropped_total`, and the call is not harmed. Only the ledger never drops.
//!
//! | sink | section | what |
//! |---|---|---|
//! | [`metrics`] | `[metrics]` | Prometheus, on the control listener |
//! | [`call_log`] | `[log]` | one line of JSON for each call |
//! | [`invocation_log`] | `[log.invocation]` | Bedrock's own records in Bedrock's own layout |
//! | [`emf`] | `[emf]` | CloudWatch metrics as lines of JSON |
//! | [`cloudwatch`] | `[cloudwatch]` | delivery of EMF lines and call-log lines to CloudWatch Logs |
//! | [`traces`] | `[traces]` | OpenTelemetry spans |
//!
//! Nothing here ever sees content: an outcome has none.

pub mod call_log;
pub mod cloudwatch;
pub mod emf;
mod gauge;
mod inbox;
pub mod invocation_log;
mod lines;
pub mod metrics;
mod once;
pub mod traces;
mod writer;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::ports::Sink;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call_log::{CallLog, Calls};
use crate::cloudwatch::{CloudWatchConfig, CloudWatchError};
use crate::emf::{Emf, EmfConfig};
use crate::inbox::Losses;
use crate::invocation_log::{InvocationLog, InvocationLogConfig};
use crate::metrics::{Metrics, MetricsConfig};
use crate::traces::{Traces, TracesConfig, TracesError};

/// `[log]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Where the call log goes.
    pub calls: Calls,
    /// The log of model invocations, in the form of Bedrock's own.
    pub invocation: InvocationLogConfig,
    /// Calls that may wait to be written, for each of the two logs.
    pub queue: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { calls: Calls::default(), invocation: InvocationLogConfig::default(), queue: 65_536 }
    }
}

/// The five sections of `bedplate.toml` that are read here.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    pub log: LogConfig,
    pub metrics: MetricsConfig,
    pub emf: EmfConfig,
    pub cloudwatch: CloudWatchConfig,
    pub traces: TracesConfig,
}

/// A part of telemetry that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the call log cannot start: {0}")]
    CallLog(std::io::Error),
    #[error("the invocation log cannot start: {0}")]
    InvocationLog(std::io::Error),
    #[error("EMF lines cannot start: {0}")]
    Emf(std::io::Error),
    #[error(transparent)]
    CloudWatch(#[from] CloudWatchError),
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// Everything that was configured, running.
pub struct Telemetry {
    pub metrics: Arc<Metrics>,
    pub call_log: Option<Arc<CallLog>>,
    pub invocation_log: Option<Arc<InvocationLog>>,
    pub emf: Option<Arc<Emf>>,
    pub traces: Option<Arc<Traces>>,
}

impl Config {
    /// Starts what is configured. `version` is bedplate's own.
    ///
    /// # Errors
    /// When a file, a folder or a thread cannot be made, or a setting cannot be used.
    pub fn build(
        self,
        version: &str,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn Ids>,
    ) -> Result<Telemetry, TelemetryError> {
        let LogConfig { calls, invocation, queue } = self.log;
        let to = &self.cloudwatch;
        let delivery = to.build("the call log", to.calls.as_ref(), ids)?;
        let call_log = CallLog::start(&calls, queue, delivery).map_err(TelemetryError::CallLog)?;
        let invocation_log = invocation
            .build(Arc::clone(clock), Arc::clone(ids), queue)
            .map_err(TelemetryError::InvocationLog)?;
        let delivery = to.build("EMF", to.emf.as_ref(), ids)?;
        let emf = self.emf.start(Arc::clone(clock), delivery).map_err(TelemetryError::Emf)?;
        let telemetry = Telemetry {
            metrics: self.metrics.build(version),
            call_log: call_log.map(Arc::new),
            invocation_log: invocation_log.map(Arc::new),
            emf: emf.map(Arc::new),
            traces: self.traces.build(version)?.map(Arc::new),
        };
        telemetry.show_losses();
        Ok(telemetry)
    }
}

impl Telemetry {
    /// All of it, for the pipeline; metrics first.
    pub fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let mut sinks: Vec<Arc<dyn Sink>> = vec![Arc::clone(&self.metrics) as Arc<dyn Sink>];
        sinks.extend(self.call_log.iter().map(|s| Arc::clone(s) as Arc<dyn Sink>));
        sinks.extend(self.invocation_log.iter().map(|s| Arc::clone(s) as Arc<dyn Sink>));
        sinks.extend(self.emf.iter().map(|s| Arc::clone(s) as Arc<dyn Sink>));
        sinks.extend(self.traces.iter().map(|s| Arc::clone(s) as Arc<dyn Sink>));
        sinks
    }

    /// Writes and sends everything that waits, all sinks at once; gives the names of those that did
    /// not end within `within`. Blocks: call it from a thread that may.
    pub fn close(&self, within: Duration) -> Vec<&'static str> {
        thread::scope(|scope| {
            let mut ends = Vec::new();
            if let Some(log) = &self.call_log {
                ends.push(("call_log", scope.spawn(move || log.close(within))));
            }
            if let Some(log) = &self.invocation_log {
                ends.push(("invocation_log", scope.spawn(move || log.close(within))));
            }
            if let Some(emf) = &self.emf {
                ends.push(("emf", scope.spawn(move || emf.close(within))));
            }
            if let Some(traces) = &self.traces {
                ends.push(("traces", scope.spawn(move || traces.close(within))));
            }
            let late =
                ends.into_iter().filter_map(|(name, end)| (!end.join().unwrap_or(false)).then_some(name));
            late.collect()
        })
    }

    fn show_losses(&self) {
        let all: [(&'static str, Option<Arc<Losses>>); 6] = [
            ("call_log", self.call_log.as_ref().map(|s| s.losses())),
            ("invocation_log", self.invocation_log.as_ref().map(|s| s.losses())),
            ("emf", self.emf.as_ref().map(|s| s.losses())),
            ("traces", self.traces.as_ref().map(|s| s.losses())),
            ("cloudwatch_calls", self.call_log.as_ref().and_then(|s| s.undelivered())),
            ("cloudwatch_emf", self.emf.as_ref().and_then(|s| s.undelivered())),
        ];
        for (sink, losses) in all {
            if let Some(losses) = losses {
                self.metrics.watch(sink, losses);
            }
        }
    }
}
