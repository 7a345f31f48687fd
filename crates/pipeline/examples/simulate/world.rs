//! Runs a schedule: some processes, one ledger, and the model beside them.

mod check;

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bedplate_core::call::CallId;
use bedplate_core::clock::{Clock as _, Timestamp};
use bedplate_core::ports::{Budgets as _, Calls as _, StoreError};
use bedplate_core::record::Outcome;
use bedplate_cost::budget::Budget;
use bedplate_pipeline::budget::{Hold, Refused};
use bedplate_testkit::{MemoryLedger, SeededIds};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::dice::Dice;
use crate::model::{Call, Elsewhere, KEYS, Model, State, need, strict, who};
use crate::node::{Node, NodeClock, Phase, TERMS};
use crate::schedule::{Event, Plan, Schedule};
use crate::tally::Tally;
use crate::tell;
use crate::wire::Wire;

const MIDNIGHT: &str = "2026-12-01T00:00:00Z";
/// Longer than anything in a run takes when nothing fails any more.
const LONG: Duration = Duration::from_secs(90);

/// Runs it to its end.
///
/// # Errors
/// The first thing that was not as it must be.
pub(crate) fn run(schedule: &Schedule) -> Result<Tally, String> {
    crate::runtime(async {
        let world = World::new(schedule);
        world.play(schedule).await;
        if world.stands() {
            world.end().await;
        }
        let failed = world.failed.borrow_mut().take();
        failed.map_or_else(|| Ok(world.tally.take()), Err)
    })
}

struct World {
    memory: Arc<MemoryLedger>,
    ids: SeededIds,
    dice: Dice,
    began: Instant,
    wall: Timestamp,
    configs: Vec<Vec<Budget>>,
    /// All processes there ever were, and which of them runs where.
    nodes: RefCell<Vec<Rc<Node>>>,
    places: RefCell<Vec<Rc<Node>>>,
    model: RefCell<Model>,
    outcomes: RefCell<Vec<Arc<Outcome>>>,
    /// A process ended or stood still.
    dead: Cell<bool>,
    failed: RefCell<Option<String>>,
    tally: RefCell<Tally>,
}

impl World {
    fn new(schedule: &Schedule) -> Rc<Self> {
        let configs: Vec<_> = schedule.configs.iter().map(|c| crate::budgets::read(c)).collect();
        let loose = configs.iter().flatten().filter(|b| !strict(b)).map(|b| b.id.clone()).collect();
        let before = Duration::from_secs(schedule.before_midnight);
        let world = Rc::new(Self {
            memory: Arc::default(),
            ids: SeededIds::new(schedule.seed),
            dice: Dice::new(!schedule.seed),
            began: Instant::now(),
            wall: Timestamp::parse(MIDNIGHT).unwrap().minus(before),
            configs,
            nodes: RefCell::default(),
            places: RefCell::default(),
            model: RefCell::new(Model { loose, ..Model::default() }),
            outcomes: RefCell::default(),
            dead: Cell::new(false),
            failed: RefCell::default(),
            tally: RefCell::default(),
        });
        for _ in 0..schedule.nodes {
            let node = world.start(0);
            world.places.borrow_mut().push(node);
        }
        world
    }

