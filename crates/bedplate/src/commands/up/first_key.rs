//! The first key of a project: made once, read again later.

use bedplate_control::keys::{KeyRequest, Keymaker};
use bedplate_pipeline::Keyring;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::project::{Project, write_private};

/// `.bedplate/first-key.json`, readable by its owner alone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FirstKey {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) key_id: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) bearer_token: String,
}

impl FirstKey {
    /// The project's first key; made, and known to the gateway, when this returns.
    pub(crate) async fn of(
        project: &Project,
        keymaker: &Keymaker,
        keyring: &Keyring,
    ) -> Result<Self, Failure> {
        let path = project.state()?.join("first-key.json");
        if let Ok(text) = std::fs::read_to_string(&path) {
            return serde_json::from_str(&text)
                .map_err(|e| Failure::usage(format!("`{}` cannot be read: {e}", path.display())));
        }
        let request = KeyRequest {
            team: "default".into(),
            feature: "default".into(),
            environment: "dev".into(),
            risk_profile: "internal".into(),
            features: Vec::new(),
            models: Vec::new(),
            expires_in: None,
        };
        let issued = keymaker.create(&request).await.map_err(Failure::upstream)?;
        let key = Self {
            key_id: issued.key_id,
            access_key_id: issued.access_key_id,
            secret_access_key: issued.secret_access_key.expose().to_owned(),
            bearer_token: issued.bearer_token.expose().to_owned(),
        };
        let text = serde_json::to_string_pretty(&key).map_err(Failure::bug)?;
        write_private(&path, &text)
            .map_err(|e| Failure::usage(format!("`{}` cannot be written: {e}", path.display())))?;
        let (keys, up_to) = keymaker.changed(keyring.version()).await?;
        keyring.put(keys, up_to);
        Ok(key)
    }
}
