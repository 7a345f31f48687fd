//! Keys: made here, sealed here, opened here.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ids::Ids;
use bedplate_core::key::{Key, KeyId, NewKey, StoredKey};
use bedplate_core::ports::{Keys, StoreError};
use bedplate_core::principal::Principal;
use bedplate_core::secret::Secret;
use bedplate_seal::{MasterKey, SealError};
use serde::Serialize;

/// What works on keys.
pub struct Keymaker {
    pub ledger: Arc<dyn Keys>,
    pub master: Arc<MasterKey>,
    pub ids: Arc<dyn Ids>,
    pub clock: Arc<dyn Clock>,
}

/// Whom a new key is for, and what it may do.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    pub team: String,
    pub feature: String,
    pub environment: String,
    pub risk_profile: String,
    /// Other features its holder may name.
    pub features: Vec<String>,
    /// Models it may call; empty for all.
    pub models: Vec<String>,
    pub expires_in: Option<Duration>,
}

/// A key with its secrets: shown once.
#[derive(Debug, Serialize)]
pub struct Issued {
    pub key_id: String,
    pub access_key_id: String,
    #[serde(serialize_with = "expose")]
    pub secret_access_key: Secret,
    #[serde(serialize_with = "expose")]
    pub bearer_token: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A key as people may see it: no secrets. The same in the admin API and on the command line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KeyView {
    pub key_id: KeyId,
    pub access_key_id: String,
    pub team: String,
    pub feature: String,
    pub environment: String,
    pub risk_profile: String,
    /// Other features its holder may name.
    pub features: Vec<String>,
    /// Models it may call; empty for all.
    pub models: Vec<String>,
    /// `good`, `expired` or `disabled`.
    pub state: &'static str,
    /// RFC 3339, like all its times.
    pub created_at: String,
    pub expires_at: Option<String>,
    pub disabled_at: Option<String>,
    pub rotated_from: Option<KeyId>,
}

impl KeyView {
    /// The key as it stands at `now`.
    pub fn of(key: &StoredKey, now: Timestamp) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let state = match (past(key.disabled_at), past(key.expires_at)) {
            (true, _) => "disabled",
            (false, true) => "expired",
            (false, false) => "good",
        };
        Self {
            key_id: key.id.clone(),
            access_key_id: key.access_key_id.clone(),
            team: key.team.clone(),
            feature: key.feature.clone(),
            environment: key.environment.clone(),
            risk_profile: key.risk_profile.clone(),
            features: key.features.clone(),
            models: key.models.clone(),
            state,
            created_at: key.created_at.to_string(),
            expires_at: text(key.expires_at),
            disabled_at: text(key.disabled_at),
            rotated_from: key.rotated_from.clone(),
        }
    }
}

fn expose<S: serde::Serializer>(secret: &Secret, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(secret.expose())
}

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the secret of key {0} cannot be opened: {1}")]
    Seal(KeyId, SealError),
    #[error("there is no key `{0}`: `bedplate key list` shows them")]
    NotFound(String),
    #[error("key {0} has been disabled, so it cannot be rotated: create a new one")]
    Disabled(KeyId),
    #[error("`{0}` is not a name: 1 to 64 letters, digits and `-_./`")]
    Name(String),
    #[error("key {0} has been rotated already: rotate its successor {1}")]
    Rotated(KeyId, KeyId),
    #[error("`{0}` is not a model: 1 to 2048 characters without spaces, `*` only at the end")]
    Model(String),
    #[error("a key cannot expire the moment it is made: say how long it lives, `30d`")]
    Expiry,
    #[error("an access key id has 16 to 128 letters and digits, `{0}` has not")]
    AccessKeyId(String),
    #[error("a secret is shorter than {0} characters: it could be guessed")]
    Short(usize),
    #[error("a secret has at most 1024 characters, no spaces and nothing beyond ASCII")]
    Secret,
}

/// Shorter secrets of other makers could be guessed.
const SHORTEST_SECRET: usize = 20;

