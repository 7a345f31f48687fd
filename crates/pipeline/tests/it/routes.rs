//! Calls that name an alias: who is asked, how often, and what it costs.

mod chance;
mod cut;
mod deadline;
mod exercise;
mod hedge;
mod money;
mod room;
mod rules;
mod steps;
mod sticky;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::budget::NodeId;
use bedplate_core::call::Operation;
use bedplate_core::clock::Clock;
use bedplate_core::ports::Budgets;
use bedplate_core::record::Outcome;
use bedplate_core::refusal::Refusal;
use bedplate_core::route::AliasStand;
use bedplate_pipeline::budget::{Index, Purses, Terms};
use bedplate_pipeline::{
    Answer, Ask, BreakerConfig, CacheConfig, Call, Deadlines, Failed, Health, Means, ModelConfig, Provider,
    ProviderFacts, Refused, Reply, ReplyBody, RetryConfig, Routes, Single, Timeouts,
};
use bedplate_testkit::{MemoryCache, MemoryLedger};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::budget::built;
use crate::house::{House, Script, Scripted, call};

pub(crate) const LITE: &str = "us.amazon.nova-lite-v1:0";

/// Two regions, and a lighter model.
pub(crate) const CHAIN: &str = "name = 'triage'\n\
    targets = ['use1/us.amazon.nova-lite-v1:0', { target = 'usw2/us.amazon.nova-lite-v1:0', weight = 0 }]\n\
    fallback = [{ target = 'use1/us.amazon.nova-micro-v1:0' }, { answer = 'We are busy.' }]\n\
    timeout = { connect = '1s', first_token = '8s', idle = '20s', total = '10s' }\n";

/// A provider whose answers come in order, and then always the last.
pub(crate) struct Cued {
    facts: ProviderFacts,
    cues: Mutex<VecDeque<Script>>,
    then: Script,
    /// What was called, when, and until when.
    asked: Mutex<Vec<(Arc<str>, Instant, Instant)>>,
}

impl Cued {
    pub(crate) fn new(name: &str, cues: impl IntoIterator<Item = Script>, then: Script) -> Arc<Self> {
        Arc::new(Self::of(name, cues, then))
    }

    /// One that takes so many calls at a time.
    pub(crate) fn narrow(name: &str, slots: u32, then: Script) -> Arc<Self> {
        let mut cued = Self::of(name, [], then);
        let quota = format!("from = 'config'\nconcurrency = {slots}");
        cued.facts.quota = Some(Arc::new(toml::from_str(&quota).unwrap()));
        Arc::new(cued)
    }

    fn of(name: &str, cues: impl IntoIterator<Item = Script>, then: Script) -> Self {
        let region = if name == "usw2" { "us-west-2" } else { "us-east-1" };
        let facts = ProviderFacts {
            name: name.into(),
            region: region.into(),
            account: "".into(),
            stamps: true,
            quota: None,
        };
        Self { facts, cues: Mutex::new(cues.into_iter().collect()), then, asked: Mutex::default() }
    }

    pub(crate) fn asked(&self) -> Vec<(Arc<str>, Instant, Instant)> {
        self.asked.lock().clone()
    }
}

impl Provider for Cued {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn attempt(
        self: Arc<Self>,
        ask: Ask,
        deadlines: Deadlines,
    ) -> BoxFuture<'static, Result<Answer, Failed>> {
        self.asked.lock().push((Arc::clone(&ask.target), Instant::now(), deadlines.total));
        let script = self.cues.lock().pop_front().unwrap_or_else(|| self.then.clone());
        Arc::new(Scripted { facts: self.facts.clone(), script }).attempt(ask, deadlines)
    }
}

/// A house with one alias, `triage`.
pub(crate) struct Bed {
    pub(crate) house: House,
    pub(crate) purses: Option<Arc<Purses>>,
    pub(crate) health: Health,
}

impl Bed {
    pub(crate) fn new(alias: &str, providers: &[Arc<Cued>]) -> Self {
        Self::with(alias, RetryConfig::default(), providers, None)
    }

