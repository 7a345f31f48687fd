//! Days as partitions: made when the first row comes, dropped whole.

use bedplate_core::clock::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Postgres;
use super::migrate::LOCK;
use crate::day::Day;
use crate::lease::Lease;

const DAY_SQL: &str = include_str!("../../migrations/postgres/day.sql");

impl Postgres {
    /// Makes the partitions of `day` unless they are there. Nodes take turns under an advisory lock,
    /// so that the second finds what the first has made.
    pub(super) async fn ensure(&self, conn: &mut PgConnection, day: Day) -> Result<(), sqlx::Error> {
        if self.days.lock().contains(&day) {
            return Ok(());
        }
        if !exists(conn, day).await? {
            let mut tx = conn.begin().await?;
            lock(&mut tx).await?;
            if !exists(&mut tx, day).await? {
                make(&mut tx, day).await?;
            }
            tx.commit().await?;
        }
        self.days.lock().insert(day);
        Ok(())
    }

    /// Forgets which days have partitions: another node may have dropped one.
    pub(super) fn forget_days(&self) {
        self.days.lock().clear();
    }

    pub(super) async fn days_before(&self, before: Timestamp) -> Result<Vec<Day>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let mut days = days(&mut lease).await?;
        lease.keep();
        days.retain(|d| d.end() <= before);
        Ok(days)
    }

    /// Drops the partitions of `day`; `false` when another node was faster. Dropping needs the
    /// parents for a moment: when a long question holds them it gives up, to be tried again, so that
    /// rows need not queue behind it.
    pub(super) async fn drop_day(&self, day: Day) -> Result<bool, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let mut tx = lease.begin().await?;
        sqlx::query("SET LOCAL lock_timeout = '1s'").execute(&mut *tx).await?;
        lock(&mut tx).await?;
        let n = day.number();
        let gone = sqlx::query("DELETE FROM ledger_day WHERE day = $1").bind(n).execute(&mut *tx).await?;
        let sql = format!("DROP TABLE IF EXISTS call_{n};");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        tx.commit().await?;
        lease.keep();
        self.days.lock().remove(&day);
        Ok(gone.rows_affected() > 0)
    }
}

/// Days that have partitions, newest first.
pub(super) async fn days(conn: &mut PgConnection) -> Result<Vec<Day>, sqlx::Error> {
    let numbers: Vec<i64> =
        sqlx::query_scalar("SELECT day FROM ledger_day ORDER BY day DESC").fetch_all(conn).await?;
    Ok(numbers.into_iter().filter_map(Day::from_number).collect())
}

async fn exists(conn: &mut PgConnection, day: Day) -> Result<bool, sqlx::Error> {
    let read = sqlx::query_scalar::<_, i64>("SELECT day FROM ledger_day WHERE day = $1").bind(day.number());
    Ok(read.fetch_optional(conn).await?.is_some())
}

async fn lock(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK + 1).execute(tx).await.map(drop)
}

async fn make(tx: &mut PgConnection, day: Day) -> Result<(), sqlx::Error> {
    let sql = DAY_SQL
        .replace("FROM_US", &day.start().0.to_string())
        .replace("TO_US", &day.end().0.to_string())
        .replace("DAY", &day.number().to_string());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    sqlx::query("INSERT INTO ledger_day (day) VALUES ($1)").bind(day.number()).execute(tx).await?;
    Ok(())
}
