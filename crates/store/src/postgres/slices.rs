//! Slices in PostgreSQL.
//!
//! Draws of one account take turns under an advisory lock. Whoever changes several slices locks them in the order
//! of their places, and waits for no account while holding one: so nobody waits in a circle.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use bedplate_core::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice};
use bedplate_core::clock::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Postgres;
use super::append::each;
use crate::lease::Lease;
use crate::slices::{
    ADD_CHARGES, ALL, FORGOTTEN, GRANT, OF_BUDGET, ONE, OTHERS, Place, RECONCILE, SLICE_COLUMNS, StoredSlice,
    StoredStand, asks_only, drawn, none_yet,
};

const CHARGES: &str = "SELECT budget, whose, starts, node, 0, 0, amount, 0, 0 \
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[]) \
     AS charge (budget, whose, starts, node, amount)";

/// Also of what is settled: calls may cost more than they held, after what was free was given back.
const TAKE_BACK: &str = "WITH part AS MATERIALIZED \
     (SELECT s.budget, s.whose, s.starts, s.node, p.total \
      FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[]) \
           AS p (budget, whose, starts, node, total) \
      JOIN budget_slice AS s USING (budget, whose, starts, node) \
      ORDER BY s.budget, s.whose, s.starts, s.node FOR UPDATE OF s) \
     UPDATE budget_slice AS s SET returned = LEAST(part.total, s.granted) FROM part \
     WHERE s.budget = part.budget AND s.whose = part.whose AND s.starts = part.starts AND s.node = part.node \
     AND s.returned < part.total AND s.returned < s.granted";

const EXTEND: &str = "WITH mine AS MATERIALIZED \
     (SELECT budget, whose, starts, node FROM budget_slice \
      WHERE node = $1 AND granted - returned > settled ORDER BY budget, whose, starts FOR UPDATE) \
     UPDATE budget_slice AS s SET lease_until = GREATEST(s.lease_until, $2) FROM mine \
     WHERE s.budget = mine.budget AND s.whose = mine.whose AND s.starts = mine.starts AND s.node = mine.node \
     RETURNING s.budget, s.whose, s.starts, s.node, s.granted, s.returned, s.settled, s.reconciled, s.lease_until";

const FORGET: &str = "WITH done AS MATERIALIZED \
     (SELECT budget, whose, starts, node FROM budget_slice \
      WHERE starts < $1 AND granted - returned <= settled \
      ORDER BY budget, whose, starts, node LIMIT $2 FOR UPDATE) \
     DELETE FROM budget_slice AS s USING done \
     WHERE s.budget = done.budget AND s.whose = done.whose AND s.starts = done.starts AND s.node = done.node";

/// Of all advisory locks of the database: `budg` in ASCII. The second number is the account's.
const LOCKS: i32 = 0x6275_6467;

impl Postgres {
    pub(super) async fn grant(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        // each statement must see what was committed while the lock was waited for
        let mut tx = lease.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let drawn = draw_in(&mut tx, draw, now).await?;
        tx.commit().await?;
        lease.keep();
        Ok(drawn)
    }

