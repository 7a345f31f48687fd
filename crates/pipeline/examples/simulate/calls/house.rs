//! A gateway before the upstreams of a world, and its callers.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bedplate_core::budget::NodeId;
use bedplate_core::cache::Canonical;
use bedplate_core::call::{CallId, Headers, Operation};
use bedplate_core::clock::Clock;
use bedplate_core::content::Content;
use bedplate_core::key::{Key, KeyId};
use bedplate_core::ports::{Budgets, Intake};
use bedplate_core::principal::Principal;
use bedplate_core::refusal::Refusal;
use bedplate_core::secret::Secret;
use bedplate_core::view::{Edits, Stamped, View};
use bedplate_pipeline::budget::{Index, Purses, Terms};
use bedplate_pipeline::{
    Admission, Books, CacheConfig, Call, Drain, Evidence, Means, Native, Pipeline, Provider, ProviderFacts,
    Record, Refused, Reply, ReplyBody, RetryConfig, Routes, Single, Tags, Throttles,
};
use bedplate_testkit::{MemoryCache, MemoryLedger, SeededIds};
use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::config::{Config, FOREIGN, MODELS, upstream};
use super::lane::Lane;
use super::plan::{Caller, Plan};
use super::rule::Rule;
use super::upstream::Front;
use super::world::{Life, TICK, World};
use crate::trace::tell;

pub(super) struct House {
    pub world: Arc<World>,
    pub books: Arc<Books>,
    pipeline: RefCell<Arc<Pipeline>>,
    ids: SeededIds,
    key: Arc<Key>,
    pub answered: Cell<u64>,
}

/// Enough for everything: what is held of it is looked at, not whether it suffices.
const BUDGET: &str = "[[budget]]\nname = 'b'\nlimit = '1000000 USD'\n";

impl House {
    pub(super) fn new(world: &Arc<World>, config: &Config, seed: u64) -> Rc<Self> {
        let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
        let purses = config.budgets.then(|| {
            let (lease, wait) = (Duration::from_secs(36_000), Duration::from_secs(1));
            let terms = Terms { lease, wait, deadline: Duration::from_secs(2) };
            let ledger = Arc::new(MemoryLedger::default()) as Arc<dyn Budgets>;
            let purses = Purses::new(ledger, Arc::clone(&clock), NodeId("n".into()), terms);
            purses.set(Index::new(crate::budgets::read(BUDGET)));
            purses
        });
        let books = Arc::new(Books {
            clock,
            intake: Arc::clone(world) as Arc<dyn Intake>,
            sinks: Vec::new(),
            prices: PRICES.with(Arc::clone),
            wait: Duration::from_millis(200),
            open: Arc::new(AtomicU64::new(0)),
            purses,
            estimates: Arc::default(),
            pace: Arc::clone(&world.pace),
            nobody: Arc::from(""),
        });
        let pipeline = RefCell::new(pipeline(world, config));
        let (ids, key) = (SeededIds::new(seed), Arc::new(key()));
        let house = Self { world: Arc::clone(world), books, pipeline, ids, key, answered: Cell::new(0) };
        house.configure(config);
        Rc::new(house)
    }

    /// Puts a configuration in force, as a reload does it.
    pub(super) fn configure(&self, config: &Config) {
        let next = pipeline(&self.world, config);
        drop(self.world.stands());
        self.world.pace.configure(&config.pace);
        next.routes.put_in_force();
        *self.pipeline.borrow_mut() = next;
        let mut state = self.world.state.lock();
        let state = &mut *state;
        let common = state.common;
        for ((upstream, _), lane) in &mut state.lanes {
            lane.flow(&common, Instant::now());
            lane.set(config.upstreams[*upstream], config.pace.adaptive);
            lane.free = None;
        }
        state.common.pace = config.pace;
        state.configs.push(config.clone());
    }

    /// So many processes share what AWS allows.
    pub(super) fn shared_by(&self, nodes: u32) {
        drop(self.world.stands());
        self.world.pace.shared_by(nodes);
        let mut state = self.world.state.lock();
        let state = &mut *state;
        let common = state.common;
        state.lanes.values_mut().for_each(|lane: &mut Lane| lane.flow(&common, Instant::now()));
        state.common.nodes = nodes;
        state.shared = Some(Instant::now());
    }

    /// A call, from its caller's side.
    pub(super) async fn call(&self, plan: Plan) -> usize {
        let id = CallId::new(self.world.clock.now(), &self.ids);
        let caller = plan.caller;
        let (n, until) = {
            let mut state = self.world.state.lock();
            let config = state.configs.len() - 1;
            let life = Life::new(plan.clone(), id, config);
            let until = life.until(&state.configs[config]);
            state.calls.push(life);
            (state.calls.len() - 1, until)
        };
        tell(|| format!("{} call {n}: {plan:?}", self.world.at()));
        match caller {
            Caller::Leaves(after) => {
                let mut life = Box::pin(self.live(n, plan, id));
                if timeout(Duration::from_millis(after), life.as_mut()).await.is_err() {
                    self.over(n, "its caller left");
                }
            }
            Caller::Stays | Caller::Reads(_) | Caller::Silent(_) => self.live(n, plan, id).await,
        }
        if Instant::now() > until + TICK {
            self.world.fail(Rule::Deadline, format!("call {n} ended later than it may"));
        }
        self.over(n, "it has ended");
        n
    }

