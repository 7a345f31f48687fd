//! What calls may spend, on this node.
//!
//! The ledger is the truth and grants this node *slices* ([`bedplate_core::budget`] has the rules). A [`Purse`] is the
//! slice of one window in memory: a call holds its worst case in it before it is sent, and settles to what it cost
//! with its record. Holding is arithmetic under a lock for one purse; the ledger is asked only when a purse runs
//! low, once for many calls.

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
use bedplate_core::budget::{Account, Blocked, Draw, Drawn, NodeId, Stand, Why, Window};
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Budgets, StoreError};
use bedplate_cost::budget::{Budget, Kind, Outage, Unpriced, Who};
use foldhash::fast::FixedState;
use parking_lot::{Mutex, RwLock};

pub use hold::{Hold, Spent};
pub use index::Index;
pub use need::{Likely, Need};
use purse::{Purse, later};

/// All purses of this process. They outlive configurations: a reload changes which budgets there are, not what
/// was spent.
pub struct Purses {
    ledger: Arc<dyn Budgets>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    terms: Terms,
    index: ArcSwap<Index>,
    lines: [RwLock<HashMap<Account, Arc<Purse>, FixedState>>; SHARDS],
    /// Purses of windows that are over, until everything in them is settled and given back.
    retired: Mutex<Vec<Arc<Purse>>>,
    /// The ledger did not answer when it was last asked.
    down: AtomicBool,
}

const SHARDS: usize = 64;

/// How the node deals with the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a slice belongs to a node that is not heard of.
    pub lease: Duration,
    /// How long a call waits for others' holds to end.
    pub wait: Duration,
    /// How long the ledger may take to answer.
    pub deadline: Duration,
}

/// A call that must not be sent, and the budget that says so.
#[derive(Debug)]
pub struct Refused {
    pub blocked: Blocked,
    pub kind: Kind,
    /// When something will be free again.
    pub resets: Timestamp,
    pub cause: Option<StoreError>,
}

/// One budget and the purse that a call spends from.
type Line = (Arc<Budget>, Arc<Purse>);