    pub(super) async fn take_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), sqlx::Error> {
        let mut totals = BTreeMap::<Place<'_>, i64>::new();
        for part in returns {
            let total = totals.entry(Place::of(&part.window, node)).or_default();
            *total = part.total.max(*total);
        }
        let rows: Vec<_> = totals.iter().collect();
        let mut lease = Lease::of(&self.pool).await?;
        let update = sqlx::query(TAKE_BACK)
            .bind(each(&rows, |r| &*r.0.budget))
            .bind(each(&rows, |r| &*r.0.whose))
            .bind(each(&rows, |r| r.0.starts))
            .bind(each(&rows, |r| &*r.0.node))
            .bind(each(&rows, |r| *r.1));
        update.execute(&mut *lease).await?;
        lease.keep();
        Ok(())
    }

    pub(super) async fn extend(
        &self,
        node: &NodeId,
        lease_until: Timestamp,
    ) -> Result<Vec<Slice>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let update = sqlx::query_as::<_, StoredSlice>(EXTEND).bind(&*node.0).bind(lease_until.0);
        let mut slices: Vec<Slice> = update.fetch_all(&mut *lease).await?.into_iter().map(|s| s.0).collect();
        lease.keep();
        slices.sort_by(|a, b| a.window.cmp(&b.window));
        Ok(slices)
    }

    pub(super) async fn all_slices(
        &self,
        budget: Option<&BudgetId>,
        since: Timestamp,
    ) -> Result<Vec<Slice>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let read = match budget {
            Some(id) => sqlx::query_as::<_, StoredSlice>(OF_BUDGET).bind(since.0).bind(&*id.0),
            None => sqlx::query_as(ALL).bind(since.0),
        };
        let slices = read.fetch_all(&mut *lease).await?;
        lease.keep();
        Ok(slices.into_iter().map(|s| s.0).collect())
    }

    pub(super) async fn decide(
        &self,
        slice: &Slice,
        spent: i64,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let (place, sums) = (Place::of(&slice.window, &slice.node), slice.sums);
        let update = sqlx::query(RECONCILE)
            .bind(place.budget)
            .bind(place.whose)
            .bind(place.starts)
            .bind(place.node)
            .bind(spent.max(0))
            .bind(now.0)
            .bind(sums.granted)
            .bind(sums.returned)
            .bind(sums.settled)
            .bind(sums.reconciled);
        let done = update.execute(&mut *lease).await?.rows_affected() > 0;
        lease.keep();
        Ok(done)
    }

    pub(super) async fn forget(&self, before: Timestamp) -> Result<u64, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let delete = sqlx::query(FORGET).bind(before.0).bind(FORGOTTEN.cast_signed());
        let gone = delete.execute(&mut *lease).await?.rows_affected();
        lease.keep();
        Ok(gone)
    }
}

async fn draw_in(tx: &mut PgConnection, draw: &Draw, now: Timestamp) -> Result<Drawn, sqlx::Error> {
    let place = Place::of(&draw.window, &draw.node);
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1, $2)").bind(LOCKS).bind(number(&place));
    lock.execute(&mut *tx).await?;
    let own = sqlx::query_as::<_, StoredSlice>(ONE)
        .bind(&*place.budget)
        .bind(&*place.whose)
        .bind(place.starts)
        .bind(&*place.node);
    let own = own.fetch_optional(&mut *tx).await?.map_or_else(|| none_yet(draw), |s| s.0);
    let others = sqlx::query_as(OTHERS)
        .bind(&*place.budget)
        .bind(&*place.whose)
        .bind(place.starts)
        .bind(&*place.node)
        .bind(draw.counts_from().0)
        .bind(now.0);
    let StoredStand(others) = others.fetch_one(&mut *tx).await?;
    let amount = draw.portion(others.taken(), own.sums);
    if asks_only(amount, &own) {
        return Ok(drawn(amount, &own, others, now));
    }
    let grant = sqlx::query_as(GRANT)
        .bind(place.budget)
        .bind(place.whose)
        .bind(place.starts)
        .bind(place.node)
        .bind(amount)
        .bind(draw.lease_until.0);
    let StoredSlice(own) = grant.fetch_one(tx).await?;
    Ok(drawn(amount, &own, others, now))
}

/// The number of an account. Two accounts that share one only wait for each other.
fn number(place: &Place<'_>) -> i32 {
    let hash = digest::digest(&digest::SHA256, format!("{}\0{}", place.budget, place.whose).as_bytes());
    hash.as_ref().first_chunk().copied().map_or(0, i32::from_be_bytes)
}

/// Adds what calls spent to their slices, which are locked in the order of their places.
pub(super) async fn add_charges(
    tx: &mut PgConnection,
    charges: &BTreeMap<Place<'_>, i64>,
) -> Result<(), sqlx::Error> {
    if charges.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = charges.iter().collect();
    let sql = format!("INSERT INTO budget_slice ({SLICE_COLUMNS}) {CHARGES} {ADD_CHARGES}");
    let add = sqlx::query(AssertSqlSafe(sql))
        .bind(each(&rows, |r| &*r.0.budget))
        .bind(each(&rows, |r| &*r.0.whose))
        .bind(each(&rows, |r| r.0.starts))
        .bind(each(&rows, |r| &*r.0.node))
        .bind(each(&rows, |r| *r.1));
    add.execute(tx).await.map(drop)
}
