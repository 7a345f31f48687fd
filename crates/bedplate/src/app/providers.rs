//! Providers, built from configuration and kept over reloads while their section stays the same, and
//! what stands in the files that it names.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::secret::Secret;
use bedplate_pipeline::{Pace, Provider, ProviderFacts};
use bedplate_sim::Sim;
use bedplate_upstream::{
    Bedrock, Config, Credentials, CredentialsState, Kind, OpenAi, Quotas, SessionCounts, Sessions,
    SessionsConfig,
};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::environment::with_proxy;
use super::prints::Prints;
use crate::settings::Settings;

pub(super) struct Providers {
    clock: Arc<dyn Clock>,
    runtime: Handle,
    built: parking_lot::Mutex<Vec<Built>>,
    /// The built-in simulator, started when the first provider needs it.
    sim: Mutex<Option<Sim>>,
}

/// A provider, and what it was built from.
#[derive(Clone)]
pub(super) struct Built {
    /// The section as it was read, in JSON: compared to see whether it changed.
    section: String,
    files: Prints,
    upstream: Upstream,
    credentials: Credentials,
    /// What the credential chain was told; `None` when there is none.
    chain: Option<Chain>,
    /// Who signs for tenants, if anybody does.
    sessions: Option<Arc<Sessions>>,
    /// Who asks AWS for its limits, if they come from there.
    quotas: Option<Arc<Quotas>>,
    describes: String,
}

/// What is called.
#[derive(Clone)]
enum Upstream {
    Bedrock(Arc<Bedrock>),
    OpenAi(Arc<OpenAi>),
}

#[derive(Clone, PartialEq, Eq)]
struct Chain {
    profile: Option<String>,
    role_arn: Option<String>,
    region: String,
    sessions: Option<SessionsConfig>,
    /// Whether a tenant has a role of its own.
    roles: bool,
}

/// How long a reload waits for the first answer of a new credential chain.
const CHAIN: Duration = Duration::from_secs(5);

impl Built {
    pub(super) fn provider(&self) -> Arc<dyn Provider> {
        match &self.upstream {
            Upstream::Bedrock(bedrock) => Arc::clone(bedrock) as Arc<dyn Provider>,
            Upstream::OpenAi(server) => Arc::clone(server) as Arc<dyn Provider>,
        }
    }

    fn facts(&self) -> &ProviderFacts {
        match &self.upstream {
            Upstream::Bedrock(bedrock) => bedrock.facts(),
            Upstream::OpenAi(server) => server.facts(),
        }
    }

    fn name(&self) -> &str {
        &self.facts().name
    }
}

impl Providers {
    pub(super) fn new(clock: Arc<dyn Clock>, runtime: Handle) -> Self {
        Self { clock, runtime, built: parking_lot::Mutex::default(), sim: Mutex::default() }
    }

    /// The providers of `settings`, in order, to be taken up by [`Providers::take`]. With `all` none is
    /// kept; but credential chains are, which look again.
    ///
    /// # Errors
    /// Says which section is wrong and how, or which provider would lose its credentials.
    pub(super) async fn build(
        &self,
        settings: &Settings,
        prints: &Prints,
        all: bool,
    ) -> Result<Vec<Built>, String> {
        let before = self.built.lock().clone();
        let mut after = Vec::with_capacity(settings.provider.len());
        for config in &settings.provider {
            let section = serde_json::to_string(config).map_err(|e| e.to_string())?;
            let files = prints.only(config.files());
            match before.iter().find(|b| !all && b.section == section && b.files == files) {
                Some(built) => after.push(built.clone()),
                None => after.push(self.one(config, (section, files), settings, &before).await?),
            }
        }
        self.keep_credentials(&before, &after).await?;
        Ok(after)
    }

    /// A provider that can sign does not get a chain that cannot.
    async fn keep_credentials(&self, before: &[Built], after: &[Built]) -> Result<(), String> {
        let now = || self.clock.now();
        for built in after.iter().filter(|b| b.chain.is_some()) {
            let Some(old) = before.iter().find(|b| b.name() == built.name()) else { continue };
            if old.chain == built.chain || !old.credentials.state(now()).usable() {
                continue;
            }
            let settled = tokio::time::timeout(CHAIN, built.credentials.settled(now())).await;
            let said = match settled.unwrap_or(CredentialsState::Pending) {
                state if state.usable() => continue,
                CredentialsState::Failed(said) => said,
                _ => "the credential chain does not answer".to_owned(),
            };
            return Err(format!("provider `{}` would lose its AWS credentials: {said}", built.name()));
        }
        Ok(())
    }

    /// Puts `built` into force.
    pub(super) fn take(&self, built: Vec<Built>) {
        *self.built.lock() = built;
    }

