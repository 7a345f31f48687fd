//! The ledger in PostgreSQL, for many nodes.

mod append;
mod budgets;
mod calls;
mod keys;
mod migrate;
mod partitions;
mod slices;
mod spend;

use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Ledger, StoreError};
use bedplate_core::setting::SecretRef;
use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _, PgPool};

use crate::Config;
use crate::claims;
use crate::day::Day;
use crate::fault::within;
use crate::lease::Lease;

pub(crate) struct Postgres {
    pool: PgPool,
    deadline: Duration,
    /// Days that have had partitions; another node may have dropped them since.
    days: Mutex<std::collections::HashSet<Day>>,
    name: String,
}

impl Postgres {
    /// Connects to the database of the URL that `secret` holds, and brings its schema up to date.
    pub(crate) async fn open(
        config: &Config,
        secret: &SecretRef,
        clock: &dyn Clock,
    ) -> Result<Self, StoreError> {
        let url = secret.read().map_err(StoreError::Unavailable)?;
        let options: PgConnectOptions = url.expose().parse().map_err(|e| {
            StoreError::Unavailable(format!("the database URL at `{secret}` cannot be read: {e}"))
        })?;
        let name = format!(
            "postgres {}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username())
        );
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("bedplate"),
        };
        let deadline = config.deadline.0;
        let ledger = Self { pool: pool(config, options), deadline, days: Mutex::default(), name };
        ledger.migrate(clock).await?;
        Ok(ledger)
    }
}

fn pool(config: &Config, options: PgConnectOptions) -> PgPool {
    // the server gives up when we do, so that nothing runs on for nobody
    let limit = format!("SET statement_timeout = {}", config.deadline.0.as_millis());
    PgPoolOptions::new()
        .max_connections(config.connections)
        .acquire_timeout(config.deadline.0)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1_800))
        .after_connect(move |conn, _| {
            let limit = limit.clone();
            Box::pin(async move { conn.execute(sqlx::AssertSqlSafe(limit)).await.map(drop) })
        })
        .connect_lazy_with(options.disable_statement_logging())
}

#[async_trait]
impl Ledger for Postgres {
    async fn ping(&self) -> Result<(), StoreError> {
        within(self.deadline, async {
            let mut lease = Lease::of(&self.pool).await?;
            let read = sqlx::query_scalar::<_, i64>("SELECT value FROM change_counter");
            read.fetch_one(&mut *lease).await?;
            lease.keep();
            Ok(())
        })
        .await
    }

    async fn schema_version(&self) -> Result<i64, StoreError> {
        within(self.deadline, async {
            let mut lease = Lease::of(&self.pool).await?;
            let read = sqlx::query_scalar("SELECT MAX(version) FROM bedplate_schema");
            let version = read.fetch_one(&mut *lease).await?;
            lease.keep();
            Ok(version)
        })
        .await
    }

    async fn claim(&self, key: &str, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        within(self.deadline, async {
            let mut lease = Lease::of(&self.pool).await?;
            sqlx::query(claims::FORGET)
                .bind(now.0.saturating_sub(claims::STANDS))
                .execute(&mut *lease)
                .await?;
            let claim = sqlx::query_scalar::<_, String>(claims::CLAIM).bind(key).bind(owner).bind(now.0);
            let first = claim.fetch_one(&mut *lease).await?;
            lease.keep();
            Ok(first == owner)
        })
        .await
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