impl Purses {
    pub fn new(ledger: Arc<dyn Budgets>, clock: Arc<dyn Clock>, node: NodeId, terms: Terms) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            clock,
            node,
            terms,
            index: ArcSwap::default(),
            lines: std::array::from_fn(|_| RwLock::default()),
            retired: Mutex::default(),
            down: AtomicBool::new(false),
        })
    }

    /// Puts other budgets in force.
    pub fn set(&self, index: Index) {
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

    /// Holds what a call may cost in every budget that concerns it, or in none. When the caller did not say how
    /// long its answer may be, the hold may be for less than the model could write: [`Hold::output`].
    ///
    /// # Errors
    /// Which budget has no room, and why.
    pub async fn hold(&self, who: &Who<'_>, need: &Need) -> Result<Hold, Box<Refused>> {
        let now = self.clock.now();
        let lines = self.lines(who, now);
        if lines.is_empty() {
            return Ok(Hold::none());
        }
        for (budget, purse) in &lines {
            self.possible(budget, purse, need)?;
        }
        if let Some(hold) = self.take(&lines, need, need.output) {
            return Ok(hold);
        }
        self.hold_slowly(&lines, need).await
    }

    /// What no waiting changes.
    fn possible(&self, budget: &Budget, purse: &Purse, need: &Need) -> Result<(), Box<Refused>> {
        let refuse = |why| Err(Box::new(self.refused(budget, purse, 0, why, None)));
        if budget.ceiling().is_none() {
            return Ok(());
        }
        if need.of(budget, need.output).is_none() && budget.unpriced == Unpriced::Refuse {
            return refuse(Why::Unpriced);
        }
        if budget.outage == Outage::Closed && self.down.load(Ordering::Relaxed) {
            return refuse(Why::Unreachable);
        }
        Ok(())
    }

    /// All or nothing, from what is in the purses now.
    fn take(&self, lines: &[Line], need: &Need, output: u64) -> Option<Hold> {
        let tick = self.clock.tick();
        let mut hold = Hold::new(self.node.clone(), (output < need.output).then_some(output));
        for (budget, purse) in lines {
            let amount = need.of(budget, output).unwrap_or(0);
            if budget.ceiling().is_none() {
                purse.hold_anyway(amount);
            } else if !purse.hold(amount, tick) {
                return None;
            }
            hold.add(Arc::clone(purse), amount, budget.kind, budget.limit.unit);
        }
        Some(hold)
    }

    /// Asks the ledger for what is missing, and waits for others' holds to end.
    async fn hold_slowly(&self, lines: &[Line], need: &Need) -> Result<Hold, Box<Refused>> {
        let until = tokio::time::Instant::now() + self.terms.wait;
        loop {
            let mut output = need.output;
            let mut blocked = None;
            for (budget, purse) in lines.iter().filter(|(budget, _)| budget.ceiling().is_some()) {
                match self.fill(budget, purse, need, output).await {
                    Ok(()) => output = output.min(need.fits(budget, purse.free()).max(need.least)),
                    Err(refused) if refused.blocked.why == Why::Held => blocked = Some((purse, refused)),
                    Err(refused)
                        if refused.blocked.why == Why::Unreachable && budget.outage == Outage::Open =>
                    {
                        return Ok(self.take_anyway(lines, need));
                    }
                    Err(refused) => return Err(refused),
                }
            }
            if let Some(hold) = self.take(lines, need, output) {
                return Ok(hold);
            }
            let Some((purse, refused)) = blocked else {
                // another call was faster; its hold is why the next look at the ledger is worth it
                if tokio::time::Instant::now() < until {
                    tokio::task::yield_now().await;
                    continue;
                }
                let (budget, purse) = &lines[0];
                return Err(Box::new(self.refused(
                    budget,
                    purse,
                    need.of(budget, need.least).unwrap_or(0),
                    Why::Held,
                    None,
                )));
            };
            let pause = (tokio::time::Instant::now() + LOOK).min(until);
            if tokio::time::Instant::now() >= until {
                return Err(refused);
            }
            // what is freed here is seen at once, what other nodes give back by looking again
            let _ = tokio::time::timeout_at(pause, purse.freed()).await;
        }
    }

    /// Counted, and not limited: the ledger cannot be asked, and the budget says that calls go on then.
    fn take_anyway(&self, lines: &[Line], need: &Need) -> Hold {
        let mut hold = Hold::new(self.node.clone(), None);
        for (budget, purse) in lines {
            let amount = need.of(budget, need.output).unwrap_or(0);
            purse.hold_anyway(amount);
            hold.add(Arc::clone(purse), amount, budget.kind, budget.limit.unit);
        }
        hold
    }

    /// Draws until the purse holds what the call needs at least; one call asks, the others wait for it.
    async fn fill(
        &self,
        budget: &Budget,
        purse: &Purse,
        need: &Need,
        output: u64,
    ) -> Result<(), Box<Refused>> {
        let least = need.of(budget, need.least.min(output)).unwrap_or(0);
        let wanted = need.of(budget, output).unwrap_or(0);
        let ceiling = budget.ceiling().unwrap_or(i64::MAX);
        if least > ceiling {
            return Err(Box::new(self.refused(budget, purse, least, Why::TooLarge, None)));
        }
        let _turn = purse.turn().await;
        if purse.is_current(self.clock.tick()) && purse.free() >= wanted {
            return Ok(());
        }
        let unreachable = |e| Box::new(self.refused(budget, purse, least, Why::Unreachable, Some(e)));
        let mut drawn = self.draw(purse, ceiling, wanted, wanted, SHARE).await.map_err(unreachable)?;
        if matches!(drawn, Drawn::Short { .. }) && purse.free() < wanted && least < wanted {
            drawn = self.draw(purse, ceiling, least, wanted, HALF).await.map_err(unreachable)?;
        }
        if purse.free() >= least {
            return Ok(());
        }
        let why = purse.why(ceiling, least, drawn.stand());
        Err(Box::new(self.refused(budget, purse, least, why, None)))
    }

    /// Asks the ledger once.
    async fn draw(
        &self,
        purse: &Purse,
        limit: i64,
        least: i64,
        wanted: i64,
        share: i64,
    ) -> Result<Drawn, StoreError> {
        let began = self.clock.tick();
        let now = self.clock.now();
        let free = purse.free();
        let draw = Draw {
            window: purse.window().clone(),
            counts_from: purse.counts_from(now),
            limit,
            need: least.saturating_sub(free).max(0),
            want: wanted.saturating_sub(free).max(0).saturating_add(purse.ahead(wanted, limit)),
            share,
            node: self.node.clone(),
            lease_until: now.plus(self.terms.lease),
        };
        let answer = self.in_time(self.ledger.draw(&draw, now)).await;
        if let Ok(drawn) = &answer {
            // counted from before the question: this node thinks its lease over before the ledger does
            let granted = matches!(drawn, Drawn::Granted { .. });
            purse.learn(drawn.sums(), drawn.stand(), granted.then(|| later(began, self.terms.lease / 2)));
        }
        answer
    }

    /// Waits for the ledger within the deadline, and notes whether it answered.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let answer = tokio::time::timeout(self.terms.deadline, asked).await;
        let answer = answer.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())));
        self.down.store(answer.is_err(), Ordering::Relaxed);
        answer
    }

    /// The purses of the budgets that concern a call, each in its current window, always in the same order.
    fn lines(&self, who: &Who<'_>, now: Timestamp) -> Vec<Line> {
        let index = self.index.load();
        let mut lines = Vec::new();
        index.each(who, |budget| {
            if let Some(account) = budget.account(who) {
                let purse = self.purse(budget, account, now);
                lines.push((Arc::clone(budget), purse));
            }
        });
        lines
    }

    fn purse(&self, budget: &Budget, account: Account, now: Timestamp) -> Arc<Purse> {
        let shard = &self.lines[index::shard(&account, SHARDS)];
        if let Some(purse) = shard.read().get(&account)
            && purse.lasts(now, &budget.period)
        {
            return Arc::clone(purse);
        }
        let mut shard = shard.write();
        if let Some(purse) = shard.get(&account) {
            if purse.lasts(now, &budget.period) {
                return Arc::clone(purse);
            }
            self.retired.lock().push(Arc::clone(purse));
        }
        let part = budget.period.part(now);
        let window = Window { account: account.clone(), starts: part.starts };
        let purse = Arc::new(Purse::new(window, budget.period.clone(), part.ends));
        shard.insert(account, Arc::clone(&purse));
        purse
    }

    fn refused(
        &self,
        budget: &Budget,
        purse: &Purse,
        need: i64,
        why: Why,
        cause: Option<StoreError>,
    ) -> Refused {
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
        Refused { blocked, kind: budget.kind, resets: budget.period.resets(self.clock.now()), cause }
    }

    /// Where each account stands as this node knows it: what is held here, and the ledger's last word.
    pub fn stands(&self) -> Vec<(Window, Stand, i64)> {
        let retired: Vec<_> = self.retired.lock().clone();
        let current = self.lines.iter().flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>());
        current
            .chain(retired)
            .map(|purse| {
                let (stand, held) = purse.stand();
                (purse.window().clone(), stand, held)
            })
            .collect()
    }
}

/// Of what is left a node takes at most a quarter beyond its need.
const SHARE: i64 = 4;
/// Of the last that is left a call whose answer may be bounded takes half, so that calls beside it find some.
const HALF: i64 = 2;
/// How often a call that waits looks whether other nodes gave something back.
const LOOK: Duration = Duration::from_millis(50);
