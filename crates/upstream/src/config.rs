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
    /// A Bedrock API key, sent instead of a signature; or the key that another server asks for.
    #[serde(default)]
    pub bearer: Option<SecretRef>,
    /// One session of the role for each tenant, with a name and tags that AWS shows in its reports.
    #[serde(default)]
    pub sessions: Option<SessionsConfig>,
    /// Roles and application inference profiles of tenants.
    #[serde(default)]
    pub tenant: Vec<TenantConfig>,
    /// How Bedrock is asked what comes in OpenAI's or Anthropic's words. AWS's own words pass as they are.
    #[serde(default)]
    pub api: Api,
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
            api: Api::Auto,
            request_metadata: true,
            quota: None,
            connections: connections(),
            ca_file: None,
            proxy: None,
            proxy_login: None,
        }
    }

    /// Whether its models are named as Bedrock names them.
    pub fn names_as_bedrock(&self) -> bool {
        match self.kind {
            Kind::Bedrock | Kind::Sim => true,
            Kind::OpenAi => false,
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
        } else if self.kind == Kind::OpenAi {
            Some("only AWS has Service Quotas: write the limits here (`from = \"config\"`)")
        } else if self.bearer.is_some() {
            Some(
                "Service Quotas does not take the Bedrock key in `bearer`: sign with AWS credentials, or write the limits here (`from = \"config\"`)",
            )
        } else {
            None
        }
    }

    /// What is set that its kind does not have, or lacks: the key, relative to the section, and why.
    pub fn kind_problems(&self) -> Vec<(&'static str, String)> {
        match self.kind {
            Kind::Bedrock => return Vec::new(),
            Kind::Sim if self.api == Api::Compatible => {
                return vec![("api", "the simulator has no paths in vendors' words".to_owned())];
            }
            Kind::Sim => return Vec::new(),
            Kind::OpenAi => {}
        }
        let Endpoints { runtime, control, service_quotas } = &self.endpoints;
        let bedrocks = [
            ("region", self.region != us_east_1()),
            ("account", !self.account.is_empty()),
            ("endpoints.control", control.is_some()),
            ("endpoints.service_quotas", service_quotas.is_some()),
            ("profile", self.profile.is_some()),
            ("role_arn", self.role_arn.is_some()),
            ("sessions", self.sessions.is_some()),
            ("tenant", !self.tenant.is_empty()),
            ("api", self.api != Api::Auto),
        ];
        let set = bedrocks.into_iter().filter(|(_, set)| *set);
        let mut found: Vec<_> =
            set.map(|(key, _)| (key, format!("`{key}`: only Bedrock has that"))).collect();
        match runtime {
            None => found.push((
                "kind",
                "where is the server? set `endpoints = { runtime = \"http://127.0.0.1:11434/v1\" }`".into(),
            )),
            Some(url) if !is_http(url) => found.push((
                "endpoints.runtime",
                format!("`{url}` is no URL that starts with `http://` or `https://`"),
            )),
            Some(_) => {}
        }
        found
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
    /// A server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, bedrock-mantle. Models are named as it
    /// names them: `local/llama3.2:1b`.
    #[serde(rename = "openai")]
    OpenAi,
}

/// Which of Bedrock's ways of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Anthropic's words go to Claude by InvokeModel, which has all of them; everything else by Converse.
    #[default]
    Auto,
    /// By Converse.
    Converse,
    /// By InvokeModel in the model's own words where those are known, else by Converse.
    Invoke,
    /// As they came, to `/openai/v1/chat/completions` and `/anthropic/v1/messages` of the runtime's host: only for models that
    /// Bedrock has there.
    Compatible,
}

/// Base URLs, each with `http://` or `https://`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Instead of `https://bedrock-runtime.REGION.amazonaws.com`. Of a server that speaks OpenAI's chat completions what
    /// stands before `/chat/completions`: `http://127.0.0.1:11434/v1`.
    #[serde(default)]
    pub runtime: Option<String>,
    /// Instead of `https://bedrock.REGION.amazonaws.com`.
    #[serde(default)]
    pub control: Option<String>,
    /// Instead of `https://servicequotas.REGION.amazonaws.com`.
    #[serde(default)]
    pub service_quotas: Option<String>,
}

fn is_http(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok();
    uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
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
    fn what_only_bedrock_has_is_refused_of_other_servers() {
        let problems = |text: &str| -> Vec<&'static str> {
            let config: Config = toml::from_str(&format!("name = 'a'\nkind = 'openai'\n{text}")).unwrap();
            config.kind_problems().into_iter().map(|(key, _)| key).collect()
        };
        let at = "endpoints = { runtime = 'http://127.0.0.1:8000/v1' }";
        assert!(problems(&format!("{at}\nbearer = {{ env = 'K' }}\nconnections = 4")).is_empty());
        assert_eq!(problems(""), ["kind"]);
        assert_eq!(problems("endpoints = { runtime = 'localhost:8000' }"), ["endpoints.runtime"]);
        let all = "region = 'eu-west-1'\naccount = '123456789012'\nprofile = 'p'\nrole_arn = 'r'\nsessions = {}\n\
                   tenant = [{ team = 't' }]\napi = 'invoke'\n\
                   endpoints = { runtime = 'http://h/v1', control = 'http://h', service_quotas = 'http://h' }";
        let keys = ["region", "account", "endpoints.control", "endpoints.service_quotas"];
        assert_eq!(
            problems(all),
            [&keys[..], &["profile", "role_arn", "sessions", "tenant", "api"]].concat()
        );
        let sim = |api: &str| -> Config {
            toml::from_str(&format!("name = 'a'\nkind = 'sim'\napi = '{api}'")).unwrap()
        };
        assert!(sim("invoke").kind_problems().is_empty());
        assert_eq!(sim("compatible").kind_problems()[0].0, "api");
        let bedrock: Config = toml::from_str("name = 'a'\nkind = 'bedrock'\nprofile = 'p'").unwrap();
        assert!(bedrock.kind_problems().is_empty());
    }

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
