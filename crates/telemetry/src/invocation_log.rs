//! The invocation log: Bedrock's own `ModelInvocationLog` records, one for each upstream request, in
//! Bedrock's own S3 key layout under a folder, so that every query, crawler and dashboard made for
//! Bedrock's logs reads them.
//!
//! ```text
//! FOLDER/AWSLogs/ACCOUNT/BedrockModelInvocationLogs/REGION/YYYY/MM/DD/HH/STAMP_ID.json.gz
//! FOLDER/.open/ACCOUNT_REGION_STAMP_ID.part        the file being written
//! ```
//!
//! A file is closed and moved to its place every 60 seconds and when bedplate drains. Meanwhile it
//! grows by one whole gzip member a second: of a process that is killed only the last second is
//! missing, and the next start moves what is whole to its place.
//!
//! When the folder is gone or the disk is full, calls go on: records are dropped, counted, and the
//! trouble is logged once. The folder itself is made at the start only: making it again later could
//! fill the disk beneath a mount that is missing.

mod file;
mod record;
mod salvage;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::file::{Growing, Place};
use self::record::Record;
use crate::inbox::{Inbox, Losses};
use crate::once::Once;
use crate::writer::{Work, Writer};

/// `[log.invocation]`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvocationLogConfig {
    /// The folder that stands for the S3 bucket and prefix. Without one there is no invocation log.
    pub folder: Option<PathBuf>,
    /// Whether bodies are logged.
    pub content: LoggedContent,
}

/// What of the bodies is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoggedContent {
    /// Nothing. Until there is redaction this is all that can be asked for.
    #[default]
    Off,
}

const EVERY: Duration = Duration::from_secs(1);
/// How long a file grows.
const CLOSED_AFTER: Duration = Duration::from_secs(60);

/// Writes one record for each upstream request that invoked a model.
pub struct InvocationLog {
    inbox: Arc<Inbox>,
    writer: Writer,
}

impl InvocationLogConfig {
    /// `None` when no folder is configured. `queue` is how many calls may wait to be written.
    ///
    /// # Errors
    /// When the folder or the thread cannot be made.
    pub fn build(
        self,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        queue: usize,
    ) -> io::Result<Option<InvocationLog>> {
        let Some(folder) = self.folder else { return Ok(None) };
        let LoggedContent::Off = self.content;
        std::fs::create_dir_all(&folder)?;
        let inbox = Arc::new(Inbox::new(queue));
        let out = Out {
            folder,
            clock,
            ids,
            growing: BTreeMap::new(),
            losses: Arc::clone(&inbox.losses),
            said: Once::default(),
            salvaged: false,
        };
        let writer = Writer::spawn("invocation-log", Arc::clone(&inbox), EVERY, out)?;
        Ok(Some(InvocationLog { inbox, writer }))
    }
}

impl InvocationLog {
    /// Records that were not written, and calls that found no room.
    pub fn dropped(&self) -> u64 {
        self.inbox.losses.count()
    }

    /// Writes what waits and moves every file to its place; `false` when that took longer than `within`.
    pub fn close(&self, within: Duration) -> bool {
        self.writer.close(None, within)
    }

    pub(crate) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.inbox.losses)
    }
}

impl Sink for InvocationLog {
    fn settle(&self, outcome: &Arc<Outcome>) {
        if outcome.attempts.is_empty() || !record::invokes(outcome) {
            return;
        }
        self.inbox.put(outcome);
    }
}

/// The writer's side.
struct Out {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// One file for each account and region.
    growing: BTreeMap<(Arc<str>, Arc<str>), Growing>,
    losses: Arc<Losses>,
    said: Once,
    salvaged: bool,
}

impl Work for Out {
    fn turn(&mut self, batch: &mut Vec<Arc<Outcome>>) {
        if !std::mem::replace(&mut self.salvaged, true) {
            salvage::salvage(&self.folder);
        }
        let mut lines: BTreeMap<(Arc<str>, Arc<str>), Member> = BTreeMap::new();
        for outcome in batch.drain(..) {
            for attempt in &outcome.attempts {
                let whose = (Arc::clone(&attempt.account), Arc::clone(&attempt.region));
                lines.entry(whose).or_default().push(&Record::of(&outcome.call, attempt));
            }
        }
        for (whose, member) in lines {
            if let Err(e) = self.write(&whose, &member) {
                self.losses.add(member.records);
                self.trouble(&e);
            } else {
                self.said.well("the invocation log is written again");
            }
        }
        let now = self.clock.tick();
        let old: Vec<_> = self
            .growing
            .iter()
            .filter(|(_, g)| now.since(g.began) >= CLOSED_AFTER)
            .map(|(w, _)| w.clone())
            .collect();
        old.into_iter().for_each(|whose| self.finish(&whose));
    }

    fn close(&mut self) {
        let all: Vec<_> = self.growing.keys().cloned().collect();
        all.into_iter().for_each(|whose| self.finish(&whose));
    }
}

impl Out {
    fn write(&mut self, whose: &(Arc<str>, Arc<str>), member: &Member) -> io::Result<()> {
        if self.growing.get(whose).is_some_and(|g| !g.is_there()) {
            self.forget(whose);
        }
        if !self.growing.contains_key(whose) {
            let place = Place::new(&whose.0, &whose.1, self.clock.now(), &*self.ids);
            let growing = Growing::open(&self.folder, place, self.clock.tick())?;
            self.growing.insert(whose.clone(), growing);
        }
        match self.growing.get_mut(whose) {
            Some(growing) => growing.add(&member.text, member.records),
            None => Ok(()),
        }
    }

    /// Moves a file to its place. One that cannot be moved goes on growing and is tried again.
    fn finish(&mut self, whose: &(Arc<str>, Arc<str>)) {
        let Some(growing) = self.growing.get(whose) else { return };
        if !growing.is_there() {
            return self.forget(whose);
        }
        match growing.finish(&self.folder) {
            Ok(()) => drop(self.growing.remove(whose)),
            Err(e) => self.trouble(&e),
        }
    }

    /// Somebody removed the file, and what was in it.
    fn forget(&mut self, whose: &(Arc<str>, Arc<str>)) {
        if let Some(gone) = self.growing.remove(whose) {
            self.losses.add(gone.records);
            self.trouble(&io::Error::other("the file being written has been removed"));
        }
    }

    fn trouble(&mut self, e: &io::Error) {
        let folder = self.folder.display();
        self.said
            .ill(&format!("the invocation log in `{folder}` cannot be written, records are dropped: {e}"));
    }
}

/// What becomes one gzip member.
#[derive(Default)]
struct Member {
    text: Vec<u8>,
    records: u64,
}

impl Member {
    fn push(&mut self, record: &Record<'_>) {
        // numbers and text into memory: this does not fail
        let _ = serde_json::to_writer(&mut self.text, record);
        self.text.push(b'\n');
        self.records += 1;
    }
}
