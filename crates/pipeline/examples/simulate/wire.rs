//! A node's way to the ledger: it takes time, it may stand still, and what was sent arrives though nobody waits for
//! the answer any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::BoxFuture;
use bedplate_core::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice, StoredBudget};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Budgets, Calls as _, StoreError};
use bedplate_core::record::Outcome;
use bedplate_testkit::{Cue, FaultyLedger, MemoryLedger};
use parking_lot::Mutex;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use crate::dice::Dice;
use crate::schedule::Jam;
use crate::trace::{Short, list, tell};

pub(crate) struct Wire {
    ledger: Arc<FaultyLedger>,
    dice: Mutex<Dice>,
    slow_until: Mutex<Option<Instant>>,
    down_until: Mutex<Option<Instant>>,
    cut_until: Mutex<Option<Instant>>,
    jams: Mutex<Vec<(Jam, Instant)>>,
    /// Whether anything went wrong on it yet.
    faulty: AtomicBool,
    /// Questions on their way.
    open: Arc<AtomicU64>,
    /// How many grants there were, and the first that was of no use.
    grants: AtomicU64,
    useless: Mutex<Option<String>>,
}

impl Wire {
    pub(crate) fn new(memory: Arc<MemoryLedger>, dice: Dice) -> Arc<Self> {
        Arc::new(Self {
            ledger: Arc::new(FaultyLedger::new(memory)),
            dice: Mutex::new(dice),
            slow_until: Mutex::default(),
            down_until: Mutex::default(),
            cut_until: Mutex::default(),
            jams: Mutex::default(),
            faulty: AtomicBool::new(false),
            open: Arc::default(),
            grants: AtomicU64::new(0),
            useless: Mutex::default(),
        })
    }

    pub(crate) fn cue(&self, cues: &[Cue]) {
        self.spoil();
        self.ledger.cue(cues);
    }

    pub(crate) fn slow(&self, until: Instant) {
        self.spoil();
        *self.slow_until.lock() = Some(until);
    }

    pub(crate) fn down(&self, until: Instant) {
        self.spoil();
        *self.down_until.lock() = Some(until);
    }

    pub(crate) fn cut(&self, until: Instant) {
        self.spoil();
        *self.cut_until.lock() = Some(until);
    }

    pub(crate) fn jam(&self, what: Jam, until: Instant) {
        self.spoil();
        self.jams.lock().push((what, until));
    }

    fn passes(&self, what: Jam) -> Result<(), StoreError> {
        let jammed = self.jams.lock().iter().any(|(jam, until)| *jam == what && Instant::now() < *until);
        if jammed { Err(StoreError::Unavailable("jammed".into())) } else { Ok(()) }
    }

    pub(crate) fn spoil(&self) {
        self.faulty.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_faulty(&self) -> bool {
        self.faulty.load(Ordering::Relaxed)
    }

    /// From now on everything arrives in time.
    pub(crate) fn heal(&self) {
        self.ledger.heal();
        *self.slow_until.lock() = None;
        *self.down_until.lock() = None;
        *self.cut_until.lock() = None;
        self.jams.lock().clear();
    }

    pub(crate) async fn deliver(&self) {
        self.ledger.deliver().await;
    }

    /// Waits until nothing is on its way, and delivers what is late.
    pub(crate) async fn calm(&self) {
        while self.open.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(20)).await;
        }
        self.ledger.deliver().await;
    }

    /// How often something was granted since this was last asked; the first grant that was of no use.
    pub(crate) fn grants(&self) -> (u64, Option<String>) {
        (self.grants.swap(0, Ordering::Relaxed), self.useless.lock().take())
    }

    /// What is granted comes on top of what counts already.
    fn look(&self, draw: &Draw, drawn: &Drawn) {
        if let Drawn::Granted { amount, sums, .. } = drawn {
            self.grants.fetch_add(1, Ordering::Relaxed);
            if sums.open() < *amount {
                let said = format!(
                    "{} was granted {amount} of {}, and has {}",
                    draw.node.0,
                    Short(&draw.window),
                    Short(*sums)
                );
                self.useless.lock().get_or_insert(said);
            }
        }
    }

    pub(crate) async fn append(&self, batch: Vec<Arc<Outcome>>) -> Result<(), StoreError> {
        self.passes(Jam::Records)?;
        self.carry(move |ledger| Box::pin(async move { ledger.append(&batch).await })).await
    }

    async fn carry<T: Send + 'static>(
        &self,
        ask: impl FnOnce(Arc<FaultyLedger>) -> BoxFuture<'static, Result<T, StoreError>> + 'static,
    ) -> Result<T, StoreError> {
        let answer = {
            let now = Instant::now();
            let dice = self.dice.lock();
            if self.cut_until.lock().is_some_and(|until| now < until) {
                return Err(StoreError::Unavailable("cut off".into()));
            }
            if self.down_until.lock().is_some_and(|until| now < until) {
                self.ledger.cue(&[*dice.pick(&[Cue::Before, Cue::Before, Cue::After, Cue::Late])]);
            }
            let slow = self.slow_until.lock().is_some_and(|until| now < until);
            let most = if slow { 6_000 } else { *dice.pick(&[1, 3, 3, 3, 40]) };
            let [there, back] = [0, 0].map(|_: u8| Duration::from_millis(dice.within(0..most + 1)));
            let (tx, answer) = tokio::sync::oneshot::channel();
            let (ledger, open) = (Arc::clone(&self.ledger), Arc::clone(&self.open));
            open.fetch_add(1, Ordering::Relaxed);
            spawn_local(async move {
                sleep(there).await;
                let said = ask(ledger).await;
                open.fetch_sub(1, Ordering::Relaxed);
                sleep(back).await;
                let _ = tx.send(said);
            });
            answer
        };
        answer.await.unwrap()
    }
}

