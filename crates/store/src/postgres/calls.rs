//! Reads calls from PostgreSQL, and drops days.

use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{CallFilter, Calls, StoreError, Total};
use bedplate_core::record::Outcome;
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder};

use super::Postgres;
use super::partitions::days;
use crate::day::Day;
use crate::fault::within;
use crate::filter;
use crate::lease::Lease;
use crate::rows::{CALL_COLUMNS, StoredCall};
use crate::sums::{SUM_COLUMNS, UNIT_COLUMNS, join, select_sums};

#[async_trait]
impl Calls for Postgres {
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
        let mut dropped = 0;
        for day in within(self.deadline, self.days_before(before)).await? {
            dropped += u32::from(within(self.deadline, self.drop_day(day)).await?);
        }
        Ok(dropped)
    }
}

impl Postgres {
    /// The day in the id is asked first, then the nearest ones.
    async fn find(&self, id: CallId) -> Result<Option<Outcome>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let mut days = days(&mut lease).await?;
        let likely = Day::of(id.began());
        days.sort_by_key(|d| d.distance(likely));
        let mut found = None;
        for day in days {
            // the bounds let PostgreSQL leave out all other partitions
            let columns = readable(CALL_COLUMNS);
            let sql = format!(
                "SELECT {columns} FROM call WHERE admitted_at >= $1 AND admitted_at < $2 AND id = $3"
            );
            let read = sqlx::query_as::<_, StoredCall>(AssertSqlSafe(sql));
            let read = read.bind(day.start().0).bind(day.end().0).bind(id.0);
            if let Some(StoredCall(outcome)) = read.fetch_optional(&mut *lease).await? {
                found = Some(outcome);
                break;
            }
        }
        lease.keep();
        Ok(found)
    }

    /// Day by day from the newest, until there are enough.
    async fn newest(&self, filter: &CallFilter, limit: usize) -> Result<Vec<Outcome>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let mut out = Vec::new();
        for day in days(&mut lease).await?.into_iter().filter(|d| filter::covers(filter, *d)) {
            if out.len() >= limit {
                break;
            }
            let mut q = QueryBuilder::new(format!(
                "SELECT {} FROM call WHERE admitted_at >= ",
                readable(CALL_COLUMNS)
            ));
            q.push_bind(day.start().0).push(" AND admitted_at < ").push_bind(day.end().0);
            filter::push(&mut q, filter, i64::try_from(limit - out.len()).unwrap_or(i64::MAX));
            let found: Vec<StoredCall> = q.build_query_as().fetch_all(&mut *lease).await?;
            out.extend(found.into_iter().map(|c| c.0));
        }
        lease.keep();
        Ok(out)
    }

    async fn sums(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, sqlx::Error> {
        let (from, to) = (Day::of(since).number(), Day::of(Timestamp(until.0.saturating_sub(1))).number());
        let mut lease = Lease::of(&self.pool).await?;
        // both questions see one moment: no call's tokens without its units
        let mut tx = lease.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let sums = sqlx::query_as(AssertSqlSafe(select_sums(SUM_COLUMNS, "usage_day", "")));
        let sums = sums.bind(from).bind(to).fetch_all(&mut *tx).await?;
        let units = sqlx::query_as(AssertSqlSafe(select_sums(UNIT_COLUMNS, "usage_day_unit", ", unit")));
        let units = units.bind(from).bind(to).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        lease.keep();
        join(sums, units)
    }
}

/// JSON is read as text.
fn readable(columns: &str) -> String {
    columns.replace("detail, attempts", "detail::text AS detail, attempts::text AS attempts")
}
