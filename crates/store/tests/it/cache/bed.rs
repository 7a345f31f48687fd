//! A cache for one test: in memory, or in a database of its own of a real Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bedplate_core::cache::{Cache, CacheKey, Entry, Fingerprint, KeyParts, Place, Tags};
use bedplate_core::call::{CallId, Headers, Operation};
use bedplate_core::clock::Clock;
use bedplate_core::content::Content;
use bedplate_core::ids::{Ids, SystemIds};
use bedplate_core::setting::SecretRef;
use bedplate_core::usage::Usage;
use bedplate_seal::MasterKey;
use bedplate_store::{HotConfig, Means, Room};
use bedplate_testkit::{ManualClock, SeededIds};
use tokio::runtime::Handle;

pub(crate) struct CacheBed {
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) clock: ManualClock,
    /// `None` in memory.
    pub(crate) url: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "the tests' server is named by the environment")]
pub(crate) fn redis_server() -> String {
    std::env::var("BEDPLATE_TEST_REDIS")
        .expect("BEDPLATE_TEST_REDIS names no Redis: run the tests with scripts/test")
}

/// A database that no other test uses, empty.
pub(crate) async fn redis_url() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let database = (std::process::id() * 8 + NEXT.fetch_add(1, Ordering::Relaxed)) % 4_096;
    let url = format!("{}/{database}", redis_server());
    let _: String = redis(&url, &["FLUSHDB"]).await;
    url
}

/// Asks the server behind the cache's back.
pub(crate) async fn redis<T: ::redis::FromRedisValue>(url: &str, words: &[&str]) -> T {
    let client = ::redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut cmd = ::redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        cmd.arg(*word);
    });
    cmd.query_async(&mut connection).await.unwrap()
}

pub(crate) fn master(seed: u64) -> MasterKey {
    MasterKey::generate(&SeededIds::new(seed))
}

/// Opens a cache in Redis.
pub(crate) fn open(url: &str, clock: &ManualClock, master: &MasterKey, deadline: Duration) -> Arc<dyn Cache> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, url).unwrap();
    let ids: Arc<dyn Ids> = SystemIds::shared();
    let means = Means {
        room: ROOM,
        deadline,
        master,
        ids,
        clock: Arc::new(clock.clone()),
        runtime: &Handle::current(),
    };
    HotConfig::Redis(SecretRef::File(file)).cache(means).unwrap()
}

pub(crate) const ROOM: Room = Room { bytes: 1 << 20, entries: 1_000 };
/// Long: that a server under load is slow is not what most tests are about.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) fn memory(room: Room, clock: &ManualClock) -> Arc<dyn Cache> {
    let (master, ids): (_, Arc<dyn Ids>) = (master(1), SystemIds::shared());
    let means = Means {
        room,
        deadline: DEADLINE,
        master: &master,
        ids,
        clock: Arc::new(clock.clone()),
        runtime: &Handle::current(),
    };
    HotConfig::Memory.cache(means).unwrap()
}

impl CacheBed {
    pub(crate) async fn memory() -> Self {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        Self { cache: memory(ROOM, &clock), clock, url: None }
    }

    pub(crate) async fn redis() -> Self {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let url = redis_url().await;
        let cache = open(&url, &clock, &master(1), DEADLINE);
        is_up(&*cache).await;
        Self { cache, clock, url: Some(url) }
    }

    /// The same cache, seen from another node.
    pub(crate) async fn another(&self) -> Arc<dyn Cache> {
        match &self.url {
            None => Arc::clone(&self.cache),
            Some(url) => {
                let cache = open(url, &self.clock, &master(1), DEADLINE);
                is_up(&*cache).await;
                cache
            }
        }
    }

    pub(crate) fn entry(&self, body: &str) -> Arc<Entry> {
        let now = self.clock.now();
        let mut headers = Headers::default();
        headers.push("content-type", "application/json");
        headers.push("x-amzn-bedrock-input-token-count", "7");
        Arc::new(Entry {
            call: CallId::new(now, &SeededIds::new(3)),
            headers,
            body: Content::new(body.to_owned().into()),
            usage: Some(Usage { input: 7, output: 3, ..Usage::default() }),
            target: "us.amazon.nova-lite-v1:0".into(),
            region: "us-east-1".into(),
            tier: "flex".into(),
            stop_reason: Some("end_turn".into()),
            made_at: now,
            fresh_until: now.plus(Duration::from_secs(600)),
            kept_until: now.plus(Duration::from_secs(4_200)),
        })
    }
}

pub(crate) async fn is_up(cache: &dyn Cache) {
    while !cache.gauges().up {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn is_down(cache: &dyn Cache) {
    while cache.gauges().up {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn place(request: &str, tags: [&str; 3]) -> Place {
    let [team, feature, model] = tags;
    let none = Fingerprint::NONE;
    let key = CacheKey::of(&KeyParts {
        tenant: [team, "prod", feature],
        rights: none,
        operation: Operation::Converse,
        provider: ["use1", "us-east-1", ""],
        target: model,
        family: "nova",
        prompt: none,
        guard: none,
        policy: none,
        request: Fingerprint::of("test", [request.as_bytes()]),
    });
    Place { key, tags: Tags { team: team.into(), feature: feature.into(), model: model.into() } }
}

pub(crate) const TAGS: [&str; 3] = ["support", "triage", "us.amazon.nova-lite-v1:0"];
