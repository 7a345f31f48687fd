//! Reads calls from SQLite, and drops days.

use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{CallFilter, Calls, StoreError, Total};
use bedplate_core::record::Outcome;
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder, SqliteConnection};

use super::Sqlite;
use crate::day::Day;
use crate::fault::within;
use crate::filter;
use crate::lease::Lease;
use crate::rows::{CALL_COLUMNS, StoredCall};
use crate::sums::{SUM_COLUMNS, UNIT_COLUMNS, join, select_sums};

#[async_trait]
impl Calls for Sqlite {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        within(self.deadline, self.write(batch)).await
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        within(self.deadline, self.find(id)).await
    }

    async fn recent(&self, filter: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        within(self.deadline, self.newest(filter, limit as usize)).await
    }

    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError> {
        within(self.deadline, self.sums(since, until)).await
    }

    async fn retain(&self, before: Timestamp) -> Result<u32, StoreError> {
        let old: Vec<Day> = within(self.deadline, self.days_before(before)).await?;
        for day in &old {
            // a day at a time, so that rows can be written in between
            within(10 * self.deadline, self.drop_day(*day)).await?;
        }
        Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
    }
}

impl Sqlite {
    /// Rows lie by time, and the id tells the time.
    async fn find(&self, id: CallId) -> Result<Option<Outcome>, sqlx::Error> {
        let mut tx = self.readers.begin().await?;
        let (from, to) = filter::around(id);
        for day in days(&mut tx).await?.into_iter().filter(|d| d.end() > from && d.start() <= to) {
            let sql = format!(
                "SELECT {CALL_COLUMNS} FROM call_{} WHERE admitted_at BETWEEN $1 AND $2 AND id = $3",
                day.number()
            );
            let found =
                sqlx::query_as::<_, StoredCall>(AssertSqlSafe(sql)).bind(from.0).bind(to.0).bind(id.0);
            if let Some(StoredCall(outcome)) = found.fetch_optional(&mut *tx).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    /// Day by day from the newest, until there are enough.
    async fn newest(&self, filter: &CallFilter, limit: usize) -> Result<Vec<Outcome>, sqlx::Error> {
        // one transaction: a day that is dropped meanwhile stays readable
        let mut tx = self.readers.begin().await?;
        let mut out = Vec::new();
        for day in days(&mut tx).await?.into_iter().filter(|d| filter::covers(filter, *d)) {
            if out.len() >= limit {
                break;
            }
            let head = format!("SELECT {CALL_COLUMNS} FROM call_{} WHERE TRUE", day.number());
            let mut q = QueryBuilder::new(head);
            filter::push(&mut q, filter, i64::try_from(limit - out.len()).unwrap_or(i64::MAX));
            let found: Vec<StoredCall> = q.build_query_as().persistent(false).fetch_all(&mut *tx).await?;
            out.extend(found.into_iter().map(|c| c.0));
        }
        Ok(out)
    }

    async fn sums(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, sqlx::Error> {
        let (from, to) = (Day::of(since).number(), Day::of(Timestamp(until.0.saturating_sub(1))).number());
        let mut tx = self.readers.begin().await?;
        let sql = AssertSqlSafe(select_sums(SUM_COLUMNS, "usage_day", ""));
        let sums = sqlx::query_as(sql).bind(from).bind(to).fetch_all(&mut *tx).await?;
        let sql = AssertSqlSafe(select_sums(UNIT_COLUMNS, "usage_day_unit", ", unit"));
        let units = sqlx::query_as(sql).bind(from).bind(to).fetch_all(&mut *tx).await?;
        join(sums, units)
    }

    async fn days_before(&self, before: Timestamp) -> Result<Vec<Day>, sqlx::Error> {
        let mut conn = self.readers.acquire().await?;
        let mut days = days(&mut conn).await?;
        days.retain(|d| d.end() <= before);
        Ok(days)
    }

    async fn drop_day(&self, day: Day) -> Result<(), sqlx::Error> {
        let n = day.number();
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let sql = format!("DROP VIEW IF EXISTS attempt_{n}; DROP TABLE IF EXISTS call_{n};");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM ledger_day WHERE day = $1").bind(n).execute(&mut *tx).await?;
        tx.commit().await?;
        lease.keep();
        Ok(())
    }
}

/// Days that have tables, newest first.
pub(super) async fn days(conn: &mut SqliteConnection) -> Result<Vec<Day>, sqlx::Error> {
    let numbers: Vec<i64> =
        sqlx::query_scalar("SELECT day FROM ledger_day ORDER BY day DESC").fetch_all(conn).await?;
    Ok(numbers.into_iter().filter_map(Day::from_number).collect())
}
