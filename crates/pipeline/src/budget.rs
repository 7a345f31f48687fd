//! What calls may spend, on this node.
//!
//! The ledger is the truth and grants this node *slices* ([`bedplate_core::budget`] has the rules). A [`Purse`] is the
//! slice of one window in memory: a call holds its worst case in it before it is sent, and settles to what it cost
//! with its record. Holding is arithmetic under a lock for one purse; the ledger is asked only when a purse runs
//! low, once for many calls.

mod fill;
mod hold;
mod index;
mod keeper;
mod need;
mod purse;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bedplate_core::budget::{Account, Blocked, BudgetId, NodeId, Stand, Why, Window};
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Budgets, StoreError};
use bedplate_cost::budget::{Budget, Kind, Outage, Part, Step, Unpriced, Who};
use foldhash::fast::FixedState;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

pub use hold::{Hold, Spent};
pub use index::Index;
pub use need::{Likely, Need};
use purse::{Bounds, Purse};

/// All purses of this process. They outlive configurations: a reload changes which budgets there are, not what
/// was spent.
pub struct Purses {
    ledger: Arc<dyn Budgets>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    terms: Terms,
    index: ArcSwap<Index>,
    /// Every budget that was ever in force, as it was last.
    known: Mutex<HashMap<BudgetId, Arc<Budget>, FixedState>>,
    /// By account: the purse of the window that calls spend in.
    lines: [RwLock<HashMap<Account, Arc<Purse>, FixedState>>; SHARDS],
    /// Purses of other windows, until everything in them is given back or recorded: a clock or a period that is set
    /// back finds them again, for two purses of one window would spend it twice. Locked after a shard of `lines`.
    retired: Mutex<HashMap<Window, Arc<Purse>, FixedState>>,
    /// The ledger did not answer when it was last asked.
    down: AtomicBool,
    /// Something became free that other nodes may want for.
    spare: Arc<Notify>,
}

const SHARDS: usize = 64;

/// How the node deals with the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a slice belongs to a node that is not heard of.
    pub lease: Duration,
    /// How long a call waits for others' holds to end; one question to the ledger may come on top.
    pub wait: Duration,
    /// How long the ledger may take to answer.
    pub deadline: Duration,
}

/// A call that must not be sent, and the budget that says so.
#[derive(Debug)]
pub struct Refused {
    pub blocked: Blocked,
    pub kind: Kind,
    /// Its budget says that an answer beyond its time is better than none, and waiting for room would be of use.
    pub cache_only: bool,
    /// When something will be free again.
    pub resets: Timestamp,
    pub cause: Option<StoreError>,
}

/// One budget that concerns a call, and the purse that it spends from.
struct Line {
    budget: Arc<Budget>,
    purse: Arc<Purse>,
    /// What it must keep to; `None` when nothing limits it.
    bounds: Option<Bounds>,
}