    pub(crate) fn with(
        alias: &str,
        retry: RetryConfig,
        providers: &[Arc<Cued>],
        budgets: Option<&str>,
    ) -> Self {
        let providers: Vec<Arc<dyn Provider>> =
            providers.iter().map(|p| Arc::clone(p) as Arc<dyn Provider>).collect();
        let mut house = House::over(Arc::clone(&providers[0]), |clock| {
            let clock: Arc<dyn Clock> = Arc::new(clock.clone());
            let single = Single::new(Arc::new(MemoryCache::new(Arc::clone(&clock))));
            CacheConfig::default().build(&single, &clock)
        });
        let health = Health::default();
        let model: ModelConfig = toml::from_str(alias).unwrap();
        let pipeline = Arc::get_mut(&mut house.pipeline).unwrap();
        let timeouts: Timeouts = pipeline.timeouts;
        let means = Means {
            providers: &providers,
            timeouts,
            breaker: BreakerConfig::default(),
            health: &health,
            pace: &house.books.pace,
            adaptive: true,
        };
        pipeline.routes = Arc::new(Routes::with(retry, &[model], means).unwrap());
        let purses = budgets.map(|budgets| {
            let terms = Terms {
                lease: Duration::from_secs(60),
                wait: Duration::from_secs(1),
                deadline: Duration::from_secs(2),
            };
            let ledger = Arc::new(MemoryLedger::default()) as Arc<dyn Budgets>;
            let purses = Purses::new(ledger, Arc::new(house.clock.clone()), NodeId("n".into()), terms);
            purses.set(Index::new(built(budgets)));
            purses
        });
        Arc::get_mut(&mut house.books).unwrap().purses.clone_from(&purses);
        Self { house, purses, health }
    }

    /// How the alias stands.
    pub(crate) fn stands(&self) -> Vec<AliasStand> {
        let (books, clock) = (&self.house.books, &self.house.clock);
        self.house.pipeline.routes.stands(&books.prices, clock.tick(), clock.now())
    }

    /// Calls the alias; a refusal is settled as the door does it.
    pub(crate) async fn ask(&self, op: Operation, name: &str) -> Result<Reply, Refusal> {
        self.ask_within(op, name, None).await
    }

    /// The same with a deadline of the caller's.
    pub(crate) async fn ask_within(
        &self,
        op: Operation,
        name: &str,
        deadline: Option<Duration>,
    ) -> Result<Reply, Refusal> {
        let mut call = call(op);
        call.name = name.to_owned();
        call.tags.until = deadline.map(|deadline| Instant::now() + deadline);
        self.send(call).await
    }

    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Refusal> {
        let mut record = self.house.open().await.unwrap();
        record.called(call.operation, &call.name, &call.tags);
        match self.house.pipeline.run(call, record).await {
            Ok(reply) => Ok(reply),
            Err(Refused(refused)) => {
                let (refusal, record) = *refused;
                record.refused(&refusal, 503, "ServiceUnavailableException");
                Err(refusal)
            }
        }
    }

    /// Calls the alias, and reads the answer to its end; gives its row.
    pub(crate) async fn row(&self, op: Operation) -> Arc<Outcome> {
        self.read_within(op, None).await;
        Arc::clone(self.house.settled().await.last().unwrap())
    }
}

impl Bed {
    /// Calls the alias, and reads the answer to its end.
    pub(crate) async fn read_within(&self, op: Operation, deadline: Option<Duration>) {
        let reply = self.ask_within(op, "triage", deadline).await;
        if let Ok(Reply { body: ReplyBody::Stream(mut flow), .. }) = reply {
            while poll_fn(|cx| flow.poll_next(cx)).await.is_some() {}
        }
    }
}

pub(crate) fn statuses(row: &Outcome) -> Vec<(&str, u16)> {
    row.attempts.iter().map(|a| (&*a.provider, a.status)).collect()
}

pub(crate) fn whole(status: u16) -> Script {
    Script::Whole { after: Duration::from_millis(10), status }
}