#[async_trait]
impl Budgets for Wire {
    async fn insert_budget(&self, _: &StoredBudget) -> Result<i64, StoreError> {
        unreachable!("nodes do not make budgets")
    }

    async fn remove_budget(&self, _: &BudgetId, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("nodes do not remove budgets")
    }

    async fn budgets_changed(&self, _: i64) -> Result<Vec<StoredBudget>, StoreError> {
        Ok(Vec::new())
    }

    async fn draw(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, StoreError> {
        let (asked, copy) = (draw, draw.clone());
        let drawn = self.carry(move |ledger| Box::pin(async move { ledger.draw(&copy, now).await })).await;
        if let Ok(drawn) = &drawn {
            self.look(draw, drawn);
        }
        tell(|| {
            let Draw { window, counts_from, limit, need, want, node, .. } = asked;
            let came = match &drawn {
                Ok(Drawn::Granted { amount, sums, stand }) => {
                    format!("gets {amount}: {}; {}", Short(*sums), Short(*stand))
                }
                Ok(Drawn::Short { sums, stand }) => {
                    format!("gets nothing: {}; {}", Short(*sums), Short(*stand))
                }
                Err(error) => format!("hears nothing: {error}"),
            };
            let (from, window) = (counts_from, Short(window));
            format!(
                "         {} asks for {need} to {want} of {limit} counted from {from}, {window}, and {came}",
                node.0
            )
        });
        drawn
    }

    async fn give_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), StoreError> {
        let (name, copy) = (node.clone(), returns.to_vec());
        let said = match self.passes(Jam::Returns) {
            Ok(()) => {
                self.carry(move |ledger| Box::pin(async move { ledger.give_back(&name, &copy).await })).await
            }
            jammed => jammed,
        };
        tell(|| {
            let parts = list(returns, |part| format!("{} in all of {}", part.total, Short(&part.window)));
            format!("         {} gives back {parts}{}", node.0, heard(said.as_ref().err()))
        });
        said
    }

    async fn renew(&self, node: &NodeId, lease_until: Timestamp) -> Result<Vec<Slice>, StoreError> {
        let name = node.clone();
        let renewed =
            self.carry(move |ledger| Box::pin(async move { ledger.renew(&name, lease_until).await })).await;
        if !renewed.as_ref().is_ok_and(Vec::is_empty) {
            tell(|| {
                let slices = list(renewed.iter().flatten(), |slice| Short(slice).to_string());
                format!("         {} renews {slices}{}", node.0, heard(renewed.as_ref().err()))
            });
        }
        renewed
    }

    async fn slices(&self, budget: Option<&BudgetId>, since: Timestamp) -> Result<Vec<Slice>, StoreError> {
        self.ledger.slices(budget, since).await
    }

    async fn reconcile(&self, slice: &Slice, spent: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.ledger.reconcile(slice, spent, now).await
    }

    async fn forget_slices(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.ledger.forget_slices(before).await
    }
}

fn heard(error: Option<&StoreError>) -> String {
    error.map_or_else(String::new, |error| format!(", and hears nothing: {error}"))
}
