//! Storage ports. Crate `store` implements them; one conformance suite runs on every
//! implementation.

use std::sync::Arc;

use async_trait::async_trait;

use crate::BoxFuture;
use crate::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice, StoredBudget};
use crate::call::CallId;
use crate::clock::Timestamp;
use crate::key::{KeyId, StoredKey};
use crate::money::Cost;
use crate::record::{Ending, Outcome};
use crate::refusal::Code;
use crate::spend::{SpendAsk, SpendLine};
use crate::usage::Usage;

/// A store that could not do what was asked. "Not found" is never an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Cannot be reached, or did not answer in time: trying again may help.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// The disk is full, or the database refuses to write.
    #[error("the ledger cannot write: {0}")]
    ReadOnly(String),
    /// What is stored is not what this version wrote or can read.
    #[error("the ledger cannot be read: {0}")]
    Corrupt(String),
    /// Something of that name is there already.
    #[error("the ledger already has {0}")]
    Conflict(String),
}

/// The keys that bedplate issued.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Stores a new key and gives its version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the id, the access key id or the token's hash is taken.
    async fn insert_key(&self, key: &StoredKey) -> Result<i64, StoreError>;

    /// Every key, oldest first.
    async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError>;

    /// Disables a key at `at`; `false` when there is no such key. Disabling twice keeps the first
    /// moment.
    async fn disable_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError>;

    /// Lets a key expire at `at` unless it expires earlier; `false` when there is no such key.
    async fn expire_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError>;

    /// Keys whose version is greater than `after`, in order of version: what a running gateway asks
    /// every 250 ms. At most 10,000 at once.
    async fn keys_changed(&self, after: i64) -> Result<Vec<StoredKey>, StoreError>;
}

/// Calls, their attempts, and what they came to.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Writes a batch, all or nothing: rows, sums, and what calls spend of budgets. A call that is
    /// already there is left as it is, so a batch may be written twice. A charge to a slice that is not
    /// there makes one, with nothing granted.
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError>;

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError>;

    /// The newest calls that match, newest first.
    async fn recent(&self, filter: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError>;

    /// Sums by day, team, feature, environment and model, from the roll-ups (which outlive the rows), oldest first.
    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError>;

    /// Drops whole days of calls that ended before `before`; gives the number of days dropped.
    /// Roll-ups stay.
    async fn retain(&self, before: Timestamp) -> Result<u32, StoreError>;
}

/// Sums of single calls, by whatever they have in common. As long as single calls are kept.
#[async_trait]
pub trait Spend: Send + Sync {
    /// Sums by slot and by what is asked for: lines by slot, in each the dearest first as [`SpendAsk::top`] says, what has
    /// no line of its own last. Counting is left to the database, day by day, and needs little memory however many
    /// calls and combinations there are; `progress` is told after each part: how many are done, of how many. May
    /// take minutes. Calls that are written meanwhile are counted or not.
    async fn spend(&self, ask: &SpendAsk, progress: Progress<'_>) -> Result<Vec<SpendLine>, StoreError>;
}

/// Hears how far a long answer has come: parts done, and of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Budgets made at run time, and the slices that nodes draw. Every method is one transaction; forgetting may be
/// several.
#[async_trait]
pub trait Budgets: Send + Sync {
    /// Stores a budget and gives its version. One of the same name that was removed is replaced.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a budget of that name stands.
    async fn insert_budget(&self, budget: &StoredBudget) -> Result<i64, StoreError>;

    /// Removes a budget at `at`; `false` when none of that name stands. What was spent stays.
    async fn remove_budget(&self, id: &BudgetId, at: Timestamp) -> Result<bool, StoreError>;

    /// Budgets whose version is greater than `after`, removed ones too, in order of version. At most 10,000 at
    /// once.
    async fn budgets_changed(&self, after: i64) -> Result<Vec<StoredBudget>, StoreError>;

