//! A connection that is only used again when all went well.

use std::ops::{Deref, DerefMut};

use sqlx::PgConnection;
use sqlx::Postgres as Driver;
use sqlx::pool::PoolConnection;

use super::Postgres;

/// A connection from the pool. It is closed when it is dropped without [`Lease::keep`]: after a
/// deadline it stands in the middle of an answer, and after a failover it leads to a server that
/// cannot write.
pub(super) struct Lease(PoolConnection<Driver>, bool);

impl Postgres {
    pub(super) async fn lease(&self) -> Result<Lease, sqlx::Error> {
        Ok(Lease(self.pool.acquire().await?, false))
    }
}

impl Lease {
    /// Gives the connection back to the pool.
    pub(super) fn keep(mut self) {
        self.1 = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.1 {
            self.0.close_on_drop();
        }
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
