//! Brings an SQLite file's schema up to date.

use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::StoreError;
use sqlx::{AssertSqlSafe, Connection as _};

use super::Sqlite;
use crate::fault::meaning;
use crate::lease::Lease;
use crate::migrate::{APPLIED, Applied, HISTORY, Migration, REMEMBER, missing};

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "ledger", sql: include_str!("../../migrations/sqlite/0001_ledger.sql") },
    Migration { version: 2, name: "budgets", sql: include_str!("../../migrations/sqlite/0002_budgets.sql") },
    Migration { version: 3, name: "claims", sql: include_str!("../../migrations/sqlite/0003_claims.sql") },
];

/// How long another process that migrates is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Sqlite {
    /// In one transaction, which takes the right to write first: of two processes one waits.
    pub(super) async fn migrate(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        match tokio::time::timeout(PATIENCE, self.migrate_all(clock)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable("another process has been migrating for 60 s".into())),
        }
    }

    async fn migrate_all(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        let failed = |e: sqlx::Error| meaning(&e);
        let mut lease = Lease::of(&self.writer).await.map_err(failed)?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query(HISTORY).execute(&mut *tx).await.map_err(failed)?;
        let rows: Vec<(i64, String, String, i64)> =
            sqlx::query_as(APPLIED).fetch_all(&mut *tx).await.map_err(failed)?;
        let applied: Vec<Applied> = rows.into_iter().map(Applied::from).collect();
        for migration in missing(MIGRATIONS, &applied)? {
            sqlx::raw_sql(AssertSqlSafe(migration.sql)).execute(&mut *tx).await.map_err(failed)?;
            let remember = sqlx::query(REMEMBER)
                .bind(migration.version)
                .bind(migration.name)
                .bind(migration.checksum())
                .bind(migration.oldest())
                .bind(clock.now().0);
            remember.execute(&mut *tx).await.map_err(failed)?;
            tracing::info!(version = migration.version, name = migration.name, "migrated the ledger");
        }
        tx.commit().await.map_err(failed)?;
        lease.keep();
        Ok(())
    }
}
