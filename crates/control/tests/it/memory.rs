//! A ledger in memory that keeps to the words of the ports.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::{KeyId, StoredKey};
use bedplate_core::money::Cost;
use bedplate_core::ports::{CallFilter, Calls, Keys, Ledger, StoreError, Total};
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::usage::Usage;

#[derive(Default)]
pub(crate) struct Memory {
    keys: Mutex<Vec<StoredKey>>,
    version: Mutex<i64>,
    calls: Mutex<Vec<Outcome>>,
    /// Everything fails while it is set.
    pub(crate) down: AtomicBool,
    /// Only keys cannot be made to expire while it is set.
    pub(crate) no_expiry: AtomicBool,
    /// What `totals` says instead of what the calls come to.
    pub(crate) rolled_up: Mutex<Option<Vec<Total>>>,
}

impl Memory {
    fn up(&self) -> Result<(), StoreError> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the test has pulled the plug".into())),
            false => Ok(()),
        }
    }

    fn next_version(&self) -> i64 {
        let mut version = self.version.lock().unwrap();
        *version += 1;
        *version
    }

    fn change(&self, id: &KeyId, change: impl FnOnce(&mut StoredKey)) -> Result<bool, StoreError> {
        self.up()?;
        let mut keys = self.keys.lock().unwrap();
        let Some(key) = keys.iter_mut().find(|k| k.id == *id) else { return Ok(false) };
        change(key);
        key.version = self.next_version();
        Ok(true)
    }
}

#[async_trait]
impl Keys for Memory {
    async fn insert_key(&self, key: &StoredKey) -> Result<i64, StoreError> {
        self.up()?;
        let mut keys = self.keys.lock().unwrap();
        let taken = |k: &StoredKey| {
            k.id == key.id || k.access_key_id == key.access_key_id || k.bearer_sha256 == key.bearer_sha256
        };
        if keys.iter().any(taken) {
            return Err(StoreError::Conflict(format!("a key `{}`", key.access_key_id)));
        }
        let version = self.next_version();
        keys.push(StoredKey { version, ..key.clone() });
        Ok(version)
    }

    async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.up()?;
        let mut keys = self.keys.lock().unwrap().clone();
        keys.sort_by_key(|k| k.created_at);
        Ok(keys)
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.up()?;
        Ok(self.keys.lock().unwrap().iter().find(|k| k.id == *id).cloned())
    }

    async fn disable_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.change(id, |k| k.disabled_at = k.disabled_at.or(Some(at)))
    }

    async fn expire_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        if self.no_expiry.load(Ordering::SeqCst) {
            return Err(StoreError::ReadOnly("the disk is full".into()));
        }
        self.change(id, |k| k.expires_at = Some(k.expires_at.map_or(at, |e| e.min(at))))
    }

    async fn keys_changed(&self, after: i64) -> Result<Vec<StoredKey>, StoreError> {
        self.up()?;
        let mut keys: Vec<_> =
            self.keys.lock().unwrap().iter().filter(|k| k.version > after).cloned().collect();
        keys.sort_by_key(|k| k.version);
        Ok(keys)
    }
}

#[async_trait]
impl Calls for Memory {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        self.up()?;
        let mut calls = self.calls.lock().unwrap();
        for outcome in batch {
            if calls.iter().all(|o| o.call.id != outcome.call.id) {
                calls.push(Outcome::clone(outcome));
            }
        }
        calls.sort_by_key(|o| (o.call.admitted_at, o.call.id));
        Ok(())
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        self.up()?;
        Ok(self.calls.lock().unwrap().iter().find(|o| o.call.id == id).cloned())
    }

    async fn recent(&self, f: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        self.up()?;
        let fits = |o: &&Outcome| {
            let c = &o.call;
            f.since.is_none_or(|at| c.admitted_at >= at)
                && f.until.is_none_or(|at| c.admitted_at < at)
                && f.team.as_ref().is_none_or(|t| **t == *c.team)
                && f.feature.as_ref().is_none_or(|t| **t == *c.feature)
                && f.key.as_ref().is_none_or(|k| Some(k) == c.key.as_ref())
                && f.chain.as_ref().is_none_or(|t| Some(t) == c.chain.as_ref())
                && f.code.is_none_or(|code| Some(code) == c.code)
                && f.ending.is_none_or(|ending| ending == c.ending)
                && f.after.is_none_or(|id| c.id > id)
        };
        Ok(self.calls.lock().unwrap().iter().rev().filter(fits).take(limit as usize).cloned().collect())
    }

    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError> {
        self.up()?;
        if let Some(totals) = &*self.rolled_up.lock().unwrap() {
            return Ok(totals.clone());
        }
        let mut totals: BTreeMap<_, Total> = BTreeMap::new();
        for outcome in &*self.calls.lock().unwrap() {
            let c = &outcome.call;
            let day = Timestamp::from_secs(c.admitted_at.secs().div_euclid(86_400) * 86_400);
            if day.secs() + 86_400 <= since.secs() || day > until {
                continue;
            }
            let names = [&*c.team, &*c.feature, &*c.environment, &*c.model].map(str::to_owned);
            let [team, feature, environment, model] = names.clone();
            let total = totals.entry((day, names)).or_insert(Total {
                day,
                team,
                feature,
                environment,
                model,
                calls: 0,
                refused: 0,
                usage: Usage::default(),
                cost: Cost::FREE,
                unpriced: 0,
            });
            total.calls += 1;
            total.refused += u64::from(c.ending == Ending::Refused);
            total.usage.add(&c.usage);
            total.cost = total.cost.plus(c.cost);
            total.unpriced += u64::from(!c.cost.is_known());
        }
        Ok(totals.into_values().collect())
    }

    async fn retain(&self, _: Timestamp) -> Result<u32, StoreError> {
        Ok(0)
    }
}

#[async_trait]
impl Ledger for Memory {
    async fn ping(&self) -> Result<(), StoreError> {
        self.up()
    }

    async fn schema_version(&self) -> Result<i64, StoreError> {
        Ok(1)
    }

    fn describe(&self) -> String {
        "memory".into()
    }

    async fn close(&self) {}
}
