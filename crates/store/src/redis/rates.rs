//! Rates in Redis, for many nodes.
//!
//! | key | what |
//! |---|---|
//! | `bedplate:rate:1:KIND:THROTTLE:OF` | what is missing of a count, and when that was so; lives until the count is full |
//! | `bedplate:nodes:1` | the nodes that live, by when they were last heard of, in the server's time |
//!
//! All counts of a call are asked in one script, so in one round trip, by the server's clock. What is settled is gathered
//! and sent behind the calls' backs.
//!
//! **Without Redis** each node goes on alone, with the limit by the number of nodes that was last known, rounded up; what
//! is larger than that part, and not larger than the limit, fits when nothing is missing. When Redis is there again it
//! counts again, from what stands there. A question that was not answered in time may have taken something: that refills
//! like everything else.
//!
//! Redis Cluster is not supported: a script touches several keys.

mod looked;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::ids::{Ids, text};
use bedplate_core::rate::{
    Correction, CountId, Draw, Gauges, InUse, Level, Origin, Rates, Short, Taken, Taking, Watched,
};
use bedplate_core::refusal::Retry;
use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::link::Link;
use super::script::{Run, Script};
use crate::rates::Counts;

/// The rates of many nodes.
pub(crate) struct RedisRates {
    inner: Arc<Inner>,
    tasks: [AbortHandle; 2],
}

struct Inner {
    link: Link,
    take: Script,
    settle: Script,
    /// What this node counts alone.
    counts: Counts,
    corrections: mpsc::Sender<Vec<Correction>>,
    nodes: AtomicU32,
    alone: AtomicU64,
    lost: AtomicU64,
    /// The last wish was decided alone.
    apart: AtomicBool,
    runtime: Handle,
}

/// How often a node says that it lives.
const BEAT: Duration = Duration::from_secs(2);
/// How often it tries to, while it cannot.
const AGAIN: Duration = Duration::from_millis(250);
/// After how long a node that is not heard of is gone.
const GONE: Duration = Duration::from_secs(10);
/// Settled calls that wait for Redis at most.
const WAITING: usize = 16_384;
/// Settled calls that are sent at once.
const BATCH: usize = 256;

impl RedisRates {
    /// `runtime` must not be one that serves calls.
    pub(crate) fn new(link: Link, ids: &dyn Ids, clock: Arc<dyn Clock>, runtime: &Handle) -> Self {
        let (corrections, settled) = mpsc::channel(WAITING);
        let inner = Arc::new(Inner {
            link,
            take: Script::new(include_str!("rates/take.lua")),
            settle: Script::new(include_str!("rates/settle.lua")),
            counts: Counts::new(clock),
            corrections,
            nodes: AtomicU32::new(1),
            alone: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            apart: AtomicBool::new(false),
            runtime: runtime.clone(),
        });
        let node = text(ids, b"abcdefghijklmnopqrstuvwxyz0123456789", 16);
        let beating = runtime.spawn(beat(Arc::clone(&inner), node));
        let settling = runtime.spawn(settle(Arc::clone(&inner), settled));
        Self { inner, tasks: [beating.abort_handle(), settling.abort_handle()] }
    }
}

impl Drop for RedisRates {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Rates for RedisRates {
    fn take(&self, draws: &[Draw]) -> Taking {
        if !self.inner.link.is_up() {
            return Taking::Now(self.inner.alone(draws));
        }
        let asked = Asked::new(Arc::clone(&self.inner), draws.to_vec());
        Taking::Asked(Box::pin(asked))
    }

    fn settle(&self, from: Origin, corrections: Vec<Correction>) {
        match from {
            Origin::Alone => self.inner.counts.correct(&corrections, self.nodes()),
            Origin::Shared => self.inner.correct(corrections),
        }
    }

    fn in_use<'a>(&'a self, of: &'a [Watched], most: usize) -> BoxFuture<'a, InUse> {
        Box::pin(self.inner.in_use(of, most))
    }

    fn nodes(&self) -> u32 {
        self.inner.nodes.load(Ordering::Relaxed)
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            up: self.inner.link.is_up(),
            nodes: self.nodes(),
            alone: self.inner.alone.load(Ordering::Relaxed),
            lost: self.inner.lost.load(Ordering::Relaxed),
            held: self.inner.counts.held(),
        }
    }
}

impl Inner {
    async fn take(&self, draws: &[Draw]) -> Taken {
        let mut run = Run::default();
        for draw in draws {
            run.keys.push(name(&draw.count));
            run.numbers.extend([whole(draw.limit), whole(draw.amount)]);
        }
        match self.link.run::<Vec<i64>>(&self.take, &run).await {
            Ok(said) => {
                if self.apart.swap(false, Ordering::Relaxed) {
                    tracing::info!("rates are shared with other nodes again");
                }
                read(&said, draws)
            }
            Err(_) => self.alone(draws),
        }
    }

