//! The keys in memory: found by what a caller presents, changed one at a time.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::{Key, KeyId, Standing};
use bedplate_core::refusal::{Code, Refusal};
use foldhash::fast::{FixedState, RandomState};
use parking_lot::Mutex;

/// What a caller presents before its proof is checked.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    AccessKey(&'a str),
    /// SHA-256 of a bearer token.
    Token(&'a [u8; 32]),
}

/// All keys. Reading takes no lock; a change copies one of 64 shards, so that a hundred thousand keys
/// can change one by one.
pub struct Keyring {
    by_access_key: Shards<Arc<str>>,
    by_token: Shards<[u8; 32]>,
    /// By id, for those who change keys.
    by_id: Mutex<HashMap<KeyId, Arc<Key>, RandomState>>,
    version: AtomicI64,
}

impl Default for Keyring {
    fn default() -> Self {
        Self {
            by_access_key: Shards::new(),
            by_token: Shards::new(),
            by_id: Mutex::default(),
            version: AtomicI64::new(0),
        }
    }
}

impl Keyring {
    /// The key that belongs to what was presented, if it may be used at `now`.
    ///
    /// # Errors
    /// `BP1002` or `BP1005` when there is none or it is disabled (the two look alike on purpose),
    /// `BP1006` when it has expired.
    pub fn find(&self, presented: Presented<'_>, now: Timestamp) -> Result<Arc<Key>, Refusal> {
        let (key, unknown) = match presented {
            Presented::AccessKey(id) => (self.by_access_key.get(id), Code::UnknownKey),
            Presented::Token(hash) => (self.by_token.get(hash), Code::BadBearer),
        };
        let Some(key) = key else { return Err(Refusal::of(unknown)) };
        match key.standing(now) {
            Standing::Good => Ok(key),
            Standing::Disabled => {
                Err(Refusal::of(unknown).because(format_args!("key {} is disabled", key.id)))
            }
            Standing::Expired => Err(Refusal::of(Code::KeyExpired).because(format_args!("key {}", key.id))),
        }
    }

    /// Adds keys, or replaces those whose version is older; from now on the ring is up to version
    /// `up_to`.
    pub fn put(&self, keys: Vec<Key>, up_to: i64) {
        let mut by_id = self.by_id.lock();
        let keys: Vec<Arc<Key>> = keys
            .into_iter()
            .filter(|k| by_id.get(&k.id).is_none_or(|old| old.version <= k.version))
            .map(Arc::new)
            .collect();
        for key in &keys {
            by_id.insert(key.id.clone(), Arc::clone(key));
        }
        self.version.fetch_max(up_to, Ordering::Relaxed);
        self.by_access_key.put(keys.iter().map(|k| (Arc::clone(&k.access_key_id), Arc::clone(k))));
        self.by_token.put(keys.iter().map(|k| (k.bearer_sha256, Arc::clone(k))));
    }

    /// What to ask the ledger for changes after.
    pub fn version(&self) -> i64 {
        self.version.load(Ordering::Relaxed)
    }

    pub fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

type Shard<K> = ArcSwap<HashMap<K, Arc<Key>, RandomState>>;

struct Shards<K> {
    shards: Vec<Shard<K>>,
    hash: FixedState,
}

impl<K: std::hash::Hash + Eq + Clone> Shards<K> {
    const COUNT: usize = 64;

    fn new() -> Self {
        Self { shards: (0..Self::COUNT).map(|_| ArcSwap::default()).collect(), hash: FixedState::default() }
    }

    fn of<Q: std::hash::Hash + ?Sized>(&self, k: &Q) -> usize {
        // the high bits: the maps inside use the low ones
        (self.hash.hash_one(k) >> 58) as usize % Self::COUNT
    }

    fn get<Q: std::hash::Hash + Eq + ?Sized>(&self, k: &Q) -> Option<Arc<Key>>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.shards[self.of(k)].load().get(k).map(Arc::clone)
    }

    /// Callers hold the lock of `by_id`, so no change is lost between load and store.
    fn put(&self, keys: impl Iterator<Item = (K, Arc<Key>)>) {
        let mut changed: HashMap<usize, Vec<(K, Arc<Key>)>> = HashMap::new();
        for (k, key) in keys {
            changed.entry(self.of(&k)).or_default().push((k, key));
        }
        for (shard, entries) in changed {
            let mut map = HashMap::clone(&self.shards[shard].load());
            map.extend(entries);
            self.shards[shard].store(Arc::new(map));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_core::principal::Principal;
    use bedplate_core::secret::Secret;

    fn key(n: u32, version: i64) -> Key {
        let id = KeyId(format!("key_{n}").into());
        let mut bearer_sha256 = [0; 32];
        bearer_sha256[..4].copy_from_slice(&n.to_be_bytes());
        Key {
            id: id.clone(),
            access_key_id: format!("AKIA{n}").into(),
            secret_access_key: Secret::new("s"),
            bearer_sha256,
            principal: Principal {
                key: id,
                team: "t".into(),
                feature: "f".into(),
                environment: "e".into(),
                risk_profile: "internal".into(),
            },
            features: vec![],
            models: vec![],
            expires_at: None,
            disabled_at: None,
            version,
        }
    }

    #[test]
    fn keys_are_found_by_access_key_and_by_token() {
        let ring = Keyring::default();
        ring.put((0..1000).map(|n| key(n, i64::from(n) + 1)).collect(), 1000);
        let found = ring.find(Presented::AccessKey("AKIA77"), Timestamp(0)).unwrap();
        let by_token = ring.find(Presented::Token(&found.bearer_sha256), Timestamp(0)).unwrap();
        assert_eq!(found.id, by_token.id);
        assert_eq!(ring.version(), 1000);
        let none = ring.find(Presented::AccessKey("AKIA1000"), Timestamp(0)).unwrap_err();
        assert_eq!(none.code, Code::UnknownKey);
    }

    #[test]
    fn a_disabled_key_looks_unknown_and_an_older_version_changes_nothing() {
        let ring = Keyring::default();
        ring.put(vec![key(1, 1)], 1);
        ring.put(vec![Key { disabled_at: Some(Timestamp(5)), ..key(1, 3) }], 3);
        ring.put(vec![key(1, 2)], 2);
        let e = ring.find(Presented::AccessKey("AKIA1"), Timestamp(5)).unwrap_err();
        assert_eq!(e.code, Code::UnknownKey);
        assert_eq!(ring.len(), 1);
    }
}
