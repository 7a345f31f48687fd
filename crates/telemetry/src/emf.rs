//! CloudWatch metrics as embedded metric format: lines of JSON that the CloudWatch agent, Lambda or a
//! log group turns into metrics.
//!
//! One line for each flush (60 s) and each team, feature and model that had calls, and one without
//! dimensions for the calls in flight, looked at four times a second. A line of calls is counted by
//! CloudWatch four times: by team, feature and model; by model; by team; and in all. Every distinct
//! combination is a custom metric that AWS bills, so combinations are bounded: beyond the limit
//! stands `other`.

mod group;
mod line;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::group::{Group, Values};
pub use self::line::{DIMENSIONS, IN_FLIGHT, METRICS, NAMESPACE};

use crate::cloudwatch::{Delivery, Sender};
use crate::gauge::Gauge;
use crate::inbox::{Inbox, Losses};
use crate::lines::Lines;
use crate::once::Once;
use crate::writer::{Work, Writer};

/// `[emf]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmfConfig {
    pub to: EmfTo,
    /// Time between lines of one combination.
    pub flush: Span,
    /// How many combinations of team, feature and model have lines of their own.
    pub combinations: usize,
    /// How many calls may wait to be counted.
    pub queue: usize,
}

/// Where EMF lines go.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EmfTo {
    #[default]
    Off,
    Stdout,
    /// A file that lines are added to. It may be renamed away: the next line makes a new one.
    File(PathBuf),
}

impl Default for EmfConfig {
    fn default() -> Self {
        Self { to: EmfTo::Off, flush: Span::secs(60), combinations: 500, queue: 65_536 }
    }
}

const EVERY: Duration = Duration::from_millis(250);

/// Counts settled calls and writes a line for each combination every so often.
pub struct Emf {
    inbox: Arc<Inbox>,
    in_flight: Arc<Gauge>,
    writer: Writer,
    delivery: Option<Delivery>,
}

impl EmfConfig {
    /// `None` when it is off.
    ///
    /// # Errors
    /// When the file or the thread cannot be made.
    pub fn build(self, clock: Arc<dyn Clock>) -> io::Result<Option<Emf>> {
        self.start(clock, None)
    }

    /// As [`Self::build`]; with a delivery also when it is off.
    pub(crate) fn start(
        self,
        clock: Arc<dyn Clock>,
        delivery: Option<(Sender, Delivery)>,
    ) -> io::Result<Option<Emf>> {
        let lines = match &self.to {
            EmfTo::Off if delivery.is_none() => return Ok(None),
            EmfTo::Off => Lines::Nowhere,
            EmfTo::Stdout => Lines::Stdout,
            EmfTo::File(path) => Lines::file(path)?,
        };
        let (sender, delivery) = delivery.unzip();
        let inbox = Arc::new(Inbox::new(self.queue));
        let in_flight = Arc::new(Gauge::new());
        let out = Out {
            lines,
            sender,
            in_flight: Arc::clone(&in_flight),
            in_flight_seen: Values::default(),
            flushed: clock.tick(),
            clock,
            flush: self.flush.0,
            combinations: self.combinations.max(1),
            groups: BTreeMap::new(),
            losses: Arc::clone(&inbox.losses),
            said: Once::default(),
        };
        let writer = Writer::spawn("emf", Arc::clone(&inbox), EVERY, out)?;
        Ok(Some(Emf { inbox, in_flight, writer, delivery }))
    }
}

impl Emf {
    /// Calls that are in no line.
    pub fn dropped(&self) -> u64 {
        self.inbox.losses.count()
    }

    /// Writes and delivers what has been counted; `false` when that took longer than `within`.
    pub fn close(&self, within: Duration) -> bool {
        self.writer.close(self.delivery.as_ref(), within)
    }

    /// Lines that could not be delivered, when they are.
    pub(crate) fn undelivered(&self) -> Option<Arc<Losses>> {
        self.delivery.as_ref().map(Delivery::losses)
    }

    pub(crate) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.inbox.losses)
    }
}

impl Sink for Emf {
    fn begun(&self) {
        self.in_flight.add(1);
    }

    fn settle(&self, outcome: &Arc<Outcome>) {
        self.in_flight.add(-1);
        self.inbox.put(outcome);
    }
}

/// Team, feature and model.
type Names = [Arc<str>; 3];

/// The writer's side.
struct Out {
    lines: Lines,
    sender: Option<Sender>,
    in_flight: Arc<Gauge>,
    /// Looked at every turn.
    in_flight_seen: Values,
    clock: Arc<dyn Clock>,
    flushed: Tick,
    flush: Duration,
    combinations: usize,
    groups: BTreeMap<Names, Group>,
    losses: Arc<Losses>,
    said: Once,
}

impl Work for Out {
    fn turn(&mut self, batch: &mut Vec<Arc<Outcome>>) {
        for outcome in batch.drain(..) {
            let names = self.names(&outcome);
            self.groups.entry(names).or_default().count(&outcome);
        }
        self.in_flight_seen.add(u64::try_from(self.in_flight.sum()).unwrap_or(0));
        if self.clock.tick().since(self.flushed) >= self.flush {
            self.write();
        }
    }

    fn close(&mut self) {
        self.write();
    }
}

impl Out {
    /// The names under which a call is counted. A model that no upstream was asked for is `other`:
    /// callers without a key could make up as many as they like.
    fn names(&self, outcome: &Outcome) -> Names {
        let call = &outcome.call;
        let of = |name: &str| -> Arc<str> { if name.is_empty() { "none".into() } else { name.into() } };
        let model = if outcome.attempts.is_empty() { "other" } else { &call.model };
        let names = [of(&call.team), of(&call.feature), of(model)];
        if self.groups.len() < self.combinations || self.groups.contains_key(&names) {
            return names;
        }
        ["other", "other", "other"].map(Arc::from)
    }

    fn write(&mut self) {
        self.flushed = self.clock.tick();
        let now = self.clock.now();
        let groups = std::mem::take(&mut self.groups);
        let mut text = Vec::new();
        let mut calls = 0;
        line::write_in_flight(&mut text, now, std::mem::take(&mut self.in_flight_seen));
        for (names, mut group) in groups {
            calls += group.calls;
            line::write(&mut text, now, &names, &mut group);
        }
        if let Some(sender) = &self.sender {
            text.split_inclusive(|b| *b == b'\n').for_each(|line| sender.put(now, line));
        }
        match self.lines.write(&text) {
            Ok(()) => self.said.well("EMF lines are written again"),
            Err(e) => {
                self.losses.add(calls);
                self.said.ill(&format!("EMF lines cannot be written and are dropped: {e}"));
            }
        }
    }
}
