//! The call log: one JSON line for each call, never content. Fields: `docs/reference/call-log.md`.

mod line;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::line::Line;

use crate::cloudwatch::{Delivery, Sender};
use crate::inbox::{Inbox, Losses};
use crate::lines::Lines;
use crate::once::Once;
use crate::writer::{Work, Writer};

/// Where the call log goes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Calls {
    Off,
    #[default]
    Stderr,
    /// A file that lines are added to. It may be renamed away: the next line makes a new one.
    File(PathBuf),
}

const EVERY: Duration = Duration::from_millis(100);

/// Writes one line for each settled call, ten times a second.
pub struct CallLog {
    inbox: Arc<Inbox>,
    writer: Writer,
    delivery: Option<Delivery>,
}

impl CallLog {
    /// `None` when the call log is off. `queue` is how many calls may wait to be written.
    ///
    /// # Errors
    /// When the file or the thread cannot be made.
    pub fn build(calls: &Calls, queue: usize) -> io::Result<Option<Self>> {
        Self::start(calls, queue, None)
    }

    /// As [`Self::build`]; with a delivery also when the log is off.
    pub(crate) fn start(
        calls: &Calls,
        queue: usize,
        delivery: Option<(Sender, Delivery)>,
    ) -> io::Result<Option<Self>> {
        let lines = match calls {
            Calls::Off if delivery.is_none() => return Ok(None),
            Calls::Off => Lines::Nowhere,
            Calls::Stderr => Lines::Stderr,
            Calls::File(path) => Lines::file(path)?,
        };
        let inbox = Arc::new(Inbox::new(queue));
        let (sender, delivery) = delivery.unzip();
        let out = Out { lines, sender, text: Vec::new(), inbox: Arc::clone(&inbox), said: Once::default() };
        let writer = Writer::spawn("call-log", Arc::clone(&inbox), EVERY, out)?;
        Ok(Some(Self { inbox, writer, delivery }))
    }

    /// Lines that were not written.
    pub fn dropped(&self) -> u64 {
        self.inbox.losses.count()
    }

    /// Writes and delivers what waits; `false` when that took longer than `within`.
    pub fn close(&self, within: Duration) -> bool {
        self.writer.close(self.delivery.as_ref(), within)
    }

    pub(crate) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.inbox.losses)
    }

    /// Lines that could not be delivered, when they are.
    pub(crate) fn undelivered(&self) -> Option<Arc<Losses>> {
        self.delivery.as_ref().map(Delivery::losses)
    }
}

impl Sink for CallLog {
    fn settle(&self, outcome: &Arc<Outcome>) {
        self.inbox.put(outcome);
    }
}

/// The writer's side.
struct Out {
    lines: Lines,
    sender: Option<Sender>,
    text: Vec<u8>,
    inbox: Arc<Inbox>,
    said: Once,
}

/// When a call ended: the time of its line.
fn ended(outcome: &Outcome) -> Timestamp {
    outcome.call.admitted_at.plus(Duration::from_micros(outcome.call.timings.total))
}

impl Work for Out {
    fn turn(&mut self, batch: &mut Vec<Arc<Outcome>>) {
        if batch.is_empty() {
            return;
        }
        self.text.clear();
        let n = batch.len() as u64;
        for outcome in batch.drain(..) {
            let start = self.text.len();
            // numbers and text into memory: this does not fail
            let _ = serde_json::to_writer(&mut self.text, &Line::of(&outcome));
            self.text.push(b'\n');
            if let Some(sender) = &self.sender {
                sender.put(ended(&outcome), &self.text[start..]);
            }
        }
        match self.lines.write(&self.text) {
            Ok(()) => self.said.well("the call log is written again"),
            Err(e) => {
                self.inbox.losses.add(n);
                self.said.ill(&format!("the call log cannot be written, lines are dropped: {e}"));
            }
        }
        // a burst's memory is not kept for ever
        self.text.shrink_to(1 << 20);
    }

    fn close(&mut self) {}
}
