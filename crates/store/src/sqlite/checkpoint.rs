//! Moves what was written from the log (`-wal`) into the file, on a connection of its own. The writer's own checkpoint
//! would make a batch, and all calls that wait for their place, wait for the disk: 15 to 150 ms where that was measured.

use std::sync::atomic::{AtomicU64, Ordering};

use bedplate_core::ports::StoreError;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::fault::meaning;

/// Pages in the log at which the writer does it itself after all: 256 MiB, when nobody calls
/// [`Checkpoints::tend`] or it does not keep up.
pub(super) const BACKSTOP: &str = "16384";
/// Rows after which it is worth while: a few MiB.
const ROWS: u64 = 4_000;

pub(super) struct Checkpoints {
    pool: SqlitePool,
    /// Written since the last one.
    rows: AtomicU64,
}

impl Checkpoints {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        Self { pool, rows: AtomicU64::new(0) }
    }

    pub(super) fn wrote(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Does it when it is due. Neither readers nor the writer wait for it.
    pub(super) async fn tend(&self) -> Result<(), StoreError> {
        let rows = self.rows.load(Ordering::Relaxed);
        if rows < ROWS {
            return Ok(());
        }
        let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.pool).await;
        done.map_err(|e| meaning(&e))?;
        self.rows.fetch_sub(rows, Ordering::Relaxed);
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
