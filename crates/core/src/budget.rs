//! Budgets: money or tokens over a period, and what is granted and spent of them.
//!
//! **Escrow.** The ledger is the truth. A node draws a *slice* of a window before it lets calls spend from
//! it: that is durable, so that `settled + granted but not settled ≤ limit` holds whatever fails. Holds of single
//! calls live in memory, inside the node's slice. What a call really cost is added to the slice in the transaction
//! that writes the call's record, so it counts once, as the record does. A node that dies leaves its slice behind:
//! when the lease is over, what is granted and not settled is *unknown*, and counts until someone reconciles it.
//!
//! **Lost answers.** All numbers of a [`Slice`] only grow, and a node remembers three of its own: what was `granted`
//! in all, by the ledger's last word; what it `returned` in all; what its calls `spent` in all, from the moment they
//! end. It may let calls spend `max(granted - returned, settled) - spent`, less its holds, and asks for what is
//! missing: of what was spent beyond the grants only what the ledger has not `settled` yet. Whatever happens to a
//! question on its way, that is never more than the ledger counts:
//!
//! - An answer tells the slice's sums. The node takes the larger of its own and the ledger's, so a grant whose answer
//!   was lost comes to light with the next one, also when that says [`Drawn::Short`].
//! - What is given back is taken off in memory first, then said to the ledger as a sum: said twice or late it
//!   changes nothing.
//! - Of a slice whose lease was over, [`crate::ports::Budgets::renew`] tells whether it still stands.
//! - What a draw was granted is spent by calls that go by the same limit and the same period, or by wider ones. When a
//!   limit or a period has changed the ledger is asked again first, and what is beyond the limit is given back.
//! - A clock that is set back, or a period that is, brings an earlier window back, and with it the numbers the node had
//!   for it: it keeps them until the ledger has the records of all that was spent.

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
    /// Not less than nothing; 0 is not kept.
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
    /// Less than this is of no use. 0 takes what there is, and with `want` 0 only asks.
    pub need: i64,
    /// More than this is not wanted, unless it is needed.
    pub want: i64,
    /// At most this part of what is left is given beyond `need`, so that other nodes find some too: 2 is a half.
    pub share: i64,
    pub node: NodeId,
    pub lease_until: Timestamp,
}

impl Draw {
    /// How much is granted when `others` counts already, and the node's own slice; `None` when `need` is not there.
    pub fn portion(&self, others: i64, own: Sums) -> Option<i64> {
        let need = self.need.max(0);
        // `granted` only grows, and has an end
        let room = i64::MAX - own.grant(0).granted;
        let free = self.limit.saturating_sub(others.saturating_add(own.taken())).min(room);
        if free < need {
            return None;
        }
        let more = (free - need) / self.share.max(1);
        Some(self.want.min(need + more).max(need))
    }

    /// From when on windows count; never without the window that is drawn from.
    pub fn counts_from(&self) -> Timestamp {
        self.counts_from.min(self.window.starts)
    }
}

/// What a node got, where its slice stands now, and where the account does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drawn {
    /// The lease is extended, too.
    Granted { amount: i64, sums: Sums, stand: Stand },
    /// `need` was not there; nothing changed. It may be in the node's own slice, when that was granted more than the
    /// node had heard of.
    Short { sums: Sums, stand: Stand },
}

impl Drawn {
    pub fn sums(&self) -> Sums {
        match self {
            Self::Granted { sums, .. } | Self::Short { sums, .. } => *sums,
        }
    }

    pub fn stand(&self) -> Stand {
        match self {
            Self::Granted { stand, .. } | Self::Short { stand, .. } => *stand,
        }
    }
}

/// Where an account stands over its period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stand {
    /// Spent, and recorded or reconciled.
    pub settled: i64,
    /// Granted to living nodes and not settled.
    pub granted: i64,
    /// Granted to nodes whose lease is over, and never settled.
    pub unknown: i64,
}

impl Stand {
    pub fn plus(self, other: Self) -> Self {
        Self {
            settled: self.settled.saturating_add(other.settled),
            granted: self.granted.saturating_add(other.granted),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }

    /// All that counts against the limit.
    pub fn taken(self) -> i64 {
        self.settled.saturating_add(self.granted).saturating_add(self.unknown)
    }
}

/// What happened to a slice so far. Each number is at least 0 and only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sums {
    pub granted: i64,
    /// Given back of it, by the node or when it was reconciled; not more than was granted.
    pub returned: i64,
    /// Spent by the node's calls, as their records say: what the charges add up to.
    pub settled: i64,
    /// Spent without a record, as somebody decided.
    pub reconciled: i64,
}

impl Sums {
    /// With a grant of `amount`, which comes on top of what counts already: what was spent beyond the grants is
    /// granted with it.
    #[must_use]
    pub fn grant(self, amount: i64) -> Self {
        let covered = self.granted.max(self.returned.saturating_add(self.settled));
        Self { granted: covered.saturating_add(amount), ..self }
    }

    /// What is granted and not settled: the node may spend it, or has.
    pub fn open(self) -> i64 {
        (self.granted - self.returned).saturating_sub(self.settled).max(0)
    }