    fn alone(&self, draws: &[Draw]) -> Taken {
        self.alone.fetch_add(1, Ordering::Relaxed);
        let nodes = self.nodes.load(Ordering::Relaxed);
        if !self.apart.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                nodes,
                "rates cannot be shared: this node goes on alone with its part of each limit"
            );
        }
        self.counts.take_of(draws, nodes, Origin::Alone)
    }

    fn correct(&self, corrections: Vec<Correction>) {
        let n = corrections.len();
        if self.corrections.try_send(corrections).is_err() {
            self.lose(n);
        }
    }

    fn lose(&self, corrections: usize) {
        self.lost.fetch_add(corrections as u64, Ordering::Relaxed);
    }

    async fn send(&self, corrections: HashMap<CountId, (u64, i64), RandomState>) {
        let mut run = Run::default();
        for (count, (limit, more)) in &corrections {
            run.keys.push(name(count));
            run.numbers.extend([whole(*limit), *more]);
        }
        if self.link.run::<i64>(&self.settle, &run).await.is_err() {
            self.lose(corrections.len());
        }
    }
}

/// A wish on its way. Dropped before the answer has come it is waited for elsewhere, and what it took is given back.
struct Asked {
    asked: Option<BoxFuture<'static, Taken>>,
    inner: Arc<Inner>,
    draws: Arc<Vec<Draw>>,
}

impl Asked {
    fn new(inner: Arc<Inner>, draws: Vec<Draw>) -> Self {
        let draws = Arc::new(draws);
        let asked: BoxFuture<'static, Taken> = {
            let (inner, draws) = (Arc::clone(&inner), Arc::clone(&draws));
            Box::pin(async move { inner.take(&draws).await })
        };
        Self { asked: Some(asked), inner, draws }
    }
}

impl Future for Asked {
    type Output = Taken;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Taken> {
        let Some(asked) = self.asked.as_mut() else { return std::task::Poll::Pending };
        let taken = std::task::ready!(asked.as_mut().poll(cx));
        self.asked = None;
        std::task::Poll::Ready(taken)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(asked) = self.asked.take() else { return };
        let (inner, draws) = (Arc::clone(&self.inner), Arc::clone(&self.draws));
        self.inner.runtime.spawn(async move {
            let taken = asked.await;
            if taken.short.is_some() {
                return;
            }
            let back = |draw: &Draw| Correction {
                count: draw.count.clone(),
                limit: draw.limit,
                more: -whole(draw.amount),
            };
            let corrections: Vec<Correction> = draws.iter().map(back).collect();
            match taken.from {
                Origin::Alone => inner.counts.correct(&corrections, inner.nodes.load(Ordering::Relaxed)),
                Origin::Shared => inner.correct(corrections),
            }
        });
    }
}

/// Says that the node lives, and hears how many do.
async fn beat(inner: Arc<Inner>, node: String) {
    let script = Script::new(include_str!("rates/beat.lua"));
    let run = Run {
        keys: vec!["bedplate:nodes:1".into()],
        numbers: vec![i64::try_from(GONE.as_millis()).unwrap_or(i64::MAX)],
        texts: vec![node],
    };
    loop {
        match inner.link.run::<u32>(&script, &run).await {
            Ok(nodes) => {
                inner.nodes.store(nodes.max(1), Ordering::Relaxed);
                tokio::time::sleep(BEAT).await;
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Sends what calls have settled, of each count one sum.
async fn settle(inner: Arc<Inner>, mut settled: mpsc::Receiver<Vec<Correction>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while settled.recv_many(&mut batch, BATCH).await > 0 {
        let mut sums: HashMap<CountId, (u64, i64), RandomState> = HashMap::default();
        for Correction { count, limit, more } in batch.drain(..).flatten() {
            let (by, sum) = sums.entry(count).or_insert((limit, 0));
            (*by, *sum) = (limit, sum.saturating_add(more));
        }
        inner.send(sums).await;
    }
}

fn name(count: &CountId) -> String {
    format!("bedplate:rate:1:{}:{}:{}", count.kind, count.throttle, count.of)
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What `take.lua` says.
fn read(said: &[i64], draws: &[Draw]) -> Taken {
    let of = |at: usize| said.get(at).map_or(0, |n| u64::try_from(*n).unwrap_or(0));
    let short = usize::try_from(of(0)).ok().and_then(|at| at.checked_sub(1)).map(|at| {
        let never = said.get(1) == Some(&-1);
        Short { at, retry: if never { Retry::Never } else { Retry::After(Duration::from_millis(of(1))) } }
    });
    let level = |(at, draw): (usize, &Draw)| Level {
        limit: draw.limit,
        remaining: of(2 * at + 2),
        full_in: Duration::from_millis(of(2 * at + 3)),
    };
    Taken { levels: draws.iter().enumerate().map(level).collect(), short, from: Origin::Shared }
}
