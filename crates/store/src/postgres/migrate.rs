//! Brings a PostgreSQL database's schema up to date.

use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::StoreError;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Postgres;
use crate::fault::meaning;
use crate::lease::Lease;
use crate::migrate::{APPLIED, Applied, HISTORY, Migration, REMEMBER, missing};

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "ledger", sql: include_str!("../../migrations/postgres/0001_ledger.sql") },
    Migration {
        version: 2,
        name: "budgets",
        sql: include_str!("../../migrations/postgres/0002_budgets.sql"),
    },
    Migration { version: 3, name: "claims", sql: include_str!("../../migrations/postgres/0003_claims.sql") },
];

/// How long another node that migrates is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of all the programs that share the server: `bedplate` in ASCII.
pub(super) const LOCK: i64 = 0x6265_6470_6c61_7465;

impl Postgres {
    /// In one transaction under an advisory lock, which ends with the transaction however it ends: of
    /// two nodes one waits.
    pub(super) async fn migrate(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        let work = async {
            let mut lease = Lease::of(&self.pool).await.map_err(|e| meaning(&e))?;
            migrate_all(&mut lease, clock).await?;
            lease.keep();
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable("another node has been migrating for 60 s".into())),
        }
    }
}

async fn migrate_all(conn: &mut PgConnection, clock: &dyn Clock) -> Result<(), StoreError> {
    let failed = |e: sqlx::Error| meaning(&e);
    let mut tx = conn.begin().await.map_err(failed)?;
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *tx).await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await.map_err(failed)?;
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
    tx.commit().await.map_err(failed)
}
