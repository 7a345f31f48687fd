//! `[provider.sessions]` and `[[provider.tenant]]`: how AWS's own reports tell callers apart, by who signs a call and
//! by what it names.

mod problems;
pub(crate) mod template;

use std::collections::BTreeMap;

use bedplate_core::principal::Principal;
use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One session of a role for each tenant. Team, feature, environment and key are the gateway's own words: what a caller
/// may write freely has no place in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionsConfig {
    /// The role session name: text with `{team}`, `{feature}`, `{environment}` and `{key}` in it. Characters that AWS
    /// does not take become `-`; a name that was changed so, or cut to 64 characters, ends in a hash.
    pub name: String,
    /// Session tags and their values, written as the name is. The role must allow `sts:TagSession`.
    pub tags: BTreeMap<String, String>,
    /// Tags that go on to roles which are assumed with the session.
    pub transitive: Vec<String>,
    /// The most sessions kept; beyond it the one that was not used for longest goes.
    pub most: usize,
    /// How long a session lives, from 15 minutes to 12 hours. AWS allows one hour where bedplate's own credentials are
    /// those of a role.
    pub lifetime: Span,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            name: "{team}@{environment}".into(),
            tags: BTreeMap::new(),
            transitive: Vec::new(),
            most: 1_000,
            lifetime: Span::secs(3_600),
        }
    }
}

/// Whose calls are made by a role or with inference profiles of their own. What is left out fits everybody; of several
/// entries that fit a caller the first that names a role decides the role, the first that names a profile of the model
/// decides the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantConfig {
    /// Exactly this team; `feature` and `environment` alike.
    pub team: Option<String>,
    /// The feature that the call counts on.
    pub feature: Option<String>,
    /// The key's environment.
    pub environment: Option<String>,
    /// The key's id.
    pub key: Option<String>,
    /// The role that signs these calls, in place of the provider's.
    pub role_arn: Option<String>,
    /// Model ids, and the ARNs of the application inference profiles that are called in their place.
    pub profiles: BTreeMap<String, String>,
}

impl TenantConfig {
    /// Team, feature, environment and key.
    pub(crate) fn scope(&self) -> [Option<&str>; 4] {
        [&self.team, &self.feature, &self.environment, &self.key].map(Option::as_deref)
    }

    /// A caller whom it fits, for a trial: with names of its own where it names none.
    pub(crate) fn somebody(&self) -> Principal {
        let [team, feature, environment, key] = self.scope().map(|name| name.unwrap_or(TRIAL));
        Principal {
            key: bedplate_core::key::KeyId(key.into()),
            team: team.into(),
            feature: feature.into(),
            environment: environment.into(),
            risk_profile: "".into(),
        }
    }
}

const TRIAL: &str = "bedplate-doctor";

/// What a scope is compared with.
pub(crate) fn members(who: &Principal) -> [&str; 4] {
    [&who.team, &who.feature, &who.environment, &who.key.0]
}
