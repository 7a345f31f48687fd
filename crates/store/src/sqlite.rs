//! The ledger in an SQLite file: WAL, one connection that writes, a few that read.

mod append;
mod budgets;
mod calls;
mod checkpoint;
mod keys;
mod migrate;
mod slices;
mod spend;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Ledger, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};

use self::checkpoint::{BACKSTOP, Checkpoints};
use crate::Config;
use crate::claims;
use crate::fault::within;
use crate::lease::Lease;

/// Versions before it can lose a commit in WAL mode under a rare race of two checkpoints.
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Bytes in a page of a new file. Of a row SQLite keeps a quarter page in its tree and puts the rest on
/// pages of its own, which makes long rows three times as dear: a call with its attempts must fit.
const PAGE: u32 = 16_384;

pub(crate) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    checkpoints: Checkpoints,
    deadline: Duration,
    /// As it was configured, for people.
    name: PathBuf,
}

impl Sqlite {
    /// Opens the file `name`, relative to `project`, and brings its schema up to date.
    pub(crate) async fn open(
        config: &Config,
        name: &Path,
        project: &Path,
        clock: &dyn Clock,
    ) -> Result<Self, StoreError> {
        let deadline = config.deadline.0;
        let file = project.join(name);
        prepare(&file).map_err(|e| StoreError::Unavailable(format!("`{}`: {e}", file.display())))?;
        let synchronous = if config.fsync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .page_size(PAGE)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(deadline)
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", BACKSTOP)
            // the statement of a batch is many pages long
            .disable_statement_logging();
        let pool = |n| SqlitePoolOptions::new().max_connections(n).acquire_timeout(deadline);
        let writer = pool(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(options.clone());
        let checkpoints = Checkpoints::new(options.clone());
        let readers = pool(config.connections.min(16)).connect_lazy_with(options.read_only(true));
        let ledger = Self { writer, readers, checkpoints, deadline, name: name.to_owned() };
        within(deadline, ledger.check_version()).await??;
        ledger.migrate(clock).await?;
        Ok(ledger)
    }

    async fn check_version(&self) -> Result<Result<(), StoreError>, sqlx::Error> {
        let said: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.writer).await?;
        let mut parts = said.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        if (next(), next(), next()) >= OLDEST {
            return Ok(Ok(()));
        }
        Ok(Err(StoreError::Unavailable(format!("SQLite {said} is too old: 3.51.3 or later is needed"))))
    }
}

/// Makes the folder and the file, for their owner alone: the ledger holds sealed secrets and who
/// called what. SQLite gives its other files the same rights.
fn prepare(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty() && !f.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file).map(drop)
}

#[async_trait]
impl Ledger for Sqlite {
    async fn ping(&self) -> Result<(), StoreError> {
        let read = sqlx::query_scalar::<_, i64>("SELECT value FROM change_counter").fetch_one(&self.readers);
        within(self.deadline, read).await.map(drop)
    }

    async fn schema_version(&self) -> Result<i64, StoreError> {
        let read = sqlx::query_scalar("SELECT MAX(version) FROM bedplate_schema").fetch_one(&self.readers);
        within(self.deadline, read).await
    }

    async fn claim(&self, key: &str, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        within(self.deadline, async {
            let mut lease = Lease::of(&self.writer).await?;
            sqlx::query(claims::FORGET)
                .bind(now.0.saturating_sub(claims::STANDS))
                .execute(&mut *lease)
                .await?;
            let claim = sqlx::query_scalar::<_, String>(claims::CLAIM).bind(key).bind(owner).bind(now.0);
            let first = claim.fetch_one(&mut *lease).await?;
            lease.keep();
            Ok(first == owner)
        })
        .await
    }

    async fn tend(&self) -> Result<(), StoreError> {
        self.checkpoints.tend().await
    }

    fn describe(&self) -> String {
        format!("sqlite {}", self.name.display())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.checkpoints.close().await;
        self.writer.close().await;
    }
}
