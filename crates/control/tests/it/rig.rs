//! A running control listener over a ledger in memory, on a clock that stands still.

use std::sync::{Arc, Mutex};

use bedplate_control::budgets::Treasurer;
use bedplate_control::keys::Keymaker;
use bedplate_control::{CacheDesk, Health, Live, Part, Parts, Readiness, Server};
use bedplate_core::clock::Clock;
use bedplate_core::pace::LimitStands;
use bedplate_core::ports::{Calls, Keys};
use bedplate_core::record::Outcome;
use bedplate_core::secret::Secret;
use bedplate_cost::budget::BudgetConfig;
use bedplate_seal::MasterKey;
use bedplate_testkit::{ManualClock, SeededIds};
use hyper::Method;
use rustls::ServerConfig;

use crate::client::{self, Reply};
use crate::memory::Memory;

pub(crate) const KEY: &str = "the-admin-key-of-these-tests-9f2c";
pub(crate) const NOON: &str = "2026-11-22T12:00:00Z";

pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) ledger: Arc<Memory>,
    pub(crate) live: Arc<Live>,
    pub(crate) treasurer: Arc<Treasurer>,
    pub(crate) configured: Arc<Mutex<Vec<BudgetConfig>>>,
    pub(crate) clock: ManualClock,
    pub(crate) health: Arc<Told>,
}

/// Parts that a test sets.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<Part>>);

impl Health for Told {
    fn ready(&self) -> Readiness {
        Readiness { parts: self.0.lock().unwrap().clone() }
    }
}

pub(crate) fn keymaker(ledger: &Arc<Memory>, clock: &ManualClock) -> Keymaker {
    let ids = Arc::new(SeededIds::new(11));
    Keymaker {
        ledger: Arc::clone(ledger) as Arc<dyn Keys>,
        master: Arc::new(MasterKey::generate(&*ids)),
        ids,
        clock: Arc::new(clock.clone()),
    }
}

pub(crate) fn desk(clock: &ManualClock) -> CacheDesk {
    let cache = Arc::new(bedplate_testkit::MemoryCache::new(Arc::new(clock.clone())));
    CacheDesk { cache, tally: Arc::default() }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::over(None, Vec::new()).await
    }

    /// With calls that the ledger holds already.
    pub(crate) async fn over(tls: Option<Arc<ServerConfig>>, calls: Vec<Outcome>) -> Self {
        let clock = ManualClock::at(NOON);
        let ledger = Arc::new(Memory::default());
        let shared: Vec<_> = calls.into_iter().map(Arc::new).collect();
        ledger.append(&shared).await.unwrap();
        let live = Live::new(Arc::new(clock.clone()));
        let configured = Arc::<Mutex<Vec<BudgetConfig>>>::default();
        let treasurer = Arc::new(Treasurer {
            ledger: ledger.clone(),
            clock: Arc::new(clock.clone()),
            configured: {
                let configured = configured.clone();
                Arc::new(move || configured.lock().unwrap().clone())
            },
        });
        let health = Arc::new(Told::default());
        let parts = Parts {
            ledger: ledger.clone(),
            keymaker: Arc::new(keymaker(&ledger, &clock)),
            admin_key: Secret::new(KEY),
            health: health.clone(),
            metrics: Arc::new(|| "# TYPE bedplate_up gauge\nbedplate_up 1\n".into()),
            live: live.clone(),
            cache: desk(&clock),
            models: Arc::new(Vec::new),
            limits: Arc::new(|| Box::pin(std::future::ready(LimitStands::default()))),
            treasurer: treasurer.clone(),
            clock: Arc::new(clock.clone()) as Arc<dyn Clock>,
            version: "0.1.0-test",
        };
        let server = Server::start(([127, 0, 0, 1], 0).into(), tls, parts).await.unwrap();
        Self { server, ledger, live, treasurer, configured, clock, health }
    }

    /// With these headers only.
    pub(crate) async fn plain(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        client::ask(self.server.addr(), method, path, headers, body).await
    }

    /// With the admin key.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.plain(Method::GET, path, &[("authorization", &format!("Bearer {KEY}"))], "").await
    }

    /// With the admin key.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        self.plain(Method::POST, path, &[("authorization", &format!("Bearer {KEY}"))], body).await
    }
}
