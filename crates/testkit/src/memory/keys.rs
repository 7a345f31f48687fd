use async_trait::async_trait;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::{KeyId, StoredKey};
use bedplate_core::ports::{Keys, StoreError};

use super::MemoryLedger;

impl MemoryLedger {
    /// Brings one moment of a key nearer; `false` when there is no such key.
    fn bring(&self, id: &KeyId, at: Timestamp, moment: fn(&mut StoredKey) -> &mut Option<Timestamp>) -> bool {
        let mut tables = self.tables.lock();
        let next = tables.version + 1;
        let Some(key) = tables.keys.iter_mut().find(|k| k.id == *id) else { return false };
        if moment(key).is_none_or(|then| then > at) {
            *moment(key) = Some(at);
            key.version = next;
            tables.version = next;
        }
        true
    }
}

#[async_trait]
impl Keys for MemoryLedger {
    async fn insert_key(&self, key: &StoredKey) -> Result<i64, StoreError> {
        let mut tables = self.tables.lock();
        let taken = |k: &StoredKey| {
            k.id == key.id || k.access_key_id == key.access_key_id || k.bearer_sha256 == key.bearer_sha256
        };
        if tables.keys.iter().any(taken) {
            return Err(StoreError::Conflict(format!("a key `{}`", key.access_key_id)));
        }
        let version = tables.step();
        tables.keys.push(StoredKey { version, ..key.clone() });
        Ok(version)
    }

    async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let mut keys = self.tables.lock().keys.clone();
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(keys)
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.tables.lock().keys.iter().find(|k| k.id == *id).cloned())
    }

    async fn disable_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.bring(id, at, |k| &mut k.disabled_at))
    }

    async fn expire_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.bring(id, at, |k| &mut k.expires_at))
    }

    async fn keys_changed(&self, after: i64) -> Result<Vec<StoredKey>, StoreError> {
        let mut keys: Vec<_> =
            self.tables.lock().keys.iter().filter(|k| k.version > after).cloned().collect();
        keys.sort_by_key(|k| k.version);
        keys.truncate(10_000);
        Ok(keys)
    }
}
