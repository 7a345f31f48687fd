//! One process: its clock, its purses, what it has not written yet, and how it stands still.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bedplate_core::budget::NodeId;
use bedplate_core::clock::{Clock, Tick, Timestamp};
use bedplate_core::ports::Budgets;
use bedplate_core::record::Outcome;
use bedplate_cost::budget::Budget;
use bedplate_pipeline::budget::{Index, Purses, Terms};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::wire::Wire;

pub(crate) const TERMS: Terms =
    Terms { lease: Duration::from_secs(10), wait: Duration::from_secs(1), deadline: Duration::from_secs(2) };
const FLUSH: Duration = Duration::from_millis(200);
const BATCH: usize = 6;

pub(crate) struct Node {
    /// Which process, of all there were.
    pub at: usize,
    pub name: NodeId,
    pub clock: Arc<NodeClock>,
    pub wire: Arc<Wire>,
    pub purses: Arc<Purses>,
    pub budgets: RefCell<Vec<Arc<Budget>>>,
    pub phase: Cell<Phase>,
    pub frost: Rc<Frost>,
    /// Settled and not written.
    pub pending: RefCell<VecDeque<Arc<Outcome>>>,
    writing: tokio::sync::Mutex<()>,
    /// How many records were written again because nobody heard that they were written.
    pub again: Cell<u64>,
    pub tasks: RefCell<JoinSet<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    /// It takes no more calls.
    Draining,
    /// It gave back what it had; `true` when it must have given back everything.
    Closed(bool),
    Dead,
}

impl Node {
    pub(crate) fn new(at: usize, clock: NodeClock, wire: Arc<Wire>, budgets: Vec<Budget>) -> Rc<Self> {
        let name = NodeId(format!("node-{at}").into());
        let clock = Arc::new(clock);
        let port = Arc::clone(&wire) as Arc<dyn Budgets>;
        let purses = Purses::new(port, Arc::clone(&clock) as Arc<dyn Clock>, name.clone(), TERMS);
        let node = Rc::new(Self {
            at,
            name,
            clock,
            wire,
            purses,
            budgets: RefCell::default(),
            phase: Cell::new(Phase::Open),
            frost: Rc::default(),
            pending: RefCell::default(),
            writing: tokio::sync::Mutex::default(),
            again: Cell::new(0),
            tasks: RefCell::default(),
        });
        node.set(budgets);
        let (writer, keeper) = (Rc::clone(&node), Rc::clone(&node));
        node.run(async move { writer.write().await });
        node.run(async move { keeper.keep().await });
        node
    }

    pub(crate) fn set(&self, budgets: Vec<Budget>) {
        *self.budgets.borrow_mut() = budgets.iter().cloned().map(Arc::new).collect();
        self.purses.set(Index::new(budgets));
    }

    pub(crate) fn lives(&self) -> bool {
        matches!(self.phase.get(), Phase::Open | Phase::Draining)
    }

    /// Runs as long as the process does, and stands still when it does.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + 'static) {
        let frost = Rc::clone(&self.frost);
        self.tasks.borrow_mut().spawn_local(Frosted { frost, task: Box::pin(task) });
    }

    async fn keep(&self) {
        while self.lives() {
            self.purses.rest().await;
            let _ = self.purses.round().await;
        }
    }

    async fn write(&self) {
        while self.lives() {
            sleep(FLUSH).await;
            self.flush().await;
        }
    }

    /// Writes what is pending until something fails: the same batch is written again then.
    pub(crate) async fn flush(&self) {
        let _turn = self.writing.lock().await;
        loop {
            let batch: Vec<_> = self.pending.borrow().iter().take(BATCH).cloned().collect();
            let n = batch.len();
            if n == 0 {
                return;
            }
            if !matches!(timeout(TERMS.deadline, self.wire.append(batch)).await, Ok(Ok(()))) {
                self.again.set(self.again.get() + n as u64);
                return;
            }
            drop(self.pending.borrow_mut().drain(..n));
        }
    }
}

/// A wall clock that can be set, and a monotonic one that cannot.
pub(crate) struct NodeClock {
    began: Instant,
    wall: i64,
    skew: AtomicI64,
    stepped: AtomicBool,
}

impl NodeClock {
    pub(crate) fn new(began: Instant, wall: Timestamp, skew: i64) -> Self {
        Self { began, wall: wall.0, skew: AtomicI64::new(skew), stepped: AtomicBool::new(false) }
    }

    pub(crate) fn step(&self, micros: i64) {
        self.skew.fetch_add(micros, Ordering::Relaxed);
        self.stepped.store(true, Ordering::Relaxed);
    }

    /// Whether it always showed about what it should.
    pub(crate) fn is_right(&self) -> bool {
        !self.stepped.load(Ordering::Relaxed)
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let since = self.began.elapsed().as_micros() as i64;
        Timestamp(self.wall + since + self.skew.load(Ordering::Relaxed))
    }

    fn tick(&self) -> Tick {
        Tick(self.began.elapsed().as_nanos() as u64)
    }
}

/// Whether a process stands still. Its timers run on, and it sees that only when it goes on.
#[derive(Default)]
pub(crate) struct Frost {
    since: Cell<Option<Instant>>,
    until: Cell<Option<Instant>>,
    /// How long it has stood still so far, all in all.
    total: Cell<Duration>,
    waiting: RefCell<Vec<Waker>>,
}

impl Frost {
    pub(crate) fn freeze(&self, until: Instant) {
        if self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
        }
        self.until.set(self.until.get().max(Some(until)));
    }

    /// Goes on if its time has come, or `anyway`.
    pub(crate) fn thaw(&self, anyway: bool) {
        let now = Instant::now();
        if let Some(since) = self.since.get()
            && (anyway || self.until.get().is_none_or(|until| until <= now))
        {
            self.total.set(self.total.get() + (now - since));
            self.since.set(None);
            self.until.set(None);
            self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        }
    }

    /// For how long it has stood still now.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        self.since.get().map(|since| since.elapsed())
    }

    pub(crate) fn total(&self) -> Duration {
        self.total.get()
    }
}

struct Frosted<F> {
    frost: Rc<Frost>,
    task: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Future for Frosted<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.frost.since.get().is_some() {
            self.frost.waiting.borrow_mut().push(cx.waker().clone());
            return Poll::Pending;
        }
        self.task.as_mut().poll(cx)
    }
}
