//! Writes batches into SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::record::Outcome;
use sqlx::{Arguments as _, sqlite::SqliteArguments};
use sqlx::{AssertSqlSafe, Connection as _, Encode, QueryBuilder, SqliteConnection, Type};

use super::Sqlite;
use super::slices::add_charges;
use crate::day::Day;
use crate::lease::Lease;
use crate::rows::{CALL_COLUMNS, CallColumns};
use crate::slices::charges;
use crate::sums::{ADD_SUMS, ADD_UNITS, Line, SUM_COLUMNS, Sum, UNIT_COLUMNS, sums};

/// Rows in one statement. SQLite binds at most 32,766 values.
pub(super) const CHUNK: usize = 100;
const DAY_SQL: &str = include_str!("../../migrations/sqlite/day.sql");

impl Sqlite {
    /// One transaction: calls that are not there yet, and what they add to the sums and to slices.
    pub(super) async fn write(&self, batch: &[Arc<Outcome>]) -> Result<(), sqlx::Error> {
        if self.write_in(CHUNK, batch).await? {
            return Ok(());
        }
        // some are there already: a statement for each row tells which
        self.write_in(1, batch).await.map(drop)
    }

    /// Writes `chunk` rows with each statement. `false`, and nothing written, when some rows of a chunk
    /// are there already: SQLite counts the new ones, and to name them would cost more than to write them.
    async fn write_in(&self, chunk: usize, batch: &[Arc<Outcome>]) -> Result<bool, sqlx::Error> {
        let mut days = BTreeMap::<Day, Vec<&Outcome>>::new();
        for outcome in batch {
            days.entry(Day::of(outcome.call.admitted_at)).or_default().push(outcome);
        }
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let mut new = Vec::with_capacity(batch.len());
        for (day, rows) in days {
            ensure(&mut tx, day).await?;
            for rows in rows.chunks(chunk) {
                match insert_calls(&mut tx, day, rows).await? {
                    0 => {}
                    n if n == rows.len() as u64 => new.extend_from_slice(rows),
                    _ => {
                        tx.rollback().await?;
                        lease.keep();
                        return Ok(false);
                    }
                }
            }
        }
        add_sums(&mut tx, &sums(new.iter().map(|o| &o.call))).await?;
        add_charges(&mut tx, &charges(new.iter().map(|o| &o.call))).await?;
        tx.commit().await?;
        lease.keep();
        self.checkpoints.wrote(new.len());
        Ok(true)
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

/// Gives how many of the calls were not there yet.
async fn insert_calls(tx: &mut SqliteConnection, day: Day, calls: &[&Outcome]) -> Result<u64, sqlx::Error> {
    let mut values = Values::of(CALL_COLUMNS, calls.len());
    for outcome in calls {
        let r = CallColumns::of(outcome)?;
        values
            .add(r.id)?
            .add(r.admitted_at)?
            .add(r.team)?
            .add(r.feature)?
            .add(r.environment)?
            .add(r.key_id)?
            .add(r.chain)?
            .add(r.code)?
            .add(r.ending)?
            .add(r.model)?
            .add(r.status)?
            .add(r.input)?
            .add(r.cache_read)?
            .add(r.cache_write_5m)?
            .add(r.cache_write_1h)?
            .add(r.output)?
            .add(r.reasoning)?
            .add(r.cost_nanos)?
            .add(r.cost_known)?
            .add(r.total_us)?
            .add(r.detail)?
            .add(r.attempts)?;
    }
    values.insert(tx, &format!("call_{}", day.number()), "ON CONFLICT (admitted_at, id) DO NOTHING").await
}

/// Rows on their way into a table. `QueryBuilder` would write the text of every place anew, and that
/// costs as much as SQLite itself takes for the row.
struct Values {
    columns: &'static str,
    width: usize,
    rows: usize,
    arguments: SqliteArguments,
}

impl Values {
    fn of(columns: &'static str, rows: usize) -> Self {
        let width = columns.split(',').count();
        let mut arguments = SqliteArguments::default();
        arguments.reserve(width * rows, 0);
        Self { columns, width, rows, arguments }
    }

    fn add<'q, T: Encode<'q, sqlx::Sqlite> + Type<sqlx::Sqlite>>(
        &mut self,
        value: T,
    ) -> Result<&mut Self, sqlx::Error> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    /// Gives the number of rows that came in.
    async fn insert(
        self,
        tx: &mut SqliteConnection,
        table: &str,
        conflict: &str,
    ) -> Result<u64, sqlx::Error> {
        let row = format!("({}?),", "?,".repeat(self.width - 1));
        let rows = row.repeat(self.rows);
        let rows = rows.trim_end_matches(',');
        let sql = format!("INSERT INTO {table} ({}) VALUES {rows} {conflict}", self.columns);
        // only full chunks come again; the day's name makes even them new every day
        let keep = self.rows == CHUNK;
        let insert = sqlx::query_with(AssertSqlSafe(sql), self.arguments).persistent(keep);
        Ok(insert.execute(tx).await?.rows_affected())
    }
}

async fn add_sums(tx: &mut SqliteConnection, sums: &BTreeMap<Line<'_>, Sum>) -> Result<(), sqlx::Error> {
    let lines: Vec<_> = sums.iter().collect();
    for chunk in lines.chunks(CHUNK) {
        let mut q = QueryBuilder::new(format!("INSERT INTO usage_day ({SUM_COLUMNS}) "));
        q.push_values(chunk, |mut v, (line, sum)| {
            v.push_bind(line.day)
                .push_bind(&*line.team)
                .push_bind(&*line.feature)
                .push_bind(&*line.environment)
                .push_bind(&*line.model)
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
                .push_bind(&*line.team)
                .push_bind(&*line.feature)
                .push_bind(&*line.environment)
                .push_bind(&*line.model)
                .push_bind(*unit)
                .push_bind(**quantity);
        });
        q.push(ADD_UNITS);
        q.build().persistent(false).execute(&mut *tx).await?;
    }
    Ok(())
}
