//! Budgets made at run time, as rows. The statements are the same for every database. Every change begins with
//! [`crate::keys::STEP`], so versions are committed in order.

use bedplate_core::budget::{BudgetId, StoredBudget};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::StoreError;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// Does nothing to a budget that stands.
pub(crate) const INSERT: &str = "INSERT INTO budget (id, spec, created_at, removed_at, version) \
     VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (id) DO UPDATE SET spec = excluded.spec, created_at = excluded.created_at, \
     removed_at = excluded.removed_at, version = excluded.version WHERE budget.removed_at IS NOT NULL";

pub(crate) const REMOVE: &str =
    "UPDATE budget SET removed_at = $2, version = $3 WHERE id = $1 AND removed_at IS NULL";

pub(crate) const CHANGED: &str = "SELECT id, spec, created_at, removed_at, version FROM budget \
     WHERE version > $1 ORDER BY version LIMIT 10000";

pub(crate) fn taken(id: &BudgetId) -> StoreError {
    StoreError::Conflict(format!("a budget `{id}`"))
}

/// A budget read back.
pub(crate) struct Stored(pub(crate) StoredBudget);

impl<'r, R: Row> FromRow<'r, R> for Stored
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self(StoredBudget {
            id: BudgetId(row.try_get::<String, _>("id")?.into()),
            spec: row.try_get("spec")?,
            created_at: Timestamp(row.try_get("created_at")?),
            removed_at: row.try_get::<Option<i64>, _>("removed_at")?.map(Timestamp),
            version: row.try_get("version")?,
        }))
    }
}
