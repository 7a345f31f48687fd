//! Keys that bedplate issues: a SigV4 pair and a bearer token for one principal.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{self, Ids};
use crate::principal::Principal;
use crate::secret::Secret;

/// Identifies a key in the ledger, logs and commands: `key_` and 16 lower-case letters and digits.
/// Not a secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub Arc<str>);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key as the gateway uses it: opened, in memory.
#[derive(Debug)]
pub struct Key {
    pub id: KeyId,
    pub access_key_id: Arc<str>,
    pub secret_access_key: Secret,
    /// SHA-256 of the bearer token.
    pub bearer_sha256: [u8; 32],
    pub principal: Principal,
    /// Features the caller may name beside the principal's own.
    pub features: Vec<Arc<str>>,
    /// Model names this key may call; empty means all. `*` at the end matches any ending.
    pub models: Vec<Arc<str>>,
    pub expires_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    /// The ledger's change counter when this key last changed.
    pub version: i64,
}

impl Key {
    /// Whether the key may be used at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if self.disabled_at.is_some_and(|at| at <= now) {
            Standing::Disabled
        } else if self.expires_at.is_some_and(|at| at <= now) {
            Standing::Expired
        } else {
            Standing::Good
        }
    }

    /// Whether the allow-list admits a model by the name the caller used.
    pub fn allows_model(&self, name: &str) -> bool {
        self.models.is_empty()
            || self.models.iter().any(|m| match m.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => &**m == name,
            })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Good,
    Disabled,
    Expired,
}

/// A key as the ledger keeps it: the secret sealed, the bearer token as a hash only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredKey {
    pub id: KeyId,
    pub access_key_id: String,
    /// An envelope of crate `seal`; its associated data is the access key id.
    pub sealed_secret: Vec<u8>,
    pub bearer_sha256: [u8; 32],
    pub team: String,
    pub feature: String,
    pub environment: String,
    pub risk_profile: String,
    pub features: Vec<String>,
    pub models: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    /// The key that this one replaces.
    pub rotated_from: Option<KeyId>,
    /// Set by the store on every change; strictly increasing over all keys.
    pub version: i64,
}

/// A freshly made key: the only moment at which the secrets exist in the clear.
#[derive(Debug)]
pub struct NewKey {
    pub id: KeyId,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub bearer_token: Secret,
}

impl NewKey {
    /// Makes a key. The access key id looks like AWS's own (`AKIA` and 16 of A–Z2–7), the secret has
    /// 40 characters, the bearer token starts with `bedplate-` so that scanners can find it.
    pub fn make(ids: &dyn Ids) -> Self {
        const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        Self {
            id: KeyId(format!("key_{}", ids::text(ids, LOWER, 16)).into()),
            access_key_id: format!("AKIA{}", ids::text(ids, BASE32, 16)),
            secret_access_key: Secret::new(ids::text(ids, WORD, 40)),
            bearer_token: Secret::new(format!("bedplate-{}", ids::text(ids, WORD, 43))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    fn key(models: &[&str]) -> Key {
        Key {
            id: KeyId("key_a".into()),
            access_key_id: "AKIA".into(),
            secret_access_key: Secret::new("s"),
            bearer_sha256: [0; 32],
            principal: Principal {
                key: KeyId("key_a".into()),
                team: "t".into(),
                feature: "f".into(),
                environment: "e".into(),
                risk_profile: "internal".into(),
            },
            features: vec![],
            models: models.iter().map(|m| Arc::from(*m)).collect(),
            expires_at: Some(Timestamp(10)),
            disabled_at: None,
            version: 1,
        }
    }

    #[test]
    fn an_empty_list_allows_every_model_and_a_star_any_ending() {
        assert!(key(&[]).allows_model("anything"));
        assert!(key(&["us.amazon.*"]).allows_model("us.amazon.nova-lite-v1:0"));
        assert!(!key(&["us.amazon.*"]).allows_model("amazon.nova-lite-v1:0"));
        assert!(!key(&["amazon.nova-lite-v1"]).allows_model("amazon.nova-lite-v1:0"));
    }

    #[test]
    fn a_key_expires_at_its_moment() {
        assert_eq!(key(&[]).standing(Timestamp(9)), Standing::Good);
        assert_eq!(key(&[]).standing(Timestamp(10)), Standing::Expired);
    }

    #[test]
    fn new_keys_have_the_shapes_sdks_expect() {
        let k = NewKey::make(&*SystemIds::shared());
        assert_eq!(k.access_key_id.len(), 20);
        assert_eq!(k.secret_access_key.expose().len(), 40);
        assert!(k.bearer_token.expose().starts_with("bedplate-"));
    }
}
