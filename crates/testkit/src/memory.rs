//! A ledger in memory that keeps to the words of the ports. The store's conformance suite runs on it, too.

mod budgets;
mod calls;
mod keys;

use std::collections::{BTreeMap, BTreeSet};

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

    fn describe(&self) -> String {
        "memory".into()
    }

    async fn close(&self) {}
}
