//! AWS Service Quotas, asked what an account may do in a region.

#[cfg(feature = "service-quotas")]
mod client;

use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_pipeline::Allowed;

use crate::bedrock::credentials::Credentials;
use crate::config::Config;

/// Whether this build can ask.
pub(crate) const BUILT: bool = cfg!(feature = "service-quotas");

/// Asks for the quotas of one provider, with its credentials.
pub struct Quotas {
    /// Region, credentials and endpoint: what the answer depends on.
    source: String,
    #[cfg(feature = "service-quotas")]
    client: client::Asker,
}

impl Quotas {
    /// `None` when the provider's limits come from elsewhere, or cannot be asked for. `credentials` are the provider's
    /// own.
    pub fn of(config: &Config, credentials: &Credentials, clock: &Arc<dyn Clock>) -> Option<Arc<Self>> {
        if !config.asks_quotas() || config.quota_problem().is_some() {
            return None;
        }
        let Config { region, profile, role_arn, endpoints, .. } = config;
        #[cfg(not(feature = "service-quotas"))]
        let _ = (credentials, clock);
        Some(Arc::new(Self {
            source: format!("{region} {profile:?} {role_arn:?} {:?}", endpoints.service_quotas),
            #[cfg(feature = "service-quotas")]
            client: client::Asker::new(config, credentials, clock),
        }))
    }

    /// What the answer depends on; answers of another source are of no use.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Asks for all quotas of Bedrock, for a minute at most.
    ///
    /// # Errors
    /// Says which question was not answered and why, in AWS's words.
    #[cfg(feature = "service-quotas")]
    pub async fn ask(&self) -> Result<Allowed, String> {
        self.client.ask().await.map(Allowed::read)
    }

    /// # Errors
    /// Always: this build cannot ask.
    #[cfg(not(feature = "service-quotas"))]
    #[expect(clippy::unused_async, reason = "as in builds that can ask")]
    pub async fn ask(&self) -> Result<Allowed, String> {
        Err("this bedplate was built without Service Quotas".into())
    }
}
