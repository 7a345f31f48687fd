//! Our credentials, as clients of the SDK ask for them: taken as they stand.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as Found;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use bedplate_core::clock::Clock;

use super::Credentials;

#[derive(Clone)]
pub(crate) struct Provided {
    pub(crate) credentials: Credentials,
    pub(crate) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Provided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Provided")
    }
}

impl ProvideCredentials for Provided {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

impl Provided {
    async fn get(&self) -> provider::Result {
        let pair = self.credentials.get(self.clock.now()).await.map_err(CredentialsError::not_loaded)?;
        let token = pair.session_token.as_ref().map(|token| token.expose().to_owned());
        let expires = pair
            .expires_at
            .and_then(|at| UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(at.0).ok()?)));
        let (id, secret) = (pair.access_key_id.clone(), pair.secret_access_key.expose().to_owned());
        Ok(Found::new(id, secret, token, expires, "bedplate"))
    }
}
