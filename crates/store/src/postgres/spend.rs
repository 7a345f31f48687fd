//! Sums spending in PostgreSQL.

use async_trait::async_trait;
use bedplate_core::ports::{Progress, Spend, StoreError};
use bedplate_core::spend::{SpendAsk, SpendLine};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Postgres;
use super::partitions::days;
use crate::fault::within;
use crate::lease::Lease;
use crate::spend::{LONGEST, Piece, Tongue, bound, fill, line, make, pieces, read};

const TONGUE: Tongue = Tongue::Postgres;

#[async_trait]
impl Spend for Postgres {
    async fn spend(&self, ask: &SpendAsk, progress: Progress<'_>) -> Result<Vec<SpendLine>, StoreError> {
        // never kept: the table and the longer time go with the connection
        let mut lease = within(self.deadline, Lease::of(&self.pool)).await?;
        let pieces = within(self.deadline, async {
            let limit = format!("SET statement_timeout = {};", LONGEST.as_millis());
            sqlx::raw_sql(AssertSqlSafe(limit + &make(ask, TONGUE))).execute(&mut *lease).await?;
            Ok(pieces(ask, &days(&mut lease).await?))
        })
        .await?;
        for (done, piece) in pieces.iter().enumerate() {
            within(LONGEST, count(&mut lease, ask, *piece)).await?;
            progress(done + 1, pieces.len());
        }
        within(LONGEST, async {
            let sql = AssertSqlSafe(read(ask, TONGUE));
            let rows =
                sqlx::query(sql).bind(i64::from(ask.top)).persistent(false).fetch_all(&mut *lease).await?;
            rows.iter().map(|row| line(ask, row)).collect()
        })
        .await
    }
}

/// A piece is a statement: for longer no day is kept from being dropped.
async fn count(conn: &mut PgConnection, ask: &SpendAsk, piece: Piece) -> Result<(), sqlx::Error> {
    let mut insert = sqlx::query(AssertSqlSafe(fill(ask, piece.day, TONGUE)))
        .bind(i64::try_from(piece.slot).unwrap_or(i64::MAX))
        .bind(piece.from.0)
        .bind(piece.until.0);
    for value in bound(ask) {
        insert = insert.bind(value);
    }
    insert.persistent(false).execute(conn).await.map(drop)
}