impl Purses {
    pub fn new(ledger: Arc<dyn Budgets>, clock: Arc<dyn Clock>, node: NodeId, terms: Terms) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            clock,
            node,
            terms,
            index: ArcSwap::default(),
            known: Mutex::default(),
            lines: std::array::from_fn(|_| RwLock::default()),
            retired: Mutex::default(),
            down: AtomicBool::new(false),
            spare: Arc::default(),
        })
    }

    /// Puts other budgets in force. When one of them was different before, other nodes may have spent by that: the ledger
    /// is asked before anything is spent from what was drawn so far.
    pub fn set(&self, mut index: Index) {
        let mut known = self.known.lock();
        let mut changed = false;
        for budget in index.all() {
            let before = known.insert(budget.id.clone(), Arc::clone(budget));
            changed |= before.is_some_and(|before| before != *budget);
        }
        index.epoch = self.index.load().epoch + u64::from(changed);
        self.index.store(Arc::new(index));
    }

    /// How long a call waits for room, and may be told to wait.
    pub(crate) fn wait(&self) -> Duration {
        self.terms.wait
    }

    /// Whether no budget is in force: then nothing need be known of a call.
    pub fn is_idle(&self) -> bool {
        self.index.load().is_empty()
    }

    /// The strictest kind of the budgets that concern a call: if none does, nothing more need be known of it.
    pub fn strictest(&self, who: &Who<'_>) -> Option<Kind> {
        let mut strictest = None;
        self.index.load().each(who, |budget| {
            if strictest != Some(Kind::Hard) && budget.scope.concerns(who) {
                strictest = Some(budget.kind);
            }
        });
        strictest
    }

    /// Holds what a call may cost in every budget that concerns it, or in none. When the caller did not say how
    /// long its answer may be, the hold may be for less than the model could write: [`Hold::output`].
    ///
    /// # Errors
    /// Which budget has no room, and why.
    pub async fn hold(&self, who: &Who<'_>, need: &Need) -> Result<Hold, Box<Refused>> {
        let now = self.clock.now();
        let mut lines = self.lines(who, now);
        if lines.is_empty() {
            return Ok(Hold::none());
        }
        for line in &lines {
            self.possible(line, need)?;
        }
        match self.take(&lines, need, need.output) {
            Ok(hold) => Ok(hold),
            Err(_) => self.hold_slowly(&mut lines, need).await,
        }
    }

    /// What no waiting changes.
    fn possible(&self, line: &Line, need: &Need) -> Result<(), Box<Refused>> {
        let budget = &line.budget;
        if line.bounds.is_none() {
            return Ok(());
        }
        if need.of(budget, need.output).is_none() && budget.unpriced == Unpriced::Refuse {
            return Err(self.refused(line, 0, Why::Unpriced, None));
        }
        if budget.outage == Outage::Closed && self.is_down() {
            return Err(self.refused(line, 0, Why::Unreachable, None));
        }
        Ok(())
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// All or nothing, from what is in the purses now; fails with the first line that has not enough.
    fn take<'a>(&self, lines: &'a [Line], need: &Need, output: u64) -> Result<Hold, &'a Line> {
        let tick = self.clock.tick();
        let mut hold = Hold::new(self.node.clone(), (output < need.output).then_some(output));
        for line in lines {
            let Line { budget, purse, bounds } = line;
            let amount = need.of(budget, output).unwrap_or(0);
            match *bounds {
                None => purse.hold_anyway(amount),
                Some(bounds) if purse.hold(amount, bounds, tick) => {}
                Some(_) => return Err(line),
            }
            hold.add(Arc::clone(purse), amount, budget.limit.unit);
        }
        Ok(hold)
    }

    /// The purses of the budgets that concern a call, each in its current window, always in the same order.
    fn lines(&self, who: &Who<'_>, now: Timestamp) -> Vec<Line> {
        let index = self.index.load();
        let mut lines = Vec::new();
        index.each(who, |budget| {
            if let Some(account) = budget.account(who) {
                let (purse, counts_from) = self.purse(budget, account, now);
                let bounds = budget.ceiling().map(|limit| Bounds { limit, counts_from, epoch: index.epoch });
                lines.push(Line { budget: Arc::clone(budget), purse, bounds });
            }
        });
        lines
    }

    /// The purse of the window that is current, and from when on windows count with it.
    fn purse(&self, budget: &Budget, account: Account, now: Timestamp) -> (Arc<Purse>, Timestamp) {
        let lasts = |purse: &Arc<Purse>| Some((Arc::clone(purse), purse.lasts(now, &budget.period)?));
        let shard = &self.lines[index::shard(&account, SHARDS)];
        if let Some(found) = shard.read().get(&account).and_then(lasts) {
            return found;
        }
        let mut shard = shard.write();
        let mut retired = self.retired.lock();
        if let Some(purse) = shard.get(&account) {
            if let Some(found) = lasts(purse) {
                return found;
            }
            retired.insert(purse.window().clone(), Arc::clone(purse));
            self.spare.notify_one();
        }
        let Part { starts, counts_from, .. } = budget.period.part(now);
        let window = Window { account: account.clone(), starts };
        let purse = retired.remove(&window);
        let purse = purse.unwrap_or_else(|| Arc::new(Purse::new(window, Arc::clone(&self.spare))));
        shard.insert(account, Arc::clone(&purse));
        (purse, counts_from)
    }

    fn refused(&self, line: &Line, need: i64, why: Why, cause: Option<StoreError>) -> Box<Refused> {
        let Line { budget, purse, .. } = line;
        let (stand, held) = purse.stand();
        let (unrecorded, free) = purse.own();
        let blocked = Blocked {
            window: purse.window().clone(),
            unit: budget.limit.unit,
            limit: budget.ceiling().unwrap_or(budget.limit.amount),
            need,
            stand,
            held,
            unrecorded,
            free,
            why,
        };
        let resets = budget.period.resets(self.clock.now());
        let full = matches!(why, Why::Spent | Why::Unknown | Why::Held);
        let cache_only = full && budget.stops().is_some_and(|rung| rung.step == Step::CacheOnly);
        Box::new(Refused { blocked, kind: budget.kind, cache_only, resets, cause })
    }

    /// Where each account stands as this node knows it: what is held here, and the ledger's last word.
    pub fn stands(&self) -> Vec<(Window, Stand, i64)> {
        let stand = |purse: Arc<Purse>| {
            let (stand, held) = purse.stand();
            (purse.window().clone(), stand, held)
        };
        self.purses().into_iter().map(stand).collect()
    }
}
