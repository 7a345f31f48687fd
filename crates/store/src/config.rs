//! `[store]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::{Calls, Ledger, StoreError};
use bedplate_core::setting::{SecretRef, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::runtime::Handle;

use crate::Journal;
use crate::hot::HotConfig;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;

/// Where records are kept, and for how long.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `{ sqlite = "FILE" }`, relative to the project, or `{ postgres = { env = "DATABASE_URL" } }`.
    pub ledger: LedgerConfig,
    /// `"memory"`, or `{ redis = { env = "REDIS_URL" } }`: where kept answers are. May be lost at any time.
    pub hot: HotConfig,
    /// How long single calls are kept, in whole days, at least one. Sums by day are kept for ever.
    #[serde(deserialize_with = "retention")]
    pub retention: Span,
    /// How long a settled call may wait in memory before it is written: 1ms to 100ms. This is what a
    /// killed process can lose.
    #[serde(deserialize_with = "flush")]
    pub flush: Span,
    /// How many calls may be in flight or waiting to be written. When that many are, admission waits.
    #[serde(deserialize_with = "queue")]
    pub queue: u32,
    /// SQLite only: force every batch to the disk. Without it a crash of the process loses nothing
    /// that was written, but a loss of power may lose the last seconds.
    pub fsync: bool,
    /// How long one question to the database may take.
    #[serde(deserialize_with = "deadline")]
    pub deadline: Span,
    /// The most connections to PostgreSQL, and the most readers of an SQLite file.
    #[serde(deserialize_with = "connections")]
    pub connections: u32,
}

/// Which database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LedgerConfig {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL, `postgres://user:password@host:5432/database?sslmode=verify-full`.
    Postgres(SecretRef),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ledger: LedgerConfig::Sqlite(".bedplate/bedplate.db".into()),
            hot: HotConfig::Memory,
            retention: Span(Duration::from_secs(400 * 86_400)),
            flush: Span::millis(50),
            queue: 65_536,
            fsync: false,
            deadline: Span::secs(5),
            connections: 8,
        }
    }
}

impl Config {
    /// Opens the ledger and brings its schema up to date.
    ///
    /// PostgreSQL connections belong to the runtime that runs this: run it, and the [`Journal`], on
    /// one that lives as long as the ledger.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be reached or its URL cannot be read;
    /// [`StoreError::Corrupt`] when its schema is not one that this version may use.
    pub async fn open(&self, project: &Path, clock: Arc<dyn Clock>) -> Result<Arc<dyn Ledger>, StoreError> {
        Ok(match &self.ledger {
            LedgerConfig::Sqlite(file) => Arc::new(Sqlite::open(self, file, project, &*clock).await?),
            LedgerConfig::Postgres(url) => Arc::new(Postgres::open(self, url, &*clock).await?),
        })
    }

    /// Starts the batched writer of `calls` on `runtime`, which must not be one that serves calls.
    pub fn journal(&self, calls: Arc<dyn Calls>, clock: Arc<dyn Clock>, runtime: &Handle) -> Journal {
        Journal::start(calls, self.queue, self.flush.0, clock, runtime)
    }

    /// Drops days of calls that are older than `retention`, at once and then every hour; never ends.
    /// Run it beside the journal. Many nodes may run it: each day is dropped by one of them.
    pub async fn sweep(&self, calls: Arc<dyn Calls>, clock: Arc<dyn Clock>) {
        crate::sweep::sweep(&*calls, self.retention.0, &*clock).await;
    }
}

const DAY: Duration = Duration::from_secs(86_400);

fn within<'de, D: Deserializer<'de>>(d: D, what: &str, least: Span, most: Span) -> Result<Span, D::Error> {
    let span = Span::deserialize(d)?;
    if (least..=most).contains(&span) {
        return Ok(span);
    }
    Err(serde::de::Error::custom(format!("{what} must be from {least} to {most}, not `{span}`")))
}

fn retention<'de, D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
    within(d, "retention", Span(DAY), Span(36_500 * DAY))
}

fn flush<'de, D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
    within(d, "flush", Span::millis(1), Span::millis(100))
}

fn deadline<'de, D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
    within(d, "deadline", Span::millis(100), Span::secs(60))
}

fn queue<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    count(d, "queue", 16, 10_000_000)
}

fn connections<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    count(d, "connections", 2, 1_000)
}

fn count<'de, D: Deserializer<'de>>(d: D, what: &str, least: u32, most: u32) -> Result<u32, D::Error> {
    let n = u32::deserialize(d)?;
    if (least..=most).contains(&n) {
        return Ok(n);
    }
    Err(serde::de::Error::custom(format!("{what} must be from {least} to {most}, not `{n}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn nothing_said_means_a_file_in_the_project() {
        assert_eq!(read("{}").unwrap(), Config::default());
    }

    #[test]
    fn both_ledgers_are_read() {
        let c = read(r#"{"ledger":{"sqlite":"a.db"},"flush":"20ms"}"#).unwrap();
        assert_eq!(c.ledger, LedgerConfig::Sqlite("a.db".into()));
        assert_eq!(c.flush, Span::millis(20));
        let c = read(r#"{"ledger":{"postgres":{"env":"DATABASE_URL"}}}"#).unwrap();
        assert_eq!(c.ledger, LedgerConfig::Postgres(SecretRef::Env("DATABASE_URL".into())));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let said = |json: &str| read(json).unwrap_err().to_string();
        assert!(said(r#"{"flush":"101ms"}"#).contains("flush must be from 1ms to 100ms, not `101ms`"));
        assert!(said(r#"{"retention":"1h"}"#).contains("retention must be from 1d"));
        assert!(said(r#"{"queue":0}"#).contains("queue must be from 16"));
        assert!(said(r#"{"ledgr":{}}"#).contains("unknown field `ledgr`"));
    }
}
