//! Slices in SQLite. Only one transaction writes at a time, so an account needs no lock of its own.

use std::collections::BTreeMap;

use bedplate_core::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice};
use bedplate_core::clock::Timestamp;
use sqlx::{Connection as _, QueryBuilder, SqliteConnection};

use super::Sqlite;
use super::append::CHUNK;
use crate::lease::Lease;
use crate::slices::{
    ADD_CHARGES, ALL, FORGOTTEN, GRANT, OF_BUDGET, ONE, OTHERS, Place, RECONCILE, SLICE_COLUMNS, StoredSlice,
    StoredStand, asks_only, drawn, none_yet,
};

/// Also of what is settled: calls may cost more than they held, after what was free was given back.
const TAKE_BACK: &str = "UPDATE budget_slice SET returned = min($5, granted) \
     WHERE budget = $1 AND whose = $2 AND starts = $3 AND node = $4 \
     AND returned < $5 AND returned < granted";

const EXTEND: &str = "UPDATE budget_slice SET lease_until = max(lease_until, $2) \
     WHERE node = $1 AND granted - returned > settled \
     RETURNING budget, whose, starts, node, granted, returned, settled, reconciled, lease_until";

const FORGET: &str = "DELETE FROM budget_slice WHERE (budget, whose, starts, node) IN \
     (SELECT budget, whose, starts, node FROM budget_slice \
      WHERE starts < $1 AND granted - returned <= settled LIMIT $2)";

impl Sqlite {
    pub(super) async fn grant(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, sqlx::Error> {
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let drawn = draw_in(&mut tx, draw, now).await?;
        tx.commit().await?;
        lease.keep();
        Ok(drawn)
    }

    pub(super) async fn take_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), sqlx::Error> {
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        for part in returns {
            let place = Place::of(&part.window, node);
            let update = sqlx::query(TAKE_BACK)
                .bind(place.budget)
                .bind(place.whose)
                .bind(place.starts)
                .bind(place.node)
                .bind(part.total);
            update.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        lease.keep();
        Ok(())
    }

    pub(super) async fn extend(
        &self,
        node: &NodeId,
        lease_until: Timestamp,
    ) -> Result<Vec<Slice>, sqlx::Error> {
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let update = sqlx::query_as::<_, StoredSlice>(EXTEND).bind(&*node.0).bind(lease_until.0);
        let mut slices: Vec<Slice> = update.fetch_all(&mut *tx).await?.into_iter().map(|s| s.0).collect();
        tx.commit().await?;
        lease.keep();
        slices.sort_by(|a, b| a.window.cmp(&b.window));
        Ok(slices)
    }

    pub(super) async fn all_slices(
        &self,
        budget: Option<&BudgetId>,
        since: Timestamp,
    ) -> Result<Vec<Slice>, sqlx::Error> {
        let read = match budget {
            Some(id) => sqlx::query_as::<_, StoredSlice>(OF_BUDGET).bind(since.0).bind(&*id.0),
            None => sqlx::query_as(ALL).bind(since.0),
        };
        Ok(read.fetch_all(&self.readers).await?.into_iter().map(|s| s.0).collect())
    }

    pub(super) async fn decide(
        &self,
        slice: &Slice,
        spent: i64,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let mut lease = Lease::of(&self.writer).await?;
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
        let mut lease = Lease::of(&self.writer).await?;
        let delete = sqlx::query(FORGET).bind(before.0).bind(FORGOTTEN.cast_signed());
        let gone = delete.execute(&mut *lease).await?.rows_affected();
        lease.keep();
        Ok(gone)
    }
}

async fn draw_in(tx: &mut SqliteConnection, draw: &Draw, now: Timestamp) -> Result<Drawn, sqlx::Error> {
    let place = Place::of(&draw.window, &draw.node);
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

/// Adds what calls spent to their slices.
pub(super) async fn add_charges(
    tx: &mut SqliteConnection,
    charges: &BTreeMap<Place<'_>, i64>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = charges.iter().collect();
    for chunk in rows.chunks(CHUNK) {
        let mut q = QueryBuilder::new(format!("INSERT INTO budget_slice ({SLICE_COLUMNS}) "));
        q.push_values(chunk, |mut v, (place, amount)| {
            v.push_bind(&*place.budget)
                .push_bind(&*place.whose)
                .push_bind(place.starts)
                .push_bind(&*place.node)
                .push("0, 0")
                .push_bind(**amount)
                .push("0, 0");
        });
        q.push(ADD_CHARGES);
        q.build().persistent(false).execute(&mut *tx).await?;
    }
    Ok(())
}
