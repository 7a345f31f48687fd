//! A ledger for one test, on a database of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::ports::{Ledger, StoreError};
use bedplate_core::setting::SecretRef;
use bedplate_store::{Config, LedgerConfig};
use bedplate_testkit::MemoryLedger;
use sqlx::Connection as _;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;

pub(crate) struct Bed {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) config: Config,
    dir: TempDir,
    schema: Option<String>,
    memory: bool,
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    SystemClock::shared()
}

#[expect(clippy::disallowed_methods, reason = "the tests' server is named by the environment")]
pub(crate) fn postgres_url() -> String {
    std::env::var("BEDPLATE_TEST_POSTGRES")
        .expect("BEDPLATE_TEST_POSTGRES names no PostgreSQL: run the tests with scripts/test")
}

impl Bed {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::open(dir, Config::default(), None).await
    }

    pub(crate) async fn postgres() -> Self {
        let schema = new_schema().await;
        let url = schema_url(&schema);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        std::fs::write(&file, url).unwrap();
        let ledger = LedgerConfig::Postgres(SecretRef::File(file));
        Self::open(dir, Config { ledger, ..Config::default() }, Some(schema)).await
    }

    /// The ledger that tests of other crates use: it must do the same.
    pub(crate) fn memory() -> Self {
        let (dir, config) = (tempfile::tempdir().unwrap(), Config::default());
        Self { ledger: Arc::new(MemoryLedger::default()), config, dir, schema: None, memory: true }
    }

    async fn open(dir: TempDir, config: Config, schema: Option<String>) -> Self {
        let ledger = config.open(dir.path(), clock()).await.unwrap();
        Self { ledger, config, dir, schema, memory: false }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join(".bedplate/bedplate.db")
    }

    /// Another node on the same database.
    pub(crate) async fn another(&self) -> Result<Arc<dyn Ledger>, StoreError> {
        if self.memory {
            return Ok(Arc::clone(&self.ledger));
        }
        self.config.open(self.dir.path(), clock()).await
    }

    /// Another node, on another URL of the same PostgreSQL.
    pub(crate) async fn at(&self, url: &str) -> Arc<dyn Ledger> {
        let file = self.dir.path().join("another-url");
        std::fs::write(&file, url).unwrap();
        let ledger = LedgerConfig::Postgres(SecretRef::File(file));
        Config { ledger, ..self.config.clone() }.open(self.dir.path(), clock()).await.unwrap()
    }

    /// Runs statements behind the ledger's back.
    pub(crate) async fn sql(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.schema {
            Some(_) => {
                let mut conn = self.postgres_connection().await;
                sqlx::raw_sql(sql).execute(&mut conn).await.map(drop)
            }
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
                let pool = sqlx::SqlitePool::connect_with(options).await?;
                let result = sqlx::raw_sql(sql).execute(&pool).await.map(drop);
                pool.close().await;
                result
            }
        }
    }

    /// Asks behind the ledger's back for one number.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.schema.is_some() {
            let mut conn = self.postgres_connection().await;
            return sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        }
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let number = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
        pool.close().await;
        number
    }

    /// The URL of this test's own schema.
    pub(crate) fn postgres_url(&self) -> String {
        schema_url(self.schema.as_ref().unwrap())
    }

    pub(crate) async fn postgres_connection(&self) -> sqlx::PgConnection {
        sqlx::PgConnection::connect(&self.postgres_url()).await.unwrap()
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.schema.is_some()
    }

    pub(crate) async fn end(self) {
        self.ledger.close().await;
        if let Some(schema) = self.schema {
            admin(&format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }
}

fn schema_url(schema: &str) -> String {
    format!("{}?options[search_path]={schema}", postgres_url())
}

async fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    admin(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")).await;
    schema
}

async fn admin(sql: &str) {
    let pool = PgPoolOptions::new().max_connections(1).connect(&postgres_url()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}