    fn start(&self, config: usize) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        let wire = Wire::new(Arc::clone(&self.memory), self.dice.fork());
        // clocks differ a little, and no two begin at the same moment
        let skew = self.dice.within(0..400_000) as i64 - 200_000;
        let clock = NodeClock::new(self.began, self.wall, skew);
        let node = Node::new(nodes.len(), clock, wire, self.configs[config].clone());
        nodes.push(Rc::clone(&node));
        node
    }

    fn stands(&self) -> bool {
        self.failed.borrow().is_none()
    }

    fn fail(&self, said: String) {
        self.failed
            .borrow_mut()
            .get_or_insert_with(|| format!("at {} ms: {said}", self.began.elapsed().as_millis()));
    }

    fn now(&self) -> Timestamp {
        self.wall.plus(self.began.elapsed())
    }

    async fn play(self: &Rc<Self>, schedule: &Schedule) {
        for (at, event) in &schedule.events {
            sleep_until(self.began + Duration::from_millis(*at)).await;
            self.happen(event).await;
            self.check();
            if !self.stands() {
                return;
            }
        }
    }

    async fn happen(self: &Rc<Self>, event: &Event) {
        tell(|| format!("{:>6} {event:?}", self.began.elapsed().as_millis()));
        let place = |at: &usize| Rc::clone(&self.places.borrow()[*at]);
        let soon = |ms: &u64| Instant::now() + Duration::from_millis(*ms);
        self.tally.borrow_mut().happened(event);
        match event {
            Event::Call(plan) => self.begin(place(&plan.node), *plan),
            Event::Crash(at) => self.crash(&place(at)),
            Event::Freeze(at, ms) => self.freeze(place(at), soon(ms)),
            Event::Drain(at, calm) => self.drain(place(at), *calm),
            Event::Start(at) if !place(at).lives() => {
                let node = self.start(0);
                self.places.borrow_mut()[*at] = node;
            }
            Event::Start(_) => {}
            Event::Cue(at, cues) => place(at).wire.cue(cues),
            Event::Deliver(at) => place(at).wire.deliver().await,
            Event::Cut(at, ms) => place(at).wire.cut(soon(ms)),
            Event::Slow(at, ms) => place(at).wire.slow(soon(ms)),
            Event::Failover(ms) => self.nodes.borrow().iter().for_each(|node| node.wire.down(soon(ms))),
            Event::Step(at, ms) => {
                self.dead.set(true);
                place(at).clock.step(ms * 1_000);
            }
            Event::Reload(places, config) => {
                for at in places {
                    place(at).set(self.configs[*config].clone());
                }
            }
            Event::Reconcile => self.reconcile(),
            Event::Repeat => {
                let last = self.outcomes.borrow().last().cloned();
                let recorded =
                    |c: &Call| last.as_ref().is_some_and(|o| o.call.id == c.id) && c.state == State::Recorded;
                if self.model.borrow().calls.iter().any(recorded) {
                    at_once(self.memory.append(last.as_slice()));
                }
            }
        }
    }

    fn begin(self: &Rc<Self>, node: Rc<Node>, plan: Plan) {
        if node.phase.get() == Phase::Open {
            let world = Rc::clone(self);
            let here = Rc::clone(&node);
            node.run(async move { world.live(here, plan).await });
        }
    }

    /// A call, from its first question to its end.
    async fn live(self: Rc<Self>, node: Rc<Node>, plan: Plan) {
        let at = node.clock.now();
        let id = CallId::new(at, &self.ids);
        let call = Call::new(id, node.at, node.name.clone(), at, plan, &node.budgets.borrow());
        let mut alone =
            self.model.borrow().calls.iter().all(|c| !matches!(c.state, State::Asking | State::Holding));
        self.model.borrow_mut().calls.push(call);
        let call = self.model.borrow().calls.len() - 1;
        let _end = Ending { world: &self, node: &node, call };
        let life = async {
            let (began, frozen) = (Instant::now(), node.frost.total());
            let asked = node.purses.hold(&who(KEYS[plan.key]), &need(plan.need)).await;
            let took = began.elapsed() - (node.frost.total() - frozen);
            if took > TERMS.wait + TERMS.deadline + Duration::from_millis(10) {
                self.fail(format!("a hold took {} ms", took.as_millis()));
            }
            alone &= self.model.borrow().calls.len() == call + 1;
            match asked {
                Err(refused) => self.refused(&node, call, &refused, alone),
                Ok(hold) => {
                    self.held(call, &hold);
                    self.check();
                    sleep(Duration::from_millis(plan.lasts)).await;
                    self.settle(&node, call, hold);
                }
            }
        };
        match plan.patience {
            Some(ms) => drop(timeout(Duration::from_millis(ms), life).await),
            None => life.await,
        }
    }

    fn held(&self, at: usize, hold: &Hold) {
        tell(|| {
            format!(
                "{:>6} call {at} holds {:?}",
                self.began.elapsed().as_millis(),
                hold.parts().collect::<Vec<_>>()
            )
        });
        self.tally.borrow_mut().held(hold);
        let mut model = self.model.borrow_mut();
        let held = model.calls[at].hold(hold);
        let ceilings = model
            .calls
            .iter()
            .filter(|c| c.state == State::Asking)
            .flat_map(|c| &c.lines)
            .map(|l| Arc::clone(&l.budget));
        let mut ceilings: Vec<_> = ceilings.collect();
        for node in self.nodes.borrow().iter().filter(|n| n.lives()) {
            ceilings.extend(node.budgets.borrow().iter().cloned());
        }
        let highest = |line: &crate::model::Line| {
            let mine = ceilings.iter().filter(|b| b.id == line.budget.id).filter_map(|b| b.ceiling());
            mine.chain(line.budget.ceiling()).max()
        };
        if let Err(said) = held.and_then(|()| model.limits(&model.calls[at], highest)) {
            let call = &model.calls[at];
            self.fail(format!("{} on {}: {said}", call.id, call.name.0));
        }
    }

    fn refused(&self, node: &Node, at: usize, refused: &Refused, alone: bool) {
        tell(|| format!("{:>6} call {at} is refused: {refused:?}", self.began.elapsed().as_millis()));
        self.tally.borrow_mut().refused(refused.blocked.why);
        let slices = at_once(self.memory.slices(Some(&refused.blocked.window.account.budget), Timestamp(0)));
        let reconciled = slices.iter().map(|s| s.sums.reconciled).sum();
        let faulty = node.wire.is_faulty();
        let elsewhere = Elsewhere {
            faulty: faulty || node.frost.total() > Duration::ZERO,
            // who does not reach the ledger for long is taken for dead
            dead: self.dead.get() || self.nodes.borrow().iter().any(|node| node.wire.is_faulty()),
            alone: alone
                && !self.dead.get()
                && !faulty
                && self.nodes.borrow().len() == 1
                && self.configs.len() == 1,
            reconciled,
        };
        let model = self.model.borrow();
        if let Err(said) = model.refused(&model.calls[at], refused, elsewhere) {
            let call = &model.calls[at];
            self.fail(format!("{} on {}: {said}", call.id, call.name.0));
        }
    }

    fn settle(&self, node: &Node, at: usize, hold: Hold) {
        let mut model = self.model.borrow_mut();
        let call = &mut model.calls[at];
        let spent = call.spent();
        call.end(spent, State::Settled);
        let Some(spent) = spent else { return drop(hold) };
        let mut charges = hold.settle(spent);
        tell(|| format!("{:>6} call {at} is charged {charges:?}", self.began.elapsed().as_millis()));
        charges.sort_by(|a, b| a.window.cmp(&b.window));
        if charges != call.charges() {
            self.fail(format!("{} is charged {charges:?}, and should be {:?}", call.id, call.charges()));
        }
        let outcome = crate::outcome::of(call.id, call.at, charges);
        self.outcomes.borrow_mut().push(Arc::clone(&outcome));
        node.pending.borrow_mut().push_back(outcome);
    }

    fn crash(&self, node: &Node) {
        if !node.lives() {
            return;
        }
        self.dead.set(true);
        node.phase.set(Phase::Dead);
        for call in self.model.borrow_mut().calls.iter_mut().filter(|c| c.node == node.at) {
            match call.state {
                // it was sent, and nobody hears what it came to
                State::Holding => call.end(call.spent(), State::Lost),
                State::Asking => call.state = State::Over,
                _ => {}
            }
        }
        node.pending.borrow_mut().clear();
        *node.tasks.borrow_mut() = tokio::task::JoinSet::new();
    }

    fn freeze(&self, node: Rc<Node>, until: Instant) {
        if node.lives() {
            self.dead.set(true);
            node.wire.spoil();
            node.frost.freeze(until);
            spawn_local(async move {
                sleep_until(until).await;
                node.frost.thaw(false);
            });
        }
    }

    fn drain(self: &Rc<Self>, node: Rc<Node>, calm: bool) {
        if node.phase.get() != Phase::Open {
            return;
        }
        node.phase.set(Phase::Draining);
        self.dead.set(true);
        let (world, here) = (Rc::clone(self), Rc::clone(&node));
        node.run(async move {
            // calls that came just before have asked by then
            sleep(Duration::from_millis(1)).await;
            let open = |c: &Call| c.node == here.at && matches!(c.state, State::Asking | State::Holding);
            while world.model.borrow().calls.iter().any(open) || !here.pending.borrow().is_empty() {
                sleep(Duration::from_millis(50)).await;
                here.flush().await;
            }
            if calm {
                here.wire.calm().await;
            }
            while here.purses.close().await.is_err() {
                sleep(Duration::from_millis(300)).await;
            }
            here.phase.set(Phase::Closed(calm));
            world.check();
        });
    }

    /// What is unknown is decided: what was really lost, or may yet be spent, was spent. A lease is over by the clock of
    /// its process, so an operator makes sure of a process whose clock was set.
    fn reconcile(&self) {
        let now = self.now();
        let sums = self.model.borrow().sums();
        for slice in at_once(self.memory.slices(None, Timestamp(0))) {
            let nodes = self.nodes.borrow();
            let node = nodes.iter().find(|n| n.name == slice.node).unwrap();
            let silent = node.frost.lasts().is_some_and(|long| long >= TERMS.lease);
            if silent || !node.lives() || node.clock.is_right() {
                let lost = sums.get(&(slice.window.clone(), slice.node.clone())).map_or(0, |s| s.1);
                let spent = (lost - slice.sums.reconciled).max(0);
                let done = at_once(self.memory.reconcile(&slice, spent, now));
                self.tally.borrow_mut().reconciled += u64::from(done);
            }
        }
    }

    /// All faults end, all calls end, all processes are drained: nothing may be left but what died.
    async fn end(self: &Rc<Self>) {
        let nodes = self.nodes.borrow().clone();
        for node in &nodes {
            node.wire.heal();
            node.frost.thaw(true);
        }
        let over = |c: &Call| !matches!(c.state, State::Asking | State::Holding);
        if !self.comes(|| self.model.borrow().calls.iter().all(over)).await {
            return self.fail("a call hangs".into());
        }
        for node in &nodes {
            node.wire.calm().await;
        }
        for node in nodes.iter().filter(|n| n.lives()) {
            self.drain(Rc::clone(node), true);
        }
        if !self.comes(|| nodes.iter().all(|n| !n.lives())).await {
            return self.fail("a process cannot be drained".into());
        }
        self.check();
    }

    async fn comes(&self, true_: impl Fn() -> bool) -> bool {
        let until = Instant::now() + LONG;
        while !true_() && Instant::now() < until && self.stands() {
            sleep(Duration::from_millis(100)).await;
        }
        true_() || !self.stands()
    }
}

/// What the ledger in memory says: it never makes anybody wait, and never fails.
fn at_once<T>(asked: impl Future<Output = Result<T, StoreError>>) -> T {
    match pin!(asked).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(said) => said.unwrap(),
        Poll::Pending => panic!("the ledger in memory makes wait"),
    }
}

/// A call that is dropped came to nothing, unless its process died.
struct Ending<'a> {
    world: &'a World,
    node: &'a Node,
    call: usize,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if self.node.phase.get() != Phase::Dead {
            let mut model = self.world.model.borrow_mut();
            let state = &mut model.calls[self.call].state;
            if matches!(state, State::Asking | State::Holding) {
                *state = State::Over;
            }
        }
    }
}
