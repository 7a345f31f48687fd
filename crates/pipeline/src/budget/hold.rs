//! What one call holds, until it is settled.

use std::sync::Arc;

use bedplate_core::budget::{Charge, NodeId, Unit, Window};
use bedplate_core::money::Cost;

use super::purse::Purse;

/// What a call holds in the budgets that concern it. Dropped without being settled it gives everything back.
#[derive(Default, Debug)]
pub struct Hold {
    node: Option<NodeId>,
    parts: Vec<Part>,
    output: Option<u64>,
}

#[derive(Debug)]
struct Part {
    purse: Arc<Purse>,
    amount: i64,
    unit: Unit,
}

/// What a call really used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent {
    pub cost: Cost,
    pub tokens: u64,
    /// Whether the upstream said so itself. What is only estimated counts as no less than what was held.
    pub certain: bool,
}

impl Spent {
    /// Nothing was sent.
    pub(crate) const NOTHING: Self = Self { cost: Cost::FREE, tokens: 0, certain: true };
}

impl Hold {
    /// Of a call that no budget concerns.
    pub fn none() -> Self {
        Self::default()
    }

    pub(super) fn new(node: NodeId, output: Option<u64>) -> Self {
        Self { node: Some(node), parts: Vec::new(), output }
    }

    pub(super) fn add(&mut self, purse: Arc<Purse>, amount: i64, unit: Unit) {
        self.parts.push(Part { purse, amount, unit });
    }

    /// Output tokens that the answer must be bounded to; `None` when it need not be.
    pub fn output(&self) -> Option<u64> {
        self.output
    }

    /// What is held, and where.
    pub fn parts(&self) -> impl Iterator<Item = (&Window, i64)> {
        self.parts.iter().map(|part| (part.purse.window(), part.amount))
    }

    /// Ends the hold: what was spent stays spent, the rest is free. The charges belong into the call's record, which
    /// makes them durable.
    pub fn settle(mut self, spent: Spent) -> Vec<Charge> {
        let Some(node) = self.node.take() else { return Vec::new() };
        let mut charges = Vec::new();
        for part in std::mem::take(&mut self.parts) {
            let amount = part.spent(spent);
            part.purse.settle(part.amount, amount);
            if amount > 0 {
                charges.push(Charge { window: part.purse.window().clone(), node: node.clone(), amount });
            }
        }
        charges
    }
}

impl Part {
    fn spent(&self, spent: Spent) -> i64 {
        let (said, certain) = match self.unit {
            Unit::Usd => (spent.cost.priced().0, spent.certain && spent.cost.is_known()),
            Unit::Tokens => (i64::try_from(spent.tokens).unwrap_or(i64::MAX), spent.certain),
        };
        if certain { said.max(0) } else { said.max(self.amount) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for part in &self.parts {
            part.purse.settle(part.amount, 0);
        }
    }
}