    /// What is spent.
    pub fn spent(self) -> i64 {
        self.settled.saturating_add(self.reconciled)
    }

    /// All that counts against the limit. More than was granted only when calls cost more than their worst case, or
    /// when their records came after they had been reconciled.
    pub fn taken(self) -> i64 {
        self.spent().saturating_add(self.open())
    }
}

/// A node's slice of a window, as the ledger holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slice {
    pub window: Window,
    pub node: NodeId,
    #[serde(flatten)]
    pub sums: Sums,
    pub lease_until: Timestamp,
}

impl Slice {
    pub fn stand(&self, now: Timestamp) -> Stand {
        let open = self.sums.open();
        let (granted, unknown) = if self.lease_until > now { (open, 0) } else { (0, open) };
        Stand { settled: self.sums.spent(), granted, unknown }
    }
}

/// What a node has given back of a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Return {
    pub window: Window,
    /// In all, since it first drew; so it may be said again.
    pub total: i64,
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
    /// Of what was granted, spent by calls of this node whose records the ledger had not heard of.
    #[serde(default)]
    pub unrecorded: i64,
    /// Of what was granted, what this node had left: less than the call needed.
    #[serde(default)]
    pub free: i64,
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

impl Why {
    pub fn name(self) -> &'static str {
        match self {
            Self::Spent => "spent",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::TooLarge => "too_large",
            Self::Unpriced => "unpriced",
            Self::Unreachable => "unreachable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(limit: i64, need: i64, want: i64, share: i64) -> Draw {
        let account = Account { budget: BudgetId("b".into()), of: "".into() };
        Draw {
            window: Window { account, starts: Timestamp(5) },
            counts_from: Timestamp(9),
            limit,
            need,
            want,
            share,
            node: NodeId("n".into()),
            lease_until: Timestamp(0),
        }
    }

    #[test]
    fn portions_leave_some_for_others_and_never_pass_the_limit() {
        for (limit, need, want, share, taken, portion) in [
            (100, 10, 1_000, 2, 0, Some(55)),
            (100, 10, 20, 2, 0, Some(20)),
            (100, 10, 1_000, 1, 0, Some(100)),
            (100, 10, 1_000, 0, 0, Some(100)),
            (100, 10, 0, 2, 0, Some(10)),
            (100, 10, 1_000, 2, 90, Some(10)),
            (100, 10, 1_000, 2, 91, None),
            (100, 0, 1_000, 4, 80, Some(5)),
            (100, 0, 1_000, 4, 100, Some(0)),
            (100, 0, 0, 4, 0, Some(0)),
            (100, -5, 1_000, 4, 101, None),
            (0, i64::MIN, i64::MIN, i64::MIN, 0, Some(0)),
            (-1, 0, 9, 1, 0, None),
            (i64::MAX, i64::MAX, i64::MAX, 1, 0, Some(i64::MAX)),
            (i64::MAX, 1, i64::MAX, 1, 0, Some(i64::MAX)),
            (i64::MAX, 0, i64::MAX, 2, 1, Some(i64::MAX / 2)),
            (i64::MIN, 1, 1, 1, i64::MAX, None),
        ] {
            assert_eq!(
                draw(limit, need, want, share).portion(taken, Sums::default()),
                portion,
                "{limit} {need} {want} {share}"
            );
        }
    }

    #[test]
    fn the_own_slice_counts_too_and_its_sum_does_not_overflow() {
        let own = Sums { granted: 70, returned: 20, settled: 10, reconciled: 5 };
        assert_eq!(draw(100, 30, 100, 1).portion(15, own), Some(30));
        assert_eq!(draw(100, 31, 100, 1).portion(15, own), None);
        let worn = Sums { granted: i64::MAX - 5, returned: i64::MAX - 5, ..Sums::default() };
        assert_eq!(draw(100, 5, 100, 1).portion(0, worn), Some(5));
        assert_eq!(draw(100, 6, 100, 1).portion(0, worn), None);
    }

    #[test]
    fn the_window_itself_always_counts() {
        assert_eq!(draw(1, 1, 1, 1).counts_from(), Timestamp(5));
    }

    #[test]
    fn what_is_open_becomes_unknown_with_the_lease() {
        let window = draw(1, 1, 1, 1).window;
        let sums = Sums { granted: 100, returned: 20, settled: 30, reconciled: 7 };
        let slice = Slice { window, node: NodeId("n".into()), sums, lease_until: Timestamp(5) };
        assert_eq!(slice.stand(Timestamp(4)), Stand { settled: 37, granted: 50, unknown: 0 });
        assert_eq!(slice.stand(Timestamp(5)), Stand { settled: 37, granted: 0, unknown: 50 });
        assert_eq!((sums.taken(), slice.stand(Timestamp(5)).taken()), (87, 87));
        let over = Sums { settled: 90, ..sums };
        assert_eq!((over.open(), over.taken()), (0, 97));
        let more = over.grant(5);
        assert_eq!((more.granted, more.open(), more.taken()), (115, 5, 102));
        assert_eq!(sums.grant(5), Sums { granted: 105, ..sums });
    }
}
