//! Writes batches into PostgreSQL: one array for each column, so that a batch is four statements at
//! most, whatever its size.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bedplate_core::record::Outcome;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::Postgres;
use super::slices::add_charges;
use crate::day::Day;
use crate::lease::Lease;
use crate::rows::{CALL_COLUMNS, CallColumns};
use crate::slices::charges;
use crate::sums::{ADD_SUMS, ADD_UNITS, Line, SUM_COLUMNS, Sum, UNIT_COLUMNS, sums};

const CALL_ARRAYS: &str = "$1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
     $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], \
     $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::boolean[], $20::bigint[], $21::text[]::json[], $22::text[]::json[]";

const SUM_ARRAYS: &str = "$1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], \
     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
     $14::bigint[], $15::bigint[]";

const UNIT_ARRAYS: &str =
    "$1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]";

impl Postgres {
    /// One transaction: calls that are not there yet, and what they add to the sums and to slices.
    pub(super) async fn write(&self, batch: &[Arc<Outcome>]) -> Result<(), sqlx::Error> {
        match self.write_once(batch).await {
            // another node dropped a day that this one knew
            Err(e) if no_partition(&e) => {
                self.forget_days();
                self.write_once(batch).await
            }
            other => other,
        }
    }

    async fn write_once(&self, batch: &[Arc<Outcome>]) -> Result<(), sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let days: BTreeSet<Day> = batch.iter().map(|o| Day::of(o.call.admitted_at)).collect();
        for day in days {
            self.ensure(&mut lease, day).await?;
        }
        let mut tx = lease.begin().await?;
        let mut inserted = insert_calls(&mut tx, batch).await?;
        // a call may stand twice in one batch: the first one counts
        let new: Vec<_> = batch.iter().map(|o| &**o).filter(|o| inserted.remove(&o.call.id.0)).collect();
        add_sums(&mut tx, &sums(new.iter().map(|o| &o.call))).await?;
        add_charges(&mut tx, &charges(new.iter().map(|o| &o.call))).await?;
        tx.commit().await?;
        lease.keep();
        Ok(())
    }
}

/// PostgreSQL reports a row that fits no partition as a violated check.
fn no_partition(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if e.code().as_deref() == Some("23514"))
}

pub(super) fn each<'a, R, T>(rows: &'a [R], column: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

async fn insert_calls(tx: &mut PgConnection, batch: &[Arc<Outcome>]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let rows: Vec<_> = batch.iter().map(|o| CallColumns::of(o)).collect::<Result<_, _>>()?;
    let sql = format!(
        "INSERT INTO call ({CALL_COLUMNS}) SELECT * FROM unnest({CALL_ARRAYS}) \
         ON CONFLICT (id, admitted_at) DO NOTHING RETURNING id"
    );
    let insert = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(each(&rows, |r| r.id))
        .bind(each(&rows, |r| r.admitted_at))
        .bind(each(&rows, |r| &*r.team))
        .bind(each(&rows, |r| &*r.feature))
        .bind(each(&rows, |r| &*r.environment))
        .bind(each(&rows, |r| r.key_id.as_deref()))
        .bind(each(&rows, |r| r.chain.as_deref()))
        .bind(each(&rows, |r| r.code))
        .bind(each(&rows, |r| r.ending))
        .bind(each(&rows, |r| &*r.model))
        .bind(each(&rows, |r| r.status))
        .bind(each(&rows, |r| r.input))
        .bind(each(&rows, |r| r.cache_read))
        .bind(each(&rows, |r| r.cache_write_5m))
        .bind(each(&rows, |r| r.cache_write_1h))
        .bind(each(&rows, |r| r.output))
        .bind(each(&rows, |r| r.reasoning))
        .bind(each(&rows, |r| r.cost_nanos))
        .bind(each(&rows, |r| r.cost_known))
        .bind(each(&rows, |r| r.total_us))
        .bind(each(&rows, |r| &*r.detail))
        .bind(each(&rows, |r| &*r.attempts));
    let ids: Vec<Uuid> = insert.fetch_all(tx).await?;
    Ok(ids.into_iter().collect())
}

/// Lines are locked in their order, so nodes that add to the same lines wait but never in a circle.
async fn add_sums(tx: &mut PgConnection, sums: &BTreeMap<Line<'_>, Sum>) -> Result<(), sqlx::Error> {
    let rows: Vec<(&Line<'_>, &Sum)> = sums.iter().collect();
    let sql = format!("INSERT INTO usage_day ({SUM_COLUMNS}) SELECT * FROM unnest({SUM_ARRAYS}) {ADD_SUMS}");
    let add = sqlx::query(AssertSqlSafe(sql))
        .bind(each(&rows, |r| r.0.day))
        .bind(each(&rows, |r| &*r.0.team))
        .bind(each(&rows, |r| &*r.0.feature))
        .bind(each(&rows, |r| &*r.0.environment))
        .bind(each(&rows, |r| &*r.0.model))
        .bind(each(&rows, |r| r.1.calls))
        .bind(each(&rows, |r| r.1.refused))
        .bind(each(&rows, |r| r.1.input))
        .bind(each(&rows, |r| r.1.cache_read))
        .bind(each(&rows, |r| r.1.cache_write_5m))
        .bind(each(&rows, |r| r.1.cache_write_1h))
        .bind(each(&rows, |r| r.1.output))
        .bind(each(&rows, |r| r.1.reasoning))
        .bind(each(&rows, |r| r.1.cost_nanos))
        .bind(each(&rows, |r| r.1.unpriced));
    add.execute(&mut *tx).await?;
    add_units(tx, &rows).await
}

async fn add_units(tx: &mut PgConnection, sums: &[(&Line<'_>, &Sum)]) -> Result<(), sqlx::Error> {
    let rows: Vec<(&Line<'_>, &str, i64)> =
        sums.iter().flat_map(|(l, s)| s.units.iter().map(move |(u, n)| (*l, &**u, *n))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO usage_day_unit ({UNIT_COLUMNS}) SELECT * FROM unnest({UNIT_ARRAYS}) {ADD_UNITS}"
    );
    let add = sqlx::query(AssertSqlSafe(sql))
        .bind(each(&rows, |r| r.0.day))
        .bind(each(&rows, |r| &*r.0.team))
        .bind(each(&rows, |r| &*r.0.feature))
        .bind(each(&rows, |r| &*r.0.environment))
        .bind(each(&rows, |r| &*r.0.model))
        .bind(each(&rows, |r| r.1))
        .bind(each(&rows, |r| r.2));
    add.execute(tx).await.map(drop)
}