    fn over(&self, n: usize, why: &'static str) {
        self.world.state.lock().calls[n].over.get_or_insert(why);
    }

    async fn live(&self, n: usize, plan: Plan, id: CallId) {
        let caller = plan.caller;
        let pipeline = Arc::clone(&self.pipeline.borrow());
        self.books.reserve().await.unwrap();
        let (at, began) = (self.world.clock.now(), self.world.clock.tick());
        let mut record = Record::open(Arc::clone(&self.books), id, at, began, Admission::Placed);
        let call = self.asks(n, plan);
        record.called(call.operation, &call.name, &call.tags);
        match pipeline.run(call, record).await {
            Err(Refused(refused)) => {
                let (refusal, record) = *refused;
                self.over(n, "it was refused");
                record.refused(&refusal, 503, "ServiceUnavailableException");
            }
            Ok(Reply { status, body, .. }) => {
                self.answered.set(self.answered.get() + u64::from(status == 200));
                self.over(n, "it was answered");
                let ReplyBody::Stream(mut flow) = body else { return };
                let most = match caller {
                    Caller::Reads(n) | Caller::Silent(n) => n,
                    Caller::Stays | Caller::Leaves(_) => usize::MAX,
                };
                let mut read = 0;
                while read < most && poll_fn(|cx| flow.poll_next(cx)).await.is_some() {
                    read += 1;
                }
                if let (Caller::Silent(_), Some(until)) = (caller, flow.until()) {
                    tokio::time::sleep_until(until).await;
                }
            }
        }
    }

    fn asks(&self, n: usize, plan: Plan) -> Call {
        let operation = if plan.streams { Operation::ConverseStream } else { Operation::Converse };
        let tags = Tags {
            class: Some(plan.class),
            until: plan.deadline.map(|deadline| Instant::now() + Duration::from_millis(deadline)),
            ..Tags::default()
        };
        Call {
            operation,
            name: plan.name.said(),
            path: format!("/{n}"),
            query: String::new(),
            headers: Headers::default(),
            body: Arc::new(Body::new(&plan)),
            key: Arc::clone(&self.key),
            evidence: Box::new(Proven),
            tags,
        }
    }
}

thread_local! {
    static PRICES: Arc<bedplate_cost::PriceBook> = Arc::new(bedplate_cost::PriceBook::embedded());
}

fn pipeline(world: &Arc<World>, config: &Config) -> Arc<Pipeline> {
    let front = |at: usize| {
        let facts = ProviderFacts {
            name: upstream(at).into(),
            region: "us-east-1".into(),
            account: "".into(),
            stamps: false,
            quota: config.quota(at),
        };
        Arc::new(Front { facts, at, world: Arc::clone(world) }) as Arc<dyn Provider>
    };
    let providers: Vec<_> = (0..config.upstreams.len()).map(front).collect();
    let means = Means {
        providers: &providers,
        timeouts: config.timeouts,
        breaker: config.breaker,
        health: &world.health,
        pace: &world.pace,
        adaptive: config.pace.adaptive,
    };
    let retry = RetryConfig { attempts: config.retries };
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let single = Single::new(Arc::new(MemoryCache::new(Arc::clone(&clock))));
    Arc::new(Pipeline {
        throttles: Throttles::default(),
        routes: Arc::new(Routes::with(retry, &config.models(), means).unwrap()),
        allowed: vec![],
        timeouts: config.timeouts,
        drain: Drain { bound: config.drain },
        cache: CacheConfig::default().build(&single, &clock),
    })
}

fn key() -> Key {
    let id = KeyId("key_test".into());
    Key {
        id: id.clone(),
        access_key_id: "AKIA".into(),
        secret_access_key: Secret::new("s"),
        bearer_sha256: [0; 32],
        principal: Principal {
            key: id,
            team: "support".into(),
            feature: "triage".into(),
            environment: "prod".into(),
            risk_profile: "internal".into(),
        },
        features: vec![],
        models: vec![],
        expires_at: None,
        disabled_at: None,
        version: 1,
    }
}

struct Proven;

impl Evidence for Proven {
    fn verify(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

struct Body {
    content: Content,
    most: u64,
    foreign: bool,
}

impl Body {
    fn new(plan: &Plan) -> Self {
        // four bytes to the token, which is what is expected before anything is known
        static SPACES: [u8; 8_000] = [b' '; 8_000];
        let content = Content::new(Bytes::from_static(&SPACES[..plan.prompt as usize * 4]));
        Self { content, most: plan.most, foreign: plan.foreign }
    }
}

impl Native for Body {
    fn content(&self) -> &Content {
        &self.content
    }

    fn view(&self) -> &dyn View {
        self
    }

    fn sha256(&self, _: &Edits) -> [u8; 32] {
        [0; 32]
    }

    fn canonical(&self, _: &Headers) -> Option<Canonical> {
        None
    }

    fn fits(&self, model: &str) -> bool {
        !(self.foreign && model == MODELS[FOREIGN])
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        Some((Headers::default(), Content::new(Bytes::from(text.to_owned()))))
    }
}

impl View for Body {
    fn max_tokens(&self) -> Option<u64> {
        Some(self.most)
    }

    fn bound_output(&self, _: u64, _: &mut Edits) -> bool {
        false
    }

    fn stamp(&self, _: &[(&str, &str)], _: &str, _: &mut Edits) -> Result<Stamped, Refusal> {
        Ok(Stamped { kept: 0, dropped: 0 })
    }
}
