//! Answers in Redis, for many nodes. Everything of the answer is encrypted there, and named by a keyed hash.
//!
//! | key | what |
//! |---|---|
//! | `bedplate:cache:1:e:NAME` | an entry; its own time to live |
//! | `bedplate:cache:1:p:all`, `…:p:team:T`, `…:p:feature:F`, `…:p:model:M` | the last purge of that kind, a random number |
//!
//! An entry says which purges had been when it was asked for. A look reads entry and purges in one round trip and
//! takes the entry only when they are the same: so a purge is one write, holds at once on every node, and concerns
//! answers that are on their way. The entries themselves are then dropped by a scan.
//!
//! Redis Cluster is not supported: a look reads several keys.

mod format;
pub(crate) mod link;
pub(crate) mod rates;
mod script;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::cache::{Cache, CacheError, Entry, Epoch, Gauges, Looked, Place, Purge, Stats};
use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_seal::MasterKey;
use redis::{Cmd, FromRedisValue, Pipeline};

use format::Sealer;
use link::Link;

/// The cache of many processes.
pub(crate) struct Redis {
    link: Link,
    sealer: Sealer,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
}

/// How many keys a scan asks for at once.
const PAGE: usize = 1_000;
/// A purge is remembered longer than any entry lives.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);
/// What operators ask for may take longer than what calls wait for.
const PATIENCE: Duration = Duration::from_secs(20);

impl Redis {
    /// The cache at a server, which need not be there.
    pub(crate) fn new(link: Link, master: &MasterKey, ids: Arc<dyn Ids>, clock: Arc<dyn Clock>) -> Self {
        Self { link, sealer: Sealer::new(master), ids, clock }
    }

    /// Every entry's name and size, page by page; `take` gives those to be dropped.
    async fn scan(&self, mut take: impl FnMut(&[u8], u64) -> bool + Send) -> Result<u64, CacheError> {
        let (mut cursor, mut dropped) = (0u64, 0);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", format::ENTRY)).arg("COUNT").arg(PAGE);
            let (next, names): (u64, Vec<Vec<u8>>) = self.patient(&scan).await?;
            let mut heads = redis::pipe();
            for name in &names {
                heads.cmd("GETRANGE").arg(name).arg(0).arg(format::HEAD_MOST).cmd("STRLEN").arg(name);
            }
            let heads: Vec<redis::Value> =
                if names.is_empty() { Vec::new() } else { self.patient_all(&heads).await? };
            let mut doomed = redis::cmd("UNLINK");
            let mut any = false;
            for (name, pair) in names.iter().zip(heads.chunks(2)) {
                let [head, size] = pair else { continue };
                let (head, size) = (bytes(head), number(size));
                if take(&head, size) {
                    doomed.arg(name);
                    any = true;
                }
            }
            if any {
                dropped += self.patient::<u64>(&doomed).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(dropped);
            }
        }
    }

    async fn patient<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, CacheError> {
        self.link.ask_within(PATIENCE, cmd).await
    }

    async fn patient_all<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, CacheError> {
        self.link.ask_all_within(PATIENCE, pipe).await
    }
}

fn bytes(value: &redis::Value) -> Vec<u8> {
    redis::from_redis_value_ref(value).unwrap_or_default()
}

fn number(value: &redis::Value) -> u64 {
    redis::from_redis_value_ref(value).unwrap_or_default()
}

#[async_trait]
impl Cache for Redis {
    async fn get(&self, place: &Place) -> Result<Looked, CacheError> {
        let name = self.sealer.name(&place.key);
        let mut look = redis::cmd("MGET");
        look.arg(&name);
        for mark in format::marks(&place.tags) {
            look.arg(mark);
        }
        let found: Vec<Option<Vec<u8>>> = self.link.ask(&look).await?;
        let mut found = found.into_iter();
        let sealed = found.next().flatten();
        let mut epoch = Epoch::default();
        for mark in &mut epoch.0 {
            *mark = found
                .next()
                .flatten()
                .and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok())
                .unwrap_or(0);
        }
        // the next answer is put over what is damaged
        let entry = sealed.and_then(|sealed| {
            let opened = self.sealer.open(&name, &sealed, epoch);
            opened.inspect_err(|why| self.link.damaged(why)).ok().flatten().map(Arc::new)
        });
        let entry = entry.filter(|entry| self.clock.now() < entry.kept_until);
        Ok(Looked { entry, epoch })
    }

    async fn put(&self, place: &Place, entry: &Arc<Entry>, epoch: Epoch) -> Result<(), CacheError> {
        let now = self.clock.now();
        let left = entry.kept_until.millis().saturating_sub(now.millis());
        if left <= 0 {
            return Ok(());
        }
        let name = self.sealer.name(&place.key);
        let sealed = self.sealer.seal(&*self.ids, &name, &place.tags, entry, epoch, now);
        let mut put = redis::cmd("SET");
        put.arg(&name).arg(sealed).arg("PX").arg(left);
        let _: redis::Value = self.link.ask(&put).await?;
        self.link.put();
        Ok(())
    }

    async fn purge(&self, what: &Purge) -> Result<u64, CacheError> {
        let mut random = [0; 8];
        self.ids.fill(&mut random);
        let mut mark = redis::cmd("SET");
        // 0 is "never"
        mark.arg(format::mark(what))
            .arg(u64::from_be_bytes(random).max(1))
            .arg("EX")
            .arg(REMEMBERED.as_secs());
        let _: redis::Value = self.patient(&mark).await?;
        self.scan(|head, _| format::tags(head).is_none_or(|tags| what.concerns(&tags))).await
    }

    async fn stats(&self) -> Result<Stats, CacheError> {
        let (mut entries, mut bytes) = (0, 0);
        self.scan(|_, size| {
            entries += 1;
            bytes += size;
            false
        })
        .await?;
        Ok(Stats { store: format!("redis {}", self.link.server()), entries, bytes })
    }

    fn gauges(&self) -> Gauges {
        self.link.gauges()
    }
}
