//! Runs a schedule: some processes, one ledger, and the model beside them.

mod check;
mod end;

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bedplate_core::budget::Charge;
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
use crate::model::{Call, Elsewhere, KEYS, Line, Model, State, need, strict, who};
use crate::node::{Node, NodeClock, Phase, TERMS};
use crate::rule::{Broken, Checked, Rule};
use crate::schedule::{Event, Plan, Schedule};
use crate::tally::{Count, Tally};
use crate::trace::{Short, list, tell};
use crate::wire::Wire;

const MIDNIGHT: &str = "2026-12-01T00:00:00Z";
/// Runs it to its end.
///
/// # Errors
/// The first thing that was not as it must be.
pub(crate) fn run(schedule: &Schedule) -> Result<Tally, Broken> {
    tell(|| schedule.to_string());
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
    failed: RefCell<Option<Broken>>,
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
        self.count(Count::Processes);
        node
    }

    fn stands(&self) -> bool {
        self.failed.borrow().is_none()
    }

    /// Whether a rule holds. The first that does not ends the run.
    fn must(&self, rule: Rule, holds: Checked) {
        self.tally.borrow_mut().checked(rule);
        if let Err(said) = holds {
            let at = self.began.elapsed().as_millis();
            self.failed.borrow_mut().get_or_insert_with(|| rule.broken(format!("at {at} ms: {said}")));
        }
    }

    fn count(&self, what: Count) {
        self.tally.borrow_mut().count(what);
    }

    /// What happens, and when.
    fn tell(&self, what: impl FnOnce() -> String) {
        tell(|| format!("{:>8} {}", self.began.elapsed().as_millis(), what()));
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
        self.tell(|| format!("== {event}"));
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
            Event::Jam(at, what, ms) => place(at).wire.jam(*what, soon(ms)),
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
                    self.count(Count::Repeats);
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
            let longest = TERMS.wait + TERMS.deadline + Duration::from_millis(10);
            let said = || format!("{id} waited {} ms for its hold", took.as_millis());
            self.must(Rule::Wait, if took <= longest { Ok(()) } else { Err(said()) });
            alone &= self.model.borrow().calls.len() == call + 1;
            match asked {
                Err(refused) => self.refused(&node, call, &refused, alone),
                Ok(hold) => {
                    // it may go by terms that are no longer in force once it has what it asked for
                    self.remember();
                    self.held(call, &hold);
                    self.check();
                    sleep(Duration::from_millis(plan.lasts)).await;
                    self.settle(&node, call, hold);
                }
            }
        };
        match plan.patience {
            Some(ms) => {
                if timeout(Duration::from_millis(ms), life).await.is_err() {
                    self.tell(|| format!("call {call} is given up by its caller"));
                    self.count(Count::Cancelled);
                }
            }
            None => life.await,
        }
    }

    fn held(&self, at: usize, hold: &Hold) {
        self.tell(|| {
            let parts = list(hold.parts(), |(window, held)| format!("{held} of {}", Short(window)));
            format!("call {at} holds {parts}")
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
        let highest = |line: &Line| {
            let mine = ceilings.iter().filter(|b| b.id == line.budget.id).filter_map(|b| b.ceiling());
            mine.chain(line.budget.ceiling()).max()
        };
        let call = &model.calls[at];
        let of = |said| format!("call {at} on {}: {said}", call.name.0);
        self.must(Rule::Hold, held.map_err(of));
        self.must(Rule::Limit, model.limits(call, highest).map_err(of));
    }

    fn refused(&self, node: &Node, at: usize, refused: &Refused, alone: bool) {
        self.tell(|| {
            let (window, blocked) = (Short(&refused.blocked.window), &refused.blocked);
            let (need, limit, stand) = (blocked.need, blocked.limit, Short(blocked.stand));
            format!(
                "call {at} is refused, {:?}: it needs {need} of {limit} of {window}; {stand}",
                blocked.why
            )
        });
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
        let call = &model.calls[at];
        let fair = model.refused(call, refused, elsewhere);
        self.must(Rule::Refusal, fair.map_err(|said| format!("call {at} on {}: {said}", call.name.0)));
    }

    fn settle(&self, node: &Node, at: usize, hold: Hold) {
        let mut model = self.model.borrow_mut();
        let call = &mut model.calls[at];
        let spent = call.spent();
        call.end(spent, State::Settled);
        let Some(spent) = spent else { return drop(hold) };
        let mut charges = hold.settle(spent);
        let parts = |charges: &[Charge]| list(charges, |c| format!("{} of {}", c.amount, Short(&c.window)));
        self.tell(|| format!("call {at} is charged {}", parts(&charges)));
        charges.sort_by(|a, b| a.window.cmp(&b.window));
        let should = call.charges();
        let said = || format!("call {at} is charged {}, and should be {}", parts(&charges), parts(&should));
        self.must(Rule::Charge, if charges == should { Ok(()) } else { Err(said()) });
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
                State::Holding => {
                    call.end(call.spent(), State::Lost);
                    self.count(Count::Lost);
                }
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
