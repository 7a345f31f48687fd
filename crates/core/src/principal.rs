//! Who calls.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::key::KeyId;

/// Whom a call is counted on. Everything here comes from the key, except `feature`, which the
/// caller may pick among those the key allows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Principal {
    pub key: KeyId,
    pub team: Arc<str>,
    pub feature: Arc<str>,
    pub environment: Arc<str>,
    pub risk_profile: Arc<str>,
}

impl Principal {
    /// Tenant = team + environment.
    pub fn tenant(&self) -> (&str, &str) {
        (&self.team, &self.environment)
    }
}