    /// Grants a node a part of a window, or says where the account stands. `now` decides whose lease is over.
    /// Grants never make what is taken exceed the limit; a slice whose lease was over lives again. A slice is
    /// granted `i64::MAX` at most, what it returned included.
    async fn draw(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, StoreError>;

    /// Takes back what the node does not need. A slice keeps at least what it has settled. A total that is not
    /// larger than the last one changes nothing, so this may be said twice, and late.
    async fn give_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), StoreError>;

    /// Extends the leases of the node's slices that are not wholly settled, and gives these, by window. Of a window
    /// that is not among them the node has nothing left, whatever it thought: all is settled, or was reconciled
    /// while the lease was over. A lease is never made shorter.
    async fn renew(&self, node: &NodeId, lease_until: Timestamp) -> Result<Vec<Slice>, StoreError>;

    /// Slices of windows that begin at or after `since`, of one budget or of all, by window and node.
    async fn slices(&self, budget: Option<&BudgetId>, since: Timestamp) -> Result<Vec<Slice>, StoreError>;

    /// Ends what is unknown of a slice: `spent` of it counts as reconciled, the rest is free again; `false` when
    /// its sums are no longer those of `slice`, its lease is not over at `now`, or nothing of it is open. So of two
    /// who reconcile one wins, and a repetition does nothing.
    async fn reconcile(&self, slice: &Slice, spent: i64, now: Timestamp) -> Result<bool, StoreError>;

    /// Drops slices of windows that began before `before` and have nothing open; gives their number. The caller
    /// keeps what still counts for a rolling period.
    async fn forget_slices(&self, before: Timestamp) -> Result<u64, StoreError>;
}

/// Which calls are asked for. `None` means any.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub team: Option<String>,
    pub feature: Option<String>,
    pub key: Option<KeyId>,
    pub chain: Option<String>,
    pub code: Option<Code>,
    pub ending: Option<Ending>,
    /// Only calls after this one, for `tail`.
    pub after: Option<CallId>,
}

/// One line of roll-ups.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// Midnight UTC.
    pub day: Timestamp,
    pub team: String,
    pub feature: String,
    pub environment: String,
    pub model: String,
    pub calls: u64,
    pub refused: u64,
    pub usage: Usage,
    pub cost: Cost,
    /// Calls whose cost is not fully known.
    pub unpriced: u64,
}

/// The whole ledger of one deployment.
#[async_trait]
pub trait Ledger: Keys + Calls + Budgets + Spend {
    /// Answers when the ledger can be read; for readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Which schema version the database has.
    async fn schema_version(&self) -> Result<i64, StoreError>;

    /// Whether `owner` is the first who asked for `key`, now and whenever it asks again: for what is done once by all
    /// nodes. Keys that were claimed 400 days before `now` are free again.
    async fn claim(&self, key: &str, owner: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Work that needs doing beside the calls; to be called about once a second by a process that writes much.
    async fn tend(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What kind it is, for people: `sqlite .bedplate/bedplate.db`, `postgres db.example:5432/bedplate`.
    fn describe(&self) -> String;

    /// Writes everything that is pending to disk and closes.
    async fn close(&self);
}

/// Where settled calls go besides the ledger: metrics, call log, invocation log, traces.
///
/// Called exactly once a call, on the thread that served it: a sink must not block and must not
/// fail. One that writes does so elsewhere, from a bounded queue, and counts what it had to drop.
pub trait Sink: Send + Sync {
    /// A call has begun; one [`Sink::settle`] will follow.
    fn begun(&self) {}

    fn settle(&self, outcome: &Arc<Outcome>);
}

/// Where settled calls enter the ledger. Bounded: a call takes a place before it is admitted, so that
/// its record can never be turned away at the end.
pub trait Intake: Send + Sync {
    /// Takes a place, if there is one now.
    fn try_reserve(&self) -> bool;

    /// Waits for a place.
    ///
    /// # Errors
    /// When the ledger takes no records; the caller bounds the wait.
    fn reserve(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Fills a place. Never blocks, never loses.
    fn settle(&self, outcome: Arc<Outcome>);

    /// Gives a place back unused.
    fn release(&self);

    /// Why there is no room: what keeps the ledger from writing, or that all places are taken.
    fn why_full(&self) -> StoreError;
}
