//! A ledger in memory that keeps to the words of the ports. The store's conformance suite runs on it, too.

mod budgets;
mod calls;
mod keys;
mod spend;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::budget::{BudgetId, NodeId, Slice, StoredBudget, Window};
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::StoredKey;
use bedplate_core::ports::{Ledger, StoreError, Total};
use bedplate_core::record::Outcome;
use parking_lot::Mutex;

/// Whoever holds its lock is a transaction.
#[derive(Default)]
pub struct MemoryLedger {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    version: i64,
    keys: Vec<StoredKey>,
    /// In the order of admission.
    calls: BTreeMap<(Timestamp, CallId), Outcome>,
    ids: BTreeMap<CallId, Timestamp>,
    totals: BTreeMap<calls::Line, Total>,
    days: BTreeSet<Timestamp>,
    budgets: BTreeMap<BudgetId, StoredBudget>,
    slices: BTreeMap<(Window, NodeId), Slice>,
    /// Key to owner, and when.
    claims: BTreeMap<String, (String, Timestamp)>,
}

impl Tables {
    fn step(&mut self) -> i64 {
        self.version += 1;
        self.version
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// There is no schema.
    async fn schema_version(&self) -> Result<i64, StoreError> {
        Ok(0)
    }

    async fn claim(&self, key: &str, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        let claims = &mut self.tables.lock().claims;
        claims.retain(|_, (_, at)| *at >= now.minus(Duration::from_secs(400 * 86_400)));
        let (first, _) = claims.entry(key.to_owned()).or_insert_with(|| (owner.to_owned(), now));
        Ok(first == owner)
    }

    fn describe(&self) -> String {
        "memory".into()
    }

    async fn close(&self) {}
}
