//! Looks where budgets stand while calls are charged to them: for `/metrics`, and to tell operators of rungs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bedplate_control::budgets::{Standing, stands};
use bedplate_core::budget::{Blocked, Why};
use bedplate_core::clock::{Clock, Tick, Timestamp};
use bedplate_core::ids::Ids;
use bedplate_core::notice::Notices;
use bedplate_core::ports::{Budgets, Sink, StoreError};
use bedplate_core::record::Outcome;
use bedplate_cost::budget::{Budget, Step};
use bedplate_telemetry::metrics::{AccountReading, BudgetReading, Metrics};
use parking_lot::Mutex;

use super::InForce;
use super::notice;

/// How often it is looked while calls are charged, and else: leases end by themselves.
const BUSY: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(15);
/// Of its time it looks at most one part in so many, however many accounts there are.
const SHARE: u32 = 20;
/// What a charge asks for: a look at once, and one when its record is surely written.
const LOOKS: u8 = 2;
/// Blocks that are remembered until the next look.
const BLOCKS: usize = 1_000;

pub(crate) struct Watch {
    pub(crate) in_force: Arc<InForce>,
    pub(crate) ledger: Arc<dyn Budgets>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) notices: Arc<dyn Notices>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) seen: Seen,
}

/// What was seen on the path of calls, and what was told of it.
#[derive(Default)]
pub(crate) struct Seen {
    /// So many looks are due.
    due: AtomicU8,
    blocked: Mutex<Vec<Blocked>>,
    /// Keys of notices, as long as what they stand for lasts.
    told: Mutex<HashSet<String>>,
}

impl Watch {
    /// Looks from time to time, for as long as it is polled.
    pub(crate) async fn run(&self) {
        let (mut last, mut listed, mut failing) = (None::<Tick>, Arc::default(), false);
        loop {
            tokio::time::sleep(BUSY).await;
            let began = self.clock.tick();
            let all = self.in_force.all();
            let quiet = last.is_some_and(|last| began.since(last) < QUIET);
            let asked =
                self.seen.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            if quiet && asked.is_err() && Arc::ptr_eq(&all, &listed) {
                continue;
            }
            let looked = self.look(&all).await;
            if let (Err(e), false) = (&looked, failing) {
                tracing::warn!("where budgets stand cannot be read: {e}");
            }
            failing = looked.is_err();
            (last, listed) = (Some(began), all);
            tokio::time::sleep(self.clock.tick().since(began) * SHARE).await;
        }
    }

    async fn look(&self, all: &[Budget]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let budgets: Vec<&Budget> = all.iter().collect();
        let stands = stands(&*self.ledger, &budgets, now).await?;
        let reading = |(budget, accounts): (&Budget, &Vec<Standing>)| BudgetReading {
            budget: budget.id.to_string(),
            unit: budget.limit.unit,
            limit: budget.limit.amount,
            accounts: accounts
                .iter()
                .map(|account| AccountReading { of: account.of.to_string(), stand: account.stand })
                .collect(),
        };
        self.metrics.budgets(all.iter().zip(&stands).map(reading).collect());
        self.tell(all.iter().zip(&stands), now);
        Ok(())
    }

    /// Tells of rungs that were reached, and of limits that blocked.
    fn tell<'a>(&self, accounts: impl Iterator<Item = (&'a Budget, &'a Vec<Standing>)>, now: Timestamp) {
        let blocked = std::mem::take(&mut *self.seen.blocked.lock());
        let mut told = self.seen.told.lock();
        let mut lasts = HashSet::new();
        for (budget, accounts) in accounts {
            let window = notice::window(&budget.period, now);
            for account in accounts {
                let spent = account.stand.settled.saturating_add(account.stand.unknown);
                let warns = budget.ladder.iter().filter(|rung| rung.step == Step::Warn);
                for rung in warns.filter(|rung| spent >= rung.of(budget.limit.amount)) {
                    let key = notice::key(budget, &account.of, window, &rung.at.to_string());
                    if !told.contains(&key) {
                        let notice = notice::reached(budget, account, rung, now, &*self.ids);
                        self.notices.notify(notice.dedup(&key));
                    }
                    lasts.insert(key);
                }
                let here =
                    |b: &&Blocked| b.window.account.budget == budget.id && b.window.account.of == account.of;
                let key = notice::key(budget, &account.of, window, "block");
                let before = told.contains(&key);
                if let (Some(blocked), false) = (blocked.iter().find(here), before) {
                    self.notices.notify(notice::blocks(budget, blocked, now, &*self.ids).dedup(&key));
                    lasts.insert(key);
                } else if before {
                    lasts.insert(key);
                }
            }
        }
        // what ends with its window may be told again in the next one
        *told = lasts;
    }
}

/// The watch among the sinks: it only marks that there is something to see.
impl Sink for Watch {
    fn settle(&self, outcome: &Arc<Outcome>) {
        let call = &outcome.call;
        if call.charges.is_empty() && call.blocked.is_none() {
            return;
        }
        // read first: workers would fight over a place that all of them write
        if self.seen.due.load(Ordering::Relaxed) < LOOKS {
            self.seen.due.store(LOOKS, Ordering::Relaxed);
        }
        if let Some(blocked) = &call.blocked
            && matches!(blocked.why, Why::Spent | Why::Unknown)
            && let Some(mut kept) = self.seen.blocked.try_lock()
            && kept.len() < BLOCKS
            && !kept.iter().any(|b| b.window.account == blocked.window.account)
        {
            kept.push(Blocked::clone(blocked));
        }
    }
}
