//! The connection, and what happens without one.
//!
//! One connection serves all threads. When it breaks, or three questions in a row were not answered in time, it is
//! given up, and whoever asks is told so at once, without waiting. A task connects again, first after 100 ms, later
//! every 5 s, and gives the connection out when the server has answered on it in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::cache::{CacheError, Gauges};
use parking_lot::RwLock;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The way to one server.
pub(super) struct Link {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    client: Client,
    server: String,
    deadline: Duration,
    connection: RwLock<Option<MultiplexedConnection>>,
    lost: Notify,
    /// Questions in a row that were not answered in time.
    late: AtomicU32,
    failures: AtomicU64,
    puts: AtomicU64,
}

/// So many late answers in a row, and the server is left alone for a while.
const LATE: u32 = 3;
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(5);
/// How long a new connection may take to stand.
const CONNECT: Duration = Duration::from_secs(2);

impl Link {
    pub(super) fn open(url: &str, deadline: Duration, runtime: &Handle) -> Result<Self, CacheError> {
        // what is wrong with the URL is said without the URL, which may hold a password
        let client = Client::open(url)
            .map_err(|e| CacheError::Unavailable(format!("not a URL of Redis: {}", e.kind_name())))?;
        let server = client.get_connection_info().addr().to_string();
        let shared = Arc::new(Shared {
            client,
            server,
            deadline,
            connection: RwLock::new(None),
            lost: Notify::new(),
            late: AtomicU32::new(0),
            failures: AtomicU64::new(0),
            puts: AtomicU64::new(0),
        });
        let keeper = runtime.spawn(keep(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, keeper })
    }

    /// Asks within the deadline of calls.
    pub(super) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, CacheError> {
        self.ask_within(self.shared.deadline, cmd).await
    }

    pub(super) async fn ask_within<T: FromRedisValue>(
        &self,
        deadline: Duration,
        cmd: &Cmd,
    ) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        let asked = cmd.query_async(&mut connection);
        self.shared.judge(deadline, tokio::time::timeout(deadline, asked).await)
    }

    pub(super) async fn ask_all_within<T: FromRedisValue>(
        &self,
        deadline: Duration,
        pipe: &Pipeline,
    ) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        let asked = pipe.query_async(&mut connection);
        self.shared.judge(deadline, tokio::time::timeout(deadline, asked).await)
    }

    /// An answer was put in.
    pub(super) fn put(&self) {
        self.shared.puts.fetch_add(1, Ordering::Relaxed);
    }

    /// An entry could not be read.
    pub(super) fn damaged(&self, why: &str) {
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(server = self.shared.server, why, "an entry of the cache cannot be read");
    }

    pub(super) fn server(&self) -> &str {
        &self.shared.server
    }

    pub(super) fn gauges(&self) -> Gauges {
        Gauges {
            up: self.shared.connection.read().is_some(),
            failures: self.shared.failures.load(Ordering::Relaxed),
            puts: self.shared.puts.load(Ordering::Relaxed),
            held: None,
        }
    }

    fn connection(&self) -> Result<MultiplexedConnection, CacheError> {
        self.shared.connection.read().clone().ok_or_else(|| {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            CacheError::Unavailable(format!("redis {} cannot be reached", self.shared.server))
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    fn judge<T>(
        &self,
        deadline: Duration,
        answered: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, CacheError> {
        let why = match answered {
            Ok(Ok(value)) => {
                self.late.store(0, Ordering::Relaxed);
                return Ok(value);
            }
            Ok(Err(e)) => {
                let moved = e.code() == Some("READONLY");
                if moved || e.is_connection_dropped() || e.is_io_error() || e.is_unrecoverable_error() {
                    self.give_up();
                }
                // the kind alone: details may hold what was sent
                e.kind_name()
            }
            Err(_) => {
                if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
                    self.give_up();
                }
                format!("no answer in {} ms", deadline.as_millis())
            }
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        Err(CacheError::Unavailable(format!("redis {}: {why}", self.server)))
    }

    fn give_up(&self) {
        self.late.store(0, Ordering::Relaxed);
        if self.connection.write().take().is_some() {
            tracing::warn!(server = self.server, "the cache in redis is given up for now: calls go upstream");
            self.lost.notify_one();
        }
    }

    async fn connect(&self) -> Option<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        let opening = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = tokio::time::timeout(CONNECT, opening).await.ok()?.ok()?;
        let ping = redis::cmd("PING");
        let answered = ping.query_async::<redis::Value>(&mut connection);
        tokio::time::timeout(self.deadline, answered).await.ok()?.ok()?;
        Some(connection)
    }
}

/// Connects, and again whenever the connection is lost.
async fn keep(shared: Arc<Shared>) {
    let mut wait = SOONEST;
    let mut said = false;
    loop {
        match shared.connect().await {
            Some(connection) => {
                tracing::info!(server = shared.server, "the cache in redis is there");
                *shared.connection.write() = Some(connection);
                (wait, said) = (SOONEST, false);
                shared.lost.notified().await;
            }
            None if !said => {
                said = true;
                tracing::warn!(
                    server = shared.server,
                    "the cache in redis cannot be reached: calls go upstream"
                );
            }
            None => {}
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LATEST);
    }
}

trait KindName {
    fn kind_name(&self) -> String;
}

impl KindName for RedisError {
    fn kind_name(&self) -> String {
        format!("{:?}", self.kind())
    }
}
