//! Slices as rows, and what charges add to them. Statements without arrays are the same for every database.

mod place;

pub(crate) use place::Place;

use std::collections::BTreeMap;

use bedplate_core::budget::{Account, BudgetId, Draw, Drawn, NodeId, Slice, Stand, Sums, Window};
use bedplate_core::clock::Timestamp;
use bedplate_core::record::CallRow;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

pub(crate) const SLICE_COLUMNS: &str =
    "budget, whose, starts, node, granted, returned, settled, reconciled, lease_until";

/// What to do with a slice that is there when calls are charged to it. No sum overflows.
pub(crate) const ADD_CHARGES: &str = " ON CONFLICT (budget, whose, starts, node) DO UPDATE SET \
     settled = CASE WHEN budget_slice.settled > 9223372036854775807 - excluded.settled THEN 9223372036854775807 \
                    ELSE budget_slice.settled + excluded.settled END";

pub(crate) const ONE: &str = "SELECT budget, whose, starts, node, granted, returned, settled, reconciled, \
     lease_until FROM budget_slice WHERE budget = $1 AND whose = $2 AND starts = $3 AND node = $4";

/// Where an account stands without the slice that is drawn for ($3, $4): from $5 on, at $6. A sum is made in
/// two halves, for together they may be more than the database can hold.
pub(crate) const OTHERS: &str = "SELECT \
     CAST(COALESCE(SUM(settled >> 32), 0) AS BIGINT) AS settled_high, \
     CAST(COALESCE(SUM(settled & 4294967295), 0) AS BIGINT) AS settled_low, \
     CAST(COALESCE(SUM(reconciled >> 32), 0) AS BIGINT) AS reconciled_high, \
     CAST(COALESCE(SUM(reconciled & 4294967295), 0) AS BIGINT) AS reconciled_low, \
     CAST(COALESCE(SUM(CASE WHEN lives THEN open >> 32 ELSE 0 END), 0) AS BIGINT) AS granted_high, \
     CAST(COALESCE(SUM(CASE WHEN lives THEN open & 4294967295 ELSE 0 END), 0) AS BIGINT) AS granted_low, \
     CAST(COALESCE(SUM(CASE WHEN lives THEN 0 ELSE open >> 32 END), 0) AS BIGINT) AS unknown_high, \
     CAST(COALESCE(SUM(CASE WHEN lives THEN 0 ELSE open & 4294967295 END), 0) AS BIGINT) AS unknown_low \
     FROM (SELECT settled, reconciled, lease_until > $6 AS lives, \
           CASE WHEN granted - returned > settled THEN granted - returned - settled ELSE 0 END AS open \
           FROM budget_slice \
           WHERE budget = $1 AND whose = $2 AND starts >= $5 AND NOT (starts = $3 AND node = $4)) AS others";

/// Grants a slice $5 more than it is granted or has settled, and extends its lease.
pub(crate) const GRANT: &str = "INSERT INTO budget_slice \
     (budget, whose, starts, node, granted, returned, settled, reconciled, lease_until) \
     VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6) \
     ON CONFLICT (budget, whose, starts, node) DO UPDATE SET granted = excluded.granted + \
         CASE WHEN budget_slice.granted - budget_slice.returned > budget_slice.settled THEN budget_slice.granted \
              ELSE budget_slice.returned + budget_slice.settled END, \
     lease_until = CASE WHEN budget_slice.lease_until > excluded.lease_until THEN budget_slice.lease_until \
                        ELSE excluded.lease_until END \
     RETURNING budget, whose, starts, node, granted, returned, settled, reconciled, lease_until";

pub(crate) const RECONCILE: &str = "UPDATE budget_slice SET returned = granted - settled, \
     reconciled = CASE WHEN reconciled > 9223372036854775807 - $5 THEN 9223372036854775807 ELSE reconciled + $5 END \
     WHERE budget = $1 AND whose = $2 AND starts = $3 AND node = $4 AND granted - returned > settled \
     AND lease_until <= $6 AND granted = $7 AND returned = $8 AND settled = $9 AND reconciled = $10";

