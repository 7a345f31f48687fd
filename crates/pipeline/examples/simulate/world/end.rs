//! Operators, and how a run ends.

use std::rc::Rc;
use std::time::Duration;

use bedplate_core::budget::{Slice, Unit};
use bedplate_core::clock::{Clock as _, Timestamp};
use bedplate_core::ports::Budgets as _;
use tokio::time::{Instant, sleep};

use super::{World, at_once};
use crate::model::{Call, KEYS, State, who};
use crate::node::{Node, Phase, TERMS};
use crate::rule::Rule;
use crate::schedule::{Fate, Plan, Want};
use crate::tally::Count;
use crate::trace::Short;

/// Longer than anything in a run takes when nothing fails any more.
const LONG: Duration = Duration::from_secs(90);

impl World {
    /// What is unknown is decided: what was really lost, or may yet be spent, was spent. A lease is over by the clock of
    /// its process, so an operator makes sure of a process whose clock was set.
    pub(super) fn reconcile(&self) {
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
                if done {
                    self.once(&slice, spent, now);
                    self.count(Count::Reconciled);
                    self.tell(|| format!("{spent} were spent, somebody says, of {}", Short(&slice)));
                }
            }
        }
    }

    /// What is decided counts once, however often it is said.
    fn once(&self, slice: &Slice, spent: i64, now: Timestamp) {
        let again = at_once(self.memory.reconcile(slice, spent, now));
        let slices = at_once(self.memory.slices(Some(&slice.window.account.budget), slice.window.starts));
        let is = slices.iter().find(|s| s.window == slice.window && s.node == slice.node);
        let counted = is.map_or(0, |s| s.sums.reconciled) - slice.sums.reconciled;
        let said = || format!("{counted} are reconciled for {spent}: {}", Short(slice));
        self.must(Rule::Ledger, if again || counted != spent { Err(said()) } else { Ok(()) });
    }

    /// All faults end, all calls end, what is left is spent, and all processes are drained: nothing may be left but what
    /// died.
    pub(super) async fn end(self: &Rc<Self>) {
        self.tell(|| "== all faults end".into());
        let nodes = self.nodes.borrow().clone();
        for node in &nodes {
            node.wire.heal();
            node.frost.thaw(true);
        }
        // calls that came just before have asked by then
        sleep(Duration::from_millis(1)).await;
        let over = |c: &Call| !matches!(c.state, State::Asking | State::Holding);
        if !self.comes(|| self.model.borrow().calls.iter().all(over)).await {
            return self.must(Rule::Wait, Err("a call never ends".into()));
        }
        for node in &nodes {
            node.wire.calm().await;
        }
        self.quiet(&nodes).await;
        self.tell(|| "== all are drained".into());
        for node in nodes.iter().filter(|n| n.lives()) {
            self.drain(Rc::clone(node), true);
        }
        if !self.comes(|| nodes.iter().all(|n| !n.lives())).await {
            return self.must(Rule::Drain, Err("a process cannot be drained".into()));
        }
        self.check();
        self.tally.borrow_mut().again(nodes.iter().map(|n| n.again.get()).sum());
    }

    /// Processes that have nothing to do hold nothing back, and a call may have all that is left, on any of them.
    async fn quiet(self: &Rc<Self>, nodes: &[Rc<Node>]) {
        // each has seen by then that the ledger answers again
        sleep(TERMS.deadline + TERMS.lease / 4).await;
        let open = || {
            let slices = at_once(self.memory.slices(None, Timestamp(0)));
            let theirs = |name| nodes.iter().any(|n| n.lives() && n.name == name);
            slices.into_iter().find(|s| s.sums.open() > 0 && theirs(s.node.clone()))
        };
        if !self.comes(|| open().is_none()).await {
            let said = open().map_or_else(String::new, |slice| Short(&slice).to_string());
            return self.must(Rule::Rest, Err(format!("nobody calls, and this is not given back: {said}")));
        }
        for node in nodes.iter().filter(|n| n.phase.get() == Phase::Open) {
            let key = self.dice.within(0..KEYS.len() as u64) as usize;
            if self.stands()
                && let Some(need) = self.left(node, key)
            {
                self.probe(
                    node,
                    Plan { node: node.at, key, need, lasts: 0, patience: None, fate: Fate::Dropped },
                )
                .await;
            }
        }
    }

    async fn probe(self: &Rc<Self>, node: &Rc<Node>, plan: Plan) {
        self.tell(|| format!("== a call for all that is left: {plan}"));
        let mine = self.model.borrow().calls.len();
        Rc::clone(self).live(Rc::clone(node), plan).await;
        let given = self.model.borrow().calls[mine].given;
        self.count(Count::Probes);
        self.must(Rule::Rest, if given { Ok(()) } else { Err(format!("what is left is not given: {plan}")) });
        // it is given back before another node is asked
        sleep(TERMS.lease / 4).await;
    }

    /// A call that needs all that any of its budgets has left; `None` when there is nothing.
    fn left(&self, node: &Node, key: usize) -> Option<Want> {
        let (now, slices) = (node.clock.now(), at_once(self.memory.slices(None, Timestamp(0))));
        let (mut usd, mut tokens) = (i64::MAX / 4, i64::MAX / 4);
        for budget in node.budgets.borrow().iter() {
            let (Some(account), Some(limit)) = (budget.account(&who(KEYS[key])), budget.ceiling()) else {
                continue;
            };
            let from = budget.period.part(now).counts_from;
            let counts = slices.iter().filter(|s| s.window.account == account && s.window.starts >= from);
            let left = limit - counts.map(|s| s.sums.taken()).sum::<i64>();
            let least = if budget.limit.unit == Unit::Usd { &mut usd } else { &mut tokens };
            *least = left.min(*least);
        }
        let prompt_tokens = u64::try_from(tokens - 1).ok()?;
        (usd > 0).then_some(Want { prompt: usd, rate: 0, prompt_tokens, output: 1, least: 1, priced: true })
    }

    async fn comes(&self, true_: impl Fn() -> bool) -> bool {
        let until = Instant::now() + LONG;
        while !true_() && Instant::now() < until && self.stands() {
            sleep(Duration::from_millis(100)).await;
        }
        true_() || !self.stands()
    }
}
