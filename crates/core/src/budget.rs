//! Budgets: money or tokens over a period, and what is granted and spent of them.
//!
//! **Escrow.** The ledger is the truth. A node draws a *slice* of a window before it lets calls spend from
//! it: that is durable, so that `settled + granted but not settled ≤ limit` holds whatever fails. Holds of single
//! calls live in memory, inside the node's slice. What a call really cost is added to the slice in the transaction
//! that writes the call's record, so it counts once, as the record does. A node that dies leaves its slice behind:
//! when the lease is over, what is granted and not settled is *unknown*, and counts until someone reconciles it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::money::Nanos;

/// A budget's name: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BudgetId(pub Arc<str>);

impl fmt::Display for BudgetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a budget counts in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nano-dollars.
    Usd,
    /// Prompt and output tokens, cached ones too.
    Tokens,
}

impl Unit {
    /// `$1.25`, `1250 tokens`.
    pub fn show(self, amount: i64) -> String {
        match self {
            Self::Usd => Nanos(amount).to_string(),
            Self::Tokens => format!("{amount} tokens"),
        }
    }
}

/// One line of spending: a budget, and whose, where a budget counts each team, key or feature by itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Account {
    pub budget: BudgetId,
    /// `team=support,key=key_a`; empty when the budget has one account.
    pub of: Arc<str>,
}

/// An account in one period. Spending belongs to the window in which its call was admitted.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Window {
    pub account: Account,
    /// When the period began; of a rolling period, when this part of it began.
    pub starts: Timestamp,
}

/// One process, from its start to its end: 16 lower-case letters and digits. A restart is another node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Arc<str>);

/// What a settled call spends of a window, in the budget's unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Charge {
    pub window: Window,
    /// Whose slice it comes from.
    pub node: NodeId,
    pub amount: i64,
}

/// A node's wish for a part of a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draw {
    pub window: Window,
    /// Windows of the account that begin at or after this moment count against the limit: the window's own
    /// `starts`, or earlier for a rolling period.
    pub counts_from: Timestamp,
    /// The budget's limit, in its unit.
    pub limit: i64,
    /// Less than this is of no use.
    pub need: i64,
    /// More than this is not wanted.
    pub want: i64,
    /// At most this part of what is left is given beyond `need`, so that other nodes find some too: 2 is a half.
    pub share: i64,
    pub node: NodeId,
    pub lease_until: Timestamp,
}

/// What a node got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drawn {
    Granted {
        amount: i64,
        stand: Stand,
    },
    /// `need` was not there; nothing was granted.
    Short {
        stand: Stand,
    },
}

/// Where an account stands over its period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stand {
    /// Spent, and recorded.
    pub settled: i64,
    /// Granted to living nodes and not settled.
    pub granted: i64,
    /// Granted to nodes whose lease is over, and never settled.
    pub unknown: i64,
}

impl Stand {
    /// All that counts against the limit.
    pub fn taken(self) -> i64 {
        self.settled.saturating_add(self.granted).saturating_add(self.unknown)
    }
}

/// A node's slice of a window, as the ledger holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slice {
    pub window: Window,
    pub node: NodeId,
    pub granted: i64,
    /// More than `granted` only when calls cost more than their worst case.
    pub settled: i64,
    pub lease_until: Timestamp,
}

impl Slice {
    /// What is granted and not settled.
    pub fn open(&self) -> i64 {
        (self.granted - self.settled).max(0)
    }

    pub fn stand(&self, now: Timestamp) -> Stand {
        let (granted, unknown) = if self.lease_until > now { (self.open(), 0) } else { (0, self.open()) };
        Stand { settled: self.settled, granted, unknown }
    }
}

/// A budget as the ledger keeps it: one that was made at run time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredBudget {
    pub id: BudgetId,
    /// The section `[[budget]]` as JSON.
    pub spec: String,
    pub created_at: Timestamp,
    pub removed_at: Option<Timestamp>,
    /// Set by the store on every change; strictly increasing over all budgets and keys.
    pub version: i64,
}

/// Why a call did not fit, for its record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blocked {
    pub window: Window,
    pub unit: Unit,
    pub limit: i64,
    /// The call's worst case.
    pub need: i64,
    /// Over the period, on all nodes, when it was last asked.
    pub stand: Stand,
    /// Held on this node by calls on their way.
    pub held: i64,
    pub why: Why,
}

/// Which kind of block it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// What is spent leaves less than the call may cost.
    Spent,
    /// It would fit if calls on their way cost less than their worst case: perhaps blocked for nothing.
    Held,
    /// It would fit but for spending that nobody recorded.
    Unknown,
    /// The call may cost more than the whole limit.
    TooLarge,
    /// The model has no price, and the budget is hard.
    Unpriced,
    /// The ledger cannot be asked.
    Unreachable,
}
