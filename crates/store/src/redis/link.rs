//! The connection, and what happens without one.
//!
//! One connection serves all threads, and everything that is kept there: each user has a link of its own to it. When it breaks, or three questions in a row were not answered in time, it is
//! given up, and whoever asks is told so at once, without waiting. A task connects again, first after 100 ms, later
//! every 5 s, and gives the connection out when the server has answered on it in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::cache::{CacheError, Gauges};
use parking_lot::RwLock;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind,
};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::script::{Run, Script};

/// The way of one user to a server.
pub(crate) struct Link {
    keeper: Arc<Keeper>,
    failures: AtomicU64,
    puts: AtomicU64,
}

/// Ends the task that keeps the connection with the last link to it.
struct Keeper {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    client: Client,
    server: String,
    deadline: Duration,
    connection: RwLock<Option<MultiplexedConnection>>,
    lost: Notify,
    /// Questions in a row that were not answered in time.
    late: AtomicU32,
}

/// So many late answers in a row, and the server is left alone for a while.
const LATE: u32 = 3;
const SOONEST: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(5);
/// How long a new connection may take to stand.
const CONNECT: Duration = Duration::from_secs(2);

impl Link {
    pub(crate) fn open(url: &str, deadline: Duration, runtime: &Handle) -> Result<Self, CacheError> {
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
        });
        let task = runtime.spawn(keep(Arc::clone(&shared))).abort_handle();
        Ok(Self::of(Arc::new(Keeper { shared, task })))
    }

    /// Another way to the same server, by the same connection, that counts by itself.
    pub(crate) fn another(&self) -> Self {
        Self::of(Arc::clone(&self.keeper))
    }

    fn of(keeper: Arc<Keeper>) -> Self {
        Self { keeper, failures: AtomicU64::new(0), puts: AtomicU64::new(0) }
    }

    fn shared(&self) -> &Shared {
        &self.keeper.shared
    }

    /// Asks within the deadline of calls.
    pub(super) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, CacheError> {
        self.ask_within(self.shared().deadline, cmd).await
    }

    pub(super) async fn ask_within<T: FromRedisValue>(
        &self,
        deadline: Duration,
        cmd: &Cmd,
    ) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        let asked = cmd.query_async(&mut connection);
        self.judge(deadline, tokio::time::timeout(deadline, asked).await)
    }

    pub(super) async fn ask_all_within<T: FromRedisValue>(
        &self,
        deadline: Duration,
        pipe: &Pipeline,
    ) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        let asked = pipe.query_async(&mut connection);
        self.judge(deadline, tokio::time::timeout(deadline, asked).await)
    }

    /// Runs a script within the deadline of calls; the server that does not know it is sent the whole of it.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &Script, run: &Run) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        let deadline = self.shared().deadline;
        let asked = async {
            let known = run.cmd("EVALSHA", &script.sha1).query_async(&mut connection).await;
            match known {
                Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    run.cmd("EVAL", script.text).query_async(&mut connection).await
                }
                known => known,
            }
        };
        let answered = tokio::time::timeout(deadline, asked).await;
        self.judge(deadline, answered)
    }

    /// An answer was put in.
    pub(super) fn put(&self) {
        self.puts.fetch_add(1, Ordering::Relaxed);
    }

    /// An entry could not be read.
    pub(super) fn damaged(&self, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(server = self.shared().server, why, "an entry of the cache cannot be read");
    }

    pub(super) fn server(&self) -> &str {
        &self.shared().server
    }

    pub(super) fn is_up(&self) -> bool {
        self.shared().connection.read().is_some()
    }

    pub(super) fn gauges(&self) -> Gauges {
        Gauges {
            up: self.is_up(),
            failures: self.failures.load(Ordering::Relaxed),
            puts: self.puts.load(Ordering::Relaxed),
            held: None,
        }
    }

    fn connection(&self) -> Result<MultiplexedConnection, CacheError> {
        let shared = self.shared();
        shared.connection.read().clone().ok_or_else(|| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            CacheError::Unavailable(format!("redis {} cannot be reached", shared.server))
        })
    }

    fn judge<T>(
        &self,
        deadline: Duration,
        answered: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, CacheError> {
        let shared = self.shared();
        let why = match answered {
            Ok(Ok(value)) => {
                shared.late.store(0, Ordering::Relaxed);
                return Ok(value);
            }
            Ok(Err(e)) => {
                let moved = e.code() == Some("READONLY");
                if moved || e.is_connection_dropped() || e.is_io_error() || e.is_unrecoverable_error() {
                    shared.give_up();
                }
                // the kind alone: details may hold what was sent
                e.kind_name()
            }
            Err(_) => {
                if shared.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
                    shared.give_up();
                }
                format!("no answer in {} ms", deadline.as_millis())
            }
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        Err(CacheError::Unavailable(format!("redis {}: {why}", shared.server)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn give_up(&self) {
        self.late.store(0, Ordering::Relaxed);
        if self.connection.write().take().is_some() {
            tracing::warn!(
                server = self.server,
                "redis is given up for now: kept answers are not found, and rates are counted by this node alone"
            );
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
                tracing::info!(server = shared.server, "redis is there");
                *shared.connection.write() = Some(connection);
                (wait, said) = (SOONEST, false);
                shared.lost.notified().await;
            }
            None if !said => {
                said = true;
                tracing::warn!(
                    server = shared.server,
                    "redis cannot be reached: kept answers are not found, and rates are counted by this node alone"
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
