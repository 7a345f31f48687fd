//! Writes batches into SQLite.

use std::collections::{BTreeMap, HashSet};

use bedplate_core::record::Outcome;
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder, SqliteConnection};
use uuid::Uuid;

use super::Sqlite;
use crate::day::Day;
use crate::lease::Lease;
use crate::rows::{ATTEMPT_COLUMNS, AttemptColumns, CALL_COLUMNS, CallColumns};
use crate::sums::{ADD_SUMS, ADD_UNITS, Line, SUM_COLUMNS, Sum, UNIT_COLUMNS, sums};

/// Rows in one statement. SQLite binds at most 32,766 values.
const CHUNK: usize = 100;
const DAY_SQL: &str = include_str!("../../migrations/sqlite/day.sql");

impl Sqlite {
    /// One transaction: calls that are not there yet, their attempts, and what they add to the sums.
    pub(super) async fn write(&self, batch: &[Outcome]) -> Result<(), sqlx::Error> {
        let mut days = BTreeMap::<Day, Vec<&Outcome>>::new();
        for outcome in batch {
            days.entry(Day::of(outcome.call.admitted_at)).or_default().push(outcome);
        }
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let mut new = Vec::with_capacity(batch.len());
        for (day, rows) in days {
            ensure(&mut tx, day).await?;
            let before = new.len();
            for chunk in rows.chunks(CHUNK) {
                let mut inserted = insert_calls(&mut tx, day, chunk).await?;
                // a call may stand twice in one batch: the first one counts
                new.extend(chunk.iter().filter(|o| inserted.remove(&o.call.id.0)));
            }
            insert_attempts(&mut tx, day, &new[before..]).await?;
        }
        add_sums(&mut tx, &sums(new.iter().map(|o| &o.call))).await?;
        tx.commit().await?;
        lease.keep();
        Ok(())
    }
}

async fn ensure(tx: &mut SqliteConnection, day: Day) -> Result<(), sqlx::Error> {
    let known = sqlx::query_scalar::<_, i64>("SELECT day FROM ledger_day WHERE day = $1").bind(day.number());
    if known.fetch_optional(&mut *tx).await?.is_some() {
        return Ok(());
    }
    let sql = DAY_SQL.replace("DAY", &day.number().to_string());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    sqlx::query("INSERT INTO ledger_day (day) VALUES ($1)").bind(day.number()).execute(tx).await?;
    Ok(())
}

async fn insert_calls(
    tx: &mut SqliteConnection,
    day: Day,
    chunk: &[&Outcome],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let rows: Vec<_> = chunk.iter().map(|o| CallColumns::of(&o.call)).collect::<Result<_, _>>()?;
    let mut q = QueryBuilder::new(format!("INSERT INTO call_{} ({CALL_COLUMNS}) ", day.number()));
    q.push_values(rows, |mut v, r| {
        v.push_bind(r.id)
            .push_bind(r.admitted_at)
            .push_bind(r.team)
            .push_bind(r.feature)
            .push_bind(r.environment)
            .push_bind(r.key_id)
            .push_bind(r.chain)
            .push_bind(r.code)
            .push_bind(r.ending)
            .push_bind(r.model)
            .push_bind(r.status)
            .push_bind(r.input)
            .push_bind(r.cache_read)
            .push_bind(r.cache_write_5m)
            .push_bind(r.cache_write_1h)
            .push_bind(r.output)
            .push_bind(r.reasoning)
            .push_bind(r.cost_nanos)
            .push_bind(r.cost_known)
            .push_bind(r.total_us)
            .push_bind(r.detail);
    });
    q.push(" ON CONFLICT (admitted_at, id) DO NOTHING RETURNING id");
    // only full chunks come again; the day's name makes even them new every day
    let keep = chunk.len() == CHUNK;
    let ids: Vec<Uuid> = q.build_query_scalar().persistent(keep).fetch_all(tx).await?;
    Ok(ids.into_iter().collect())
}

async fn insert_attempts(tx: &mut SqliteConnection, day: Day, calls: &[&Outcome]) -> Result<(), sqlx::Error> {
    let attempts = calls.iter().flat_map(|o| o.attempts.iter().map(|a| AttemptColumns::of(o.call.id.0, a)));
    let mut attempts = attempts.collect::<Result<Vec<_>, _>>()?;
    while !attempts.is_empty() {
        let rest = attempts.split_off(attempts.len().min(CHUNK));
        let keep = attempts.len() == CHUNK;
        let mut q = QueryBuilder::new(format!("INSERT INTO attempt_{} ({ATTEMPT_COLUMNS}) ", day.number()));
        q.push_values(attempts, |mut v, r| {
            v.push_bind(r.call_id)
                .push_bind(r.n)
                .push_bind(r.provider)
                .push_bind(r.region)
                .push_bind(r.target)
                .push_bind(r.status)
                .push_bind(r.code)
                .push_bind(r.upstream_request_id)
                .push_bind(r.input)
                .push_bind(r.cache_read)
                .push_bind(r.cache_write_5m)
                .push_bind(r.cache_write_1h)
                .push_bind(r.output)
                .push_bind(r.reasoning)
                .push_bind(r.price_version)
                .push_bind(r.cost_nanos)
                .push_bind(r.cost_known)
                .push_bind(r.total_us)
                .push_bind(r.detail);
        });
        q.build().persistent(keep).execute(&mut *tx).await?;
        attempts = rest;
    }
    Ok(())
}

async fn add_sums(tx: &mut SqliteConnection, sums: &BTreeMap<Line, Sum>) -> Result<(), sqlx::Error> {
    let lines: Vec<_> = sums.iter().collect();
    for chunk in lines.chunks(CHUNK) {
        let mut q = QueryBuilder::new(format!("INSERT INTO usage_day ({SUM_COLUMNS}) "));
        q.push_values(chunk, |mut v, (line, sum)| {
            v.push_bind(line.day)
                .push_bind(&line.team)
                .push_bind(&line.feature)
                .push_bind(&line.environment)
                .push_bind(&line.model)
                .push_bind(sum.calls)
                .push_bind(sum.refused)
                .push_bind(sum.input)
                .push_bind(sum.cache_read)
                .push_bind(sum.cache_write_5m)
                .push_bind(sum.cache_write_1h)
                .push_bind(sum.output)
                .push_bind(sum.reasoning)
                .push_bind(sum.cost_nanos)
                .push_bind(sum.unpriced);
        });
        q.push(ADD_SUMS);
        q.build().persistent(false).execute(&mut *tx).await?;
    }
    let units: Vec<_> = lines.iter().flat_map(|(l, s)| s.units.iter().map(move |u| (l, u))).collect();
    for chunk in units.chunks(CHUNK) {
        let mut q = QueryBuilder::new(format!("INSERT INTO usage_day_unit ({UNIT_COLUMNS}) "));
        q.push_values(chunk, |mut v, (line, (unit, quantity))| {
            v.push_bind(line.day)
                .push_bind(&line.team)
                .push_bind(&line.feature)
                .push_bind(&line.environment)
                .push_bind(&line.model)
                .push_bind(*unit)
                .push_bind(**quantity);
        });
        q.push(ADD_UNITS);
        q.build().persistent(false).execute(&mut *tx).await?;
    }
    Ok(())
}
