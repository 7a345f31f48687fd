//! Providers, built from configuration and kept over reloads while their section stays the same.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_pipeline::Provider;
use bedplate_sim::Sim;
use bedplate_upstream::{Bedrock, Config, Credentials, CredentialsState, Kind};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::environment::with_proxy;
use crate::settings::Settings;

pub(super) struct Providers {
    clock: Arc<dyn Clock>,
    runtime: Handle,
    built: parking_lot::Mutex<Vec<Built>>,
    /// The built-in simulator, started when the first provider needs it.
    sim: Mutex<Option<Sim>>,
}

#[derive(Clone)]
struct Built {
    /// The section as it was read, in JSON: compared to see whether it changed.
    section: String,
    provider: Arc<Bedrock>,
    credentials: Credentials,
    describes: String,
}

impl Providers {
    pub(super) fn new(clock: Arc<dyn Clock>, runtime: Handle) -> Self {
        Self { clock, runtime, built: parking_lot::Mutex::default(), sim: Mutex::default() }
    }

    /// The providers of `settings`, in order.
    ///
    /// # Errors
    /// Says which section is wrong and how; what was built before stays.
    pub(super) async fn build(&self, settings: &Settings) -> Result<Vec<Arc<dyn Provider>>, String> {
        let before = self.built.lock().clone();
        let mut after = Vec::with_capacity(settings.provider.len());
        for config in &settings.provider {
            let section = serde_json::to_string(config).map_err(|e| e.to_string())?;
            match before.iter().find(|b| b.section == section) {
                Some(built) => after.push(built.clone()),
                None => after.push(self.one(config, section, settings).await?),
            }
        }
        let providers = after.iter().map(|b| Arc::clone(&b.provider) as Arc<dyn Provider>).collect();
        *self.built.lock() = after;
        Ok(providers)
    }

    async fn one(&self, config: &Config, section: String, settings: &Settings) -> Result<Built, String> {
        let (config, credentials) = match config.kind {
            Kind::Bedrock => {
                let config = with_proxy(config.clone());
                let credentials = match &config.bearer {
                    Some(_) => Credentials::fixed(String::new(), bedplate_core::secret::Secret::default()),
                    None => Credentials::chain(&config, Arc::clone(&self.clock), &self.runtime),
                };
                (config, credentials)
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
                (config, credentials)
            }
        };
        let describes = match (config.kind, &config.endpoints.runtime) {
            (Kind::Sim, _) => "the built-in simulator".to_owned(),
            (Kind::Bedrock, Some(url)) => url.clone(),
            (Kind::Bedrock, None) => format!("Amazon Bedrock in {}", config.region),
        };
        let provider = config.build(&self.clock, credentials.clone())?;
        Ok(Built { section, provider, credentials, describes })
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
        let of = |b: &Built| (b.provider.facts().name.to_string(), b.credentials.state(now));
        self.built.lock().iter().map(of).collect()
    }

    pub(super) fn sweep(&self) {
        for built in &*self.built.lock() {
            built.provider.sweep();
        }
    }
}