impl Keymaker {
    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError::Name`] for a team, feature or environment that cannot be a label, [`KeyError::Model`],
    /// [`KeyError::Expiry`], and the ledger's.
    pub async fn create(&self, request: &KeyRequest) -> Result<Issued, KeyError> {
        self.store(request, NewKey::make(&*self.ids), None).await
    }

    /// Takes over a key that is known elsewhere.
    ///
    /// # Errors
    /// When it is too short to be safe, or taken.
    pub async fn import(
        &self,
        request: &KeyRequest,
        access_key_id: String,
        secret_access_key: Secret,
        bearer_token: Option<Secret>,
    ) -> Result<Issued, KeyError> {
        let plain = access_key_id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain || !(16..=128).contains(&access_key_id.len()) {
            return Err(KeyError::AccessKeyId(access_key_id));
        }
        let mut new = NewKey::make(&*self.ids);
        for secret in [Some(&secret_access_key), bearer_token.as_ref()].into_iter().flatten() {
            let secret = secret.expose();
            if secret.len() < SHORTEST_SECRET {
                return Err(KeyError::Short(SHORTEST_SECRET));
            }
            // a line end or a blank that was pasted along would never match what callers send
            if secret.len() > 1_024 || !secret.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(KeyError::Secret);
            }
        }
        new.access_key_id = access_key_id;
        new.secret_access_key = secret_access_key;
        if let Some(token) = bearer_token {
            new.bearer_token = token;
        }
        self.store(request, new, None).await
    }

    /// Makes a successor for the same principal; the old key goes on for `overlap`, or until it would
    /// have expired anyway.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], [`KeyError::Disabled`], [`KeyError::Rotated`], and the ledger's: then
    /// there is no successor.
    pub async fn rotate(&self, id: &KeyId, overlap: Duration) -> Result<Issued, KeyError> {
        let old = self.ledger.key(id).await?.ok_or_else(|| KeyError::NotFound(id.to_string()))?;
        if old.disabled_at.is_some() {
            return Err(KeyError::Disabled(old.id));
        }
        let now = self.clock.now();
        let successor = self.successor(id).await?;
        if let Some(successor) = &successor
            && KeyView::of(successor, now).state == "good"
        {
            return Err(KeyError::Rotated(old.id, successor.id.clone()));
        }
        // what was rotated before expires at the end of an overlap: its successor has the life it had
        let model = successor.as_ref().unwrap_or(&old);
        // a key that was to live for a time is followed by one that lives as long
        let expires_in = model.expires_at.map(|at| span(model.created_at, at));
        let request = KeyRequest {
            team: old.team,
            feature: old.feature,
            environment: old.environment,
            risk_profile: old.risk_profile,
            features: old.features,
            models: old.models,
            expires_in,
        };
        let issued = self.store(&request, NewKey::make(&*self.ids), Some(old.id.clone())).await?;
        if let Err(e) = self.ledger.expire_key(&old.id, now.plus(overlap)).await {
            // nobody will learn the successor's secrets: it must not stay in force
            let _ = self.ledger.disable_key(&KeyId(issued.key_id.as_str().into()), now).await;
            return Err(e.into());
        }
        Ok(issued)
    }

    /// Disables a key at once.
    ///
    /// # Errors
    /// [`KeyError::NotFound`].
    pub async fn disable(&self, id: &KeyId) -> Result<(), KeyError> {
        if self.ledger.disable_key(id, self.clock.now()).await? {
            return Ok(());
        }
        Err(KeyError::NotFound(id.to_string()))
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn list(&self) -> Result<Vec<StoredKey>, KeyError> {
        Ok(self.ledger.list_keys().await?)
    }

    /// Keys that changed after `version`, opened for use, and the version they bring one up to. One that
    /// cannot be opened is left out and said: the others must go on working.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn changed(&self, version: i64) -> Result<(Vec<Key>, i64), StoreError> {
        let stored = self.ledger.keys_changed(version).await?;
        let up_to = stored.last().map_or(version, |key| key.version);
        let open = |key: StoredKey| match self.open(key) {
            Ok(key) => Some(key),
            Err(e) => {
                tracing::error!("{e}");
                None
            }
        };
        Ok((stored.into_iter().filter_map(open).collect(), up_to))
    }

    /// The last key that replaced `id`.
    async fn successor(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        let keys = self.ledger.list_keys().await?;
        Ok(keys.into_iter().rfind(|k| k.rotated_from.as_ref() == Some(id)))
    }

    async fn store(
        &self,
        request: &KeyRequest,
        new: NewKey,
        rotated_from: Option<KeyId>,
    ) -> Result<Issued, KeyError> {
        for name in [&request.team, &request.feature, &request.environment, &request.risk_profile]
            .into_iter()
            .chain(&request.features)
        {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
            if name.is_empty() || name.len() > 64 || !plain {
                return Err(KeyError::Name(name.clone()));
            }
        }
        if let Some(model) = request.models.iter().find(|m| !is_model(m)) {
            return Err(KeyError::Model(model.clone()));
        }
        if request.expires_in.is_some_and(|life| life.is_zero()) {
            return Err(KeyError::Expiry);
        }
        let now = self.clock.now();
        let expires_at = request.expires_in.map(|d| now.plus(d));
        let secret = new.secret_access_key.expose().as_bytes();
        let stored = StoredKey {
            id: new.id.clone(),
            sealed_secret: self.master.seal(&*self.ids, new.access_key_id.as_bytes(), secret),
            access_key_id: new.access_key_id.clone(),
            bearer_sha256: sha256(new.bearer_token.expose().as_bytes()),
            team: request.team.clone(),
            feature: request.feature.clone(),
            environment: request.environment.clone(),
            risk_profile: request.risk_profile.clone(),
            features: request.features.clone(),
            models: request.models.clone(),
            created_at: now,
            expires_at,
            disabled_at: None,
            rotated_from,
            version: 0,
        };
        self.ledger.insert_key(&stored).await?;
        Ok(Issued {
            key_id: new.id.to_string(),
            access_key_id: new.access_key_id,
            secret_access_key: new.secret_access_key,
            bearer_token: new.bearer_token,
            expires_at: expires_at.map(|at| at.to_string()),
        })
    }

    fn open(&self, stored: StoredKey) -> Result<Key, KeyError> {
        let secret = self
            .master
            .open(stored.access_key_id.as_bytes(), &stored.sealed_secret)
            .and_then(|secret| String::from_utf8(secret.to_vec()).map_err(|_| SealError::Damaged))
            .map_err(|e| KeyError::Seal(stored.id.clone(), e))?;
        let all = |names: Vec<String>| names.into_iter().map(Arc::from).collect();
        Ok(Key {
            principal: Principal {
                key: stored.id.clone(),
                team: stored.team.into(),
                feature: stored.feature.into(),
                environment: stored.environment.into(),
                risk_profile: stored.risk_profile.into(),
            },
            id: stored.id,
            access_key_id: stored.access_key_id.into(),
            secret_access_key: Secret::new(secret),
            bearer_sha256: stored.bearer_sha256,
            features: all(stored.features),
            models: all(stored.models),
            expires_at: stored.expires_at,
            disabled_at: stored.disabled_at,
            version: stored.version,
        })
    }
}

/// An entry of an allow-list; one that can match nothing would lock its key up silently.
fn is_model(name: &str) -> bool {
    let fixed = name.strip_suffix('*').unwrap_or(name);
    (1..=2_048).contains(&name.len()) && fixed.bytes().all(|b| b.is_ascii_graphic() && b != b'*')
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
