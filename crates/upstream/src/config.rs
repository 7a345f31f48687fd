//! `[[provider]]`: one entry for each region and account that is called.

use std::path::{Path, PathBuf};

use bedplate_core::setting::SecretRef;
use bedplate_pipeline::{QuotaConfig, QuotaSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tenancy::{SessionsConfig, TenantConfig};

/// One provider.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How other sections and the records name it.
    pub name: String,
    pub kind: Kind,
    /// The AWS region that is called and signed for: `us-east-1`.
    #[serde(default = "us_east_1")]
    pub region: String,
    /// The account behind the credentials, twelve digits. Chooses the provider of an ARN and stands in
    /// the invocation log.
    #[serde(default)]
    pub account: String,
    /// Other hosts than AWS's public ones: PrivateLink, FIPS, a test upstream.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// A profile of the AWS configuration files; default: the standard credential chain.
    #[serde(default)]
    pub profile: Option<String>,
    /// A role to assume with those credentials.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// A Bedrock API key, sent instead of a signature.
    #[serde(default)]
    pub bearer: Option<SecretRef>,
    /// One session of the role for each tenant, with a name and tags that AWS shows in its reports.
    #[serde(default)]
    pub sessions: Option<SessionsConfig>,
    /// Roles and application inference profiles of tenants.
    #[serde(default)]
    pub tenant: Vec<TenantConfig>,
    /// Stamp `requestMetadata` with the call id and what the call is counted on.
    #[serde(default = "yes")]
    pub request_metadata: bool,
    /// What AWS allows this account in this region; calls wait here for room instead of being throttled there.
    #[serde(default)]
    pub quota: Option<QuotaConfig>,
    /// The most connections kept open to each host.
    #[serde(default = "connections")]
    pub connections: usize,
    /// A PEM file of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy that tunnels: `http://proxy.example:3128`; default: `HTTPS_PROXY`, but for hosts in
    /// `NO_PROXY`.
    #[serde(default)]
    pub proxy: Option<String>,
    /// What the proxy asks for: `user:password`. Default: what stands in the URL of `HTTPS_PROXY`.
    #[serde(default)]
    pub proxy_login: Option<SecretRef>,
}

impl Config {
    /// A provider with nothing set but its name and kind.
    pub fn named(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            region: us_east_1(),
            account: String::new(),
            endpoints: Endpoints::default(),
            profile: None,
            role_arn: None,
            sessions: None,
            tenant: Vec::new(),
            bearer: None,
            request_metadata: true,
            quota: None,
            connections: connections(),
            ca_file: None,
            proxy: None,
            proxy_login: None,
        }
    }

    /// Whether its limits are those of AWS Service Quotas.
    pub fn asks_quotas(&self) -> bool {
        self.quota.as_ref().is_some_and(|quota| quota.from == QuotaSource::ServiceQuotas)
    }

    /// Why AWS Service Quotas cannot be asked for its limits, when they are to come from there.
    pub fn quota_problem(&self) -> Option<&'static str> {
        if !self.asks_quotas() {
            None
        } else if !crate::quotas::BUILT {
            Some(
                "this bedplate was built without Service Quotas: build it with `--features service-quotas`, or write the limits here (`from = \"config\"`)",
            )
        } else if self.kind == Kind::Sim {
            Some("the simulator has no Service Quotas: write the limits here (`from = \"config\"`)")
        } else if self.bearer.is_some() {
            Some(
                "Service Quotas does not take the Bedrock key in `bearer`: sign with AWS credentials, or write the limits here (`from = \"config\"`)",
            )
        } else {
            None
        }
    }

    /// The files that this section names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let secrets = self.bearer.iter().chain(&self.proxy_login);
        let secrets = secrets.filter_map(|secret| match secret {
            SecretRef::File(file) => Some(file),
            SecretRef::Env(_) => None,
        });
        self.ca_file.iter().chain(secrets).map(PathBuf::as_path)
    }
}

/// What answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Amazon Bedrock.
    Bedrock,
    /// The built-in simulator, started on loopback: costs nothing, knows no secrets.
    Sim,
}

/// Base URLs, each with `http://` or `https://`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Instead of `https://bedrock-runtime.REGION.amazonaws.com`.
    #[serde(default)]
    pub runtime: Option<String>,
    /// Instead of `https://bedrock.REGION.amazonaws.com`.
    #[serde(default)]
    pub control: Option<String>,
    /// Instead of `https://servicequotas.REGION.amazonaws.com`.
    #[serde(default)]
    pub service_quotas: Option<String>,
}

fn us_east_1() -> String {
    "us-east-1".into()
}

fn yes() -> bool {
    true
}

fn connections() -> usize {
    1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_asked_for_where_that_can_be() {
        let read = |text: &str| -> Config { toml::from_str(&format!("name = 'a'\n{text}")).unwrap() };
        let from =
            |text: &str| read(&format!("{text}\nquota = {{ from = 'service-quotas' }}")).quota_problem();
        assert_eq!(read("kind = 'bedrock'").quota_problem(), None);
        assert_eq!(read("kind = 'sim'\nquota = { from = 'config', rpm = 1 }").quota_problem(), None);
        let built = cfg!(feature = "service-quotas");
        assert_eq!(from("kind = 'bedrock'").is_none(), built);
        let said = |text| from(text).unwrap();
        assert!(said("kind = 'sim'").contains(if built { "simulator" } else { "--features service-quotas" }));
        assert!(said("kind = 'bedrock'\nbearer = { env = 'K' }").contains(if built {
            "bearer"
        } else {
            "built"
        }));
    }
}