pub(crate) const ALL: &str = "SELECT budget, whose, starts, node, granted, returned, settled, reconciled, \
     lease_until FROM budget_slice WHERE starts >= $1 ORDER BY budget, whose, starts, node";

pub(crate) const OF_BUDGET: &str = "SELECT budget, whose, starts, node, granted, returned, settled, reconciled, \
     lease_until FROM budget_slice WHERE starts >= $1 AND budget = $2 ORDER BY budget, whose, starts, node";

/// How many slices are dropped in one transaction, so that calls can be written in between.
pub(crate) const FORGOTTEN: u64 = 10_000;

/// What calls add to slices, in the order of their places: whoever adds in this order cannot wait in a circle with
/// another who does.
pub(crate) fn charges<'a>(calls: impl Iterator<Item = &'a CallRow>) -> BTreeMap<Place<'a>, i64> {
    let mut sums = BTreeMap::<_, i64>::new();
    for charge in calls.flat_map(|c| &c.charges).filter(|c| c.amount > 0) {
        let sum = sums.entry(Place::of(&charge.window, &charge.node)).or_default();
        *sum = sum.saturating_add(charge.amount);
    }
    sums
}

/// Whether a draw leaves its slice as it is: nothing was there to grant, and there is no lease to extend.
pub(crate) fn asks_only(amount: Option<i64>, own: &Slice) -> bool {
    amount.is_none_or(|n| n == 0 && own.sums == Sums::default())
}

/// A slice that was never granted anything.
pub(crate) fn none_yet(draw: &Draw) -> Slice {
    let (window, node) = (draw.window.clone(), draw.node.clone());
    Slice { window, node, sums: Sums::default(), lease_until: Timestamp(i64::MIN) }
}

/// The answer to a draw; `amount` is `None` when the account is short.
pub(crate) fn drawn(amount: Option<i64>, own: &Slice, others: Stand, now: Timestamp) -> Drawn {
    let (sums, stand) = (own.sums, others.plus(own.stand(now)));
    match amount {
        Some(amount) => Drawn::Granted { amount, sums, stand },
        None => Drawn::Short { sums, stand },
    }
}

/// A slice read back.
pub(crate) struct StoredSlice(pub(crate) Slice);

impl<'r, R: Row> FromRow<'r, R> for StoredSlice
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let account = Account {
            budget: BudgetId(row.try_get::<String, _>("budget")?.into()),
            of: row.try_get::<String, _>("whose")?.into(),
        };
        Ok(Self(Slice {
            window: Window { account, starts: Timestamp(row.try_get("starts")?) },
            node: NodeId(row.try_get::<String, _>("node")?.into()),
            sums: Sums {
                granted: row.try_get("granted")?,
                returned: row.try_get("returned")?,
                settled: row.try_get("settled")?,
                reconciled: row.try_get("reconciled")?,
            },
            lease_until: Timestamp(row.try_get("lease_until")?),
        }))
    }
}

/// The answer to [`OTHERS`].
pub(crate) struct StoredStand(pub(crate) Stand);

impl<'r, R: Row> FromRow<'r, R> for StoredStand
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let sum = |high: &str, low: &str| {
            let (high, low): (i64, i64) = (row.try_get(high)?, row.try_get(low)?);
            let sum = (i128::from(high) << 32) + i128::from(low);
            Ok::<_, sqlx::Error>(i64::try_from(sum).unwrap_or(i64::MAX))
        };
        let settled = sum("settled_high", "settled_low")?;
        Ok(Self(Stand {
            settled: settled.saturating_add(sum("reconciled_high", "reconciled_low")?),
            granted: sum("granted_high", "granted_low")?,
            unknown: sum("unknown_high", "unknown_low")?,
        }))
    }
}
