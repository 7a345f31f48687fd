//! Sums spending in SQLite.

use async_trait::async_trait;
use bedplate_core::ports::{Progress, Spend, StoreError};
use bedplate_core::spend::{SpendAsk, SpendLine};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::Sqlite;
use super::calls::days;
use crate::fault::within;
use crate::lease::Lease;
use crate::spend::{LONGEST, Piece, Tongue, bound, fill, line, make, pieces, read};

const TONGUE: Tongue = Tongue::Sqlite;

#[async_trait]
impl Spend for Sqlite {
    async fn spend(&self, ask: &SpendAsk, progress: Progress<'_>) -> Result<Vec<SpendLine>, StoreError> {
        // never kept: the table goes with the connection
        let mut lease = within(self.deadline, Lease::of(&self.readers)).await?;
        let pieces = within(self.deadline, async {
            // where there is much to sort it is done on the disk
            sqlx::raw_sql("PRAGMA temp_store = file").execute(&mut *lease).await?;
            sqlx::raw_sql(AssertSqlSafe(make(ask, TONGUE))).execute(&mut *lease).await?;
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

/// A piece is a transaction: for longer no reader keeps the log from being taken over.
async fn count(conn: &mut SqliteConnection, ask: &SpendAsk, piece: Piece) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    let there = sqlx::query_scalar::<_, i64>("SELECT day FROM ledger_day WHERE day = $1");
    if there.bind(piece.day.number()).fetch_optional(&mut *tx).await?.is_none() {
        return Ok(());
    }
    let mut insert = sqlx::query(AssertSqlSafe(fill(ask, piece.day, TONGUE)))
        .bind(i64::try_from(piece.slot).unwrap_or(i64::MAX))
        .bind(piece.from.0)
        .bind(piece.until.0);
    for value in bound(ask) {
        insert = insert.bind(value);
    }
    insert.persistent(false).execute(&mut *tx).await?;
    tx.commit().await
}