    async fn one(
        &self,
        config: &Config,
        (section, files): (String, Prints),
        settings: &Settings,
        before: &[Built],
    ) -> Result<Built, String> {
        let chain = (config.kind == Kind::Bedrock && config.bearer.is_none()).then(|| Chain {
            profile: config.profile.clone(),
            role_arn: config.role_arn.clone(),
            region: config.region.clone(),
            sessions: config.sessions.clone(),
            roles: config.tenant.iter().any(|tenant| tenant.role_arn.is_some()),
        });
        let nobody = || Credentials::fixed(String::new(), Secret::default());
        let (config, credentials, sessions) = match config.kind {
            Kind::OpenAi => {
                let config = with_proxy(config.clone());
                let server = config.build_openai(&self.clock)?;
                let describes = config.endpoints.runtime.unwrap_or_default();
                let (upstream, credentials) = (Upstream::OpenAi(server), nobody());
                let (sessions, quotas) = (None, None);
                return Ok(Built {
                    section,
                    files,
                    upstream,
                    credentials,
                    chain,
                    sessions,
                    quotas,
                    describes,
                });
            }
            Kind::Bedrock => {
                let config = with_proxy(config.clone());
                let same = before.iter().find(|b| b.chain == chain);
                let credentials = match (&chain, same) {
                    (None, _) => nobody(),
                    (Some(_), Some(same)) => {
                        same.credentials.renew();
                        same.credentials.clone()
                    }
                    (Some(_), None) => Credentials::chain(&config, Arc::clone(&self.clock), &self.runtime),
                };
                // sessions that tenants have are good, whatever else of the section changed
                let sessions = match (&chain, same) {
                    (None, _) => None,
                    (Some(_), Some(same)) => same.sessions.clone(),
                    (Some(_), None) => Sessions::of(&config, &credentials, &self.clock, &self.runtime)?,
                };
                (config, credentials, sessions)
            }
            Kind::Sim => {
                let (addr, credentials) = self.simulator(settings).await?;
                let mut config = config.clone();
                let url = Some(format!("http://{addr}"));
                config.endpoints.runtime.clone_from(&url);
                config.endpoints.control = url;
                if config.account.is_empty() {
                    config.account.clone_from(&settings.sim.account);
                }
                (config, credentials, None)
            }
        };
        let describes = match (config.kind, &config.endpoints.runtime) {
            (Kind::Sim, _) => "the built-in simulator".to_owned(),
            (_, Some(url)) => url.clone(),
            (_, None) => format!("Amazon Bedrock in {}", config.region),
        };
        let quotas = Quotas::of(&config, &credentials, &self.clock);
        let bedrock = config.build(&self.clock, credentials.clone(), sessions.clone())?;
        let upstream = Upstream::Bedrock(bedrock);
        Ok(Built { section, files, upstream, credentials, chain, sessions, quotas, describes })
    }

    async fn simulator(&self, settings: &Settings) -> Result<(SocketAddr, Credentials), String> {
        let mut sim = self.sim.lock().await;
        if sim.is_none() {
            let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let started = Sim::start(settings.sim.clone(), listen, None, Arc::clone(&self.clock)).await;
            *sim = Some(started.map_err(|e| format!("the simulator cannot start: {e}"))?);
        }
        let Some(sim) = sim.as_ref() else { return Err("the simulator has stopped".into()) };
        let (access_key_id, secret) = sim.credentials();
        Ok((sim.addr(), Credentials::fixed(access_key_id, secret)))
    }

    /// What the first provider calls.
    pub(super) fn first(&self) -> String {
        self.built.lock().first().map_or_else(String::new, |b| b.describes.clone())
    }

    /// How each provider stands with its credentials.
    pub(super) fn credentials(&self) -> Vec<(String, CredentialsState)> {
        let now = self.clock.now();
        let of = |b: &Built| (b.name().to_owned(), b.credentials.state(now));
        self.built.lock().iter().map(of).collect()
    }

    /// What became of the sessions of each provider that has some.
    pub(super) fn sessions(&self) -> Vec<(String, SessionCounts)> {
        let of = |b: &Built| Some((b.name().to_owned(), b.sessions.as_ref()?.counts()));
        self.built.lock().iter().filter_map(of).collect()
    }

    /// Who asks AWS for limits, by the place where they count.
    pub(super) fn quotas(&self) -> Vec<(Arc<str>, Arc<Quotas>)> {
        let of = |b: &Built| Some((Pace::place(b.facts()), Arc::clone(b.quotas.as_ref()?)));
        let mut all: Vec<(Arc<str>, Arc<Quotas>)> = Vec::new();
        for (place, quotas) in self.built.lock().iter().filter_map(of) {
            if all.iter().all(|(other, _)| *other != place) {
                all.push((place, quotas));
            }
        }
        all
    }

    pub(super) fn sweep(&self) {
        for built in &*self.built.lock() {
            match &built.upstream {
                Upstream::Bedrock(bedrock) => bedrock.sweep(),
                Upstream::OpenAi(server) => server.sweep(),
            }
        }
    }
}
