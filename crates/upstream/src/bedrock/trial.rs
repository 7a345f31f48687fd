//! Tries roles and inference profiles of tenants, for `bedplate doctor`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bedplate_pipeline::{Lead, Leading, Provider};

use super::Bedrock;
use super::credentials::CredentialsState;
use crate::config::Config;
use crate::tenancy::TenantConfig;

/// What came of one trial.
#[derive(Debug)]
pub enum Trial {
    /// A role was assumed, or not.
    Session { session: String, outcome: Result<(), String> },
    /// A profile leads to the model that it stands for, or why it does not.
    Profile { model: String, arn: String, outcome: Result<(), String> },
}

/// How long AWS may take for a session.
const PATIENCE: Duration = Duration::from_secs(10);

impl Bedrock {
    /// Assumes every role once, with the names of its entry, and asks where every profile leads. Costs nothing.
    pub async fn try_tenants(self: &Arc<Self>, config: &Config) -> Vec<Trial> {
        let mut trials = Vec::new();
        let everybody = TenantConfig::default();
        let mut roles = BTreeSet::new();
        for tenant in config.tenant.iter().filter(|tenant| tenant.role_arn.is_some()).chain([&everybody]) {
            if roles.insert(&tenant.role_arn) {
                trials.extend(self.try_role(tenant).await);
            }
        }
        for (model, arn) in config.tenant.iter().flat_map(|tenant| &tenant.profiles) {
            let outcome = self.try_profile(model, arn).await;
            trials.push(Trial::Profile { model: model.clone(), arn: arn.clone(), outcome });
        }
        trials
    }

    async fn try_role(&self, tenant: &TenantConfig) -> Option<Trial> {
        let session = self.session(&tenant.somebody())?;
        let settled = session.credentials.settled(self.clock.now());
        let outcome = match tokio::time::timeout(PATIENCE, settled).await {
            Ok(state) if state.usable() => Ok(()),
            Ok(CredentialsState::Failed(said) | CredentialsState::Expired { said, .. }) => Err(said),
            Ok(_) | Err(_) => Err("no answer within 10 s".into()),
        };
        Some(Trial::Session { session: session.said.clone(), outcome })
    }

    async fn try_profile(self: &Arc<Self>, model: &str, arn: &str) -> Result<(), String> {
        let lead = match Arc::clone(self).lead(arn) {
            Leading::Now(lead) => lead,
            Leading::Asked(asked) => asked.await,
        };
        match (&lead, lead.model()) {
            (_, Some(other)) if **other == *model => Ok(()),
            (_, Some(other)) => Err(format!("it leads to {other}")),
            (Lead::Nowhere(why), None) => Err(why.to_string()),
            (Lead::Itself | Lead::To(_), None) => Err("it is no application inference profile".into()),
        }
    }
}
