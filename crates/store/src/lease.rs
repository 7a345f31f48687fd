//! A connection that is only used again when all went well.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};

/// A connection from a pool. It is closed when it is dropped without [`Lease::keep`]: after a
/// deadline it stands in the middle of an answer, after a failover it leads to a server that cannot
/// write, and after a commit that found no room SQLite and its driver disagree on whether a
/// transaction is open.
pub(crate) struct Lease<DB: Database> {
    conn: PoolConnection<DB>,
    keep: bool,
}

impl<DB: Database> Lease<DB> {
    pub(crate) async fn of(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        Ok(Self { conn: pool.acquire().await?, keep: false })
    }

    /// Gives the connection back to the pool.
    pub(crate) fn keep(mut self) {
        self.keep = true;
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if !self.keep {
            self.conn.close_on_drop();
        }
    }
}

impl<DB: Database> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.conn
    }
}

impl<DB: Database> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.conn
    }
}
