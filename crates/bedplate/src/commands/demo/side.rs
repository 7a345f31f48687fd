//! Who is called: a simulator itself, or a whole bedplate before one of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::ports::CallFilter;
use bedplate_core::secret::Secret;
use bedplate_core::setting::Span;
use bedplate_sim::{ModelSetting, Sim};
use bedplate_telemetry::call_log::Calls;
use bedplate_upstream::{Bedrock, Config, Credentials, Kind};
use tokio::runtime::Handle;

use super::folder::Folder;
use crate::app::{App, Source};
use crate::commands::up::ready;
use crate::exit::Failure;
use crate::project::Project;

/// What is called, and what it allows in a minute.
pub(super) const MODEL: &str = "us.amazon.nova-lite-v1:0";
pub(super) const ALIAS: &str = "writer";
pub(super) const TPM: u32 = 120_000;

/// A simulator, called directly.
pub(super) struct Straight {
    sim: Sim,
    pub(super) provider: Arc<Bedrock>,
}

/// A bedplate, with a simulator of its own behind it.
pub(super) struct Through {
    app: App,
    pub(super) provider: Arc<Bedrock>,
    _folder: Folder,
}

impl Straight {
    pub(super) async fn start(clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let sim = Sim::start(simulator(), loopback(), None, Arc::clone(clock)).await;
        let sim = sim.map_err(|e| Failure::bug(format!("the simulator cannot start: {e}")))?;
        let (id, secret) = sim.credentials();
        let provider = client(sim.addr(), Credentials::fixed(id, secret), clock)?;
        Ok(Self { sim, provider })
    }

    pub(super) async fn stop(self) {
        self.sim.stop().await;
    }
}

impl Through {
    pub(super) async fn start(clock: &Arc<dyn Clock>, runtime: &Handle) -> Result<Self, Failure> {
        let folder = Folder::with(&config())?;
        let source = Source::new(Project::open(folder.path())?, |settings, _| {
            (settings.listen.data, settings.listen.control) = (loopback(), loopback());
            settings.log.calls = Calls::Off;
            settings.sim = simulator();
            Ok(())
        });
        let mut app = App::start(source, runtime).await?;
        let key = ready(&mut app).await?.key;
        let secret = Secret::new(&key.secret_access_key);
        let provider = client(app.data(), Credentials::fixed(key.access_key_id, secret), clock)?;
        Ok(Self { app, provider, _folder: folder })
    }

    /// Requests to its simulator since `since`, and how many of them were throttled.
    pub(super) async fn upstream(
        &self,
        since: bedplate_core::clock::Timestamp,
    ) -> Result<(u32, u32), Failure> {
        self.app.flush().await;
        let filter = CallFilter { since: Some(since), ..CallFilter::default() };
        let calls = self.app.ledger.recent(&filter, 100_000).await?;
        let mut attempts = calls.iter().flat_map(|outcome| &outcome.attempts);
        Ok(attempts
            .try_fold((0_u32, 0_u32), |(all, throttled), attempt| {
                Some((all.checked_add(1)?, throttled + u32::from(attempt.status == 429)))
            })
            .unwrap_or_default())
    }

    pub(super) async fn stop(self) {
        let bound = self.app.shutdown();
        self.app.drain(bound).await;
    }
}

fn client(to: SocketAddr, credentials: Credentials, clock: &Arc<dyn Clock>) -> Result<Arc<Bedrock>, Failure> {
    let mut config = Config::named("demo", Kind::Bedrock);
    "us-east-1".clone_into(&mut config.region);
    let url = format!("http://{to}");
    config.endpoints.runtime = Some(url.clone());
    config.endpoints.control = Some(url);
    config.build(clock, credentials, None).map_err(Failure::bug)
}

fn simulator() -> bedplate_sim::Config {
    let model = ModelSetting {
        id: "*".into(),
        error_rate: Some(0.0),
        first_token: Some(Span::millis(150)),
        per_token: Some(Span::millis(5)),
        tpm: Some(TPM.into()),
        ..ModelSetting::default()
    };
    bedplate_sim::Config { model: vec![model], ..bedplate_sim::Config::default() }
}

fn config() -> String {
    format!(
        r#"
[pace]
interactive = "5s"
batch = "3s"
background = "1s"

[[provider]]
name = "sim"
kind = "sim"
quota = {{ from = "config", tpm = {TPM} }}

[[model]]
name = "{ALIAS}"
targets = ["sim/{MODEL}"]
"#
    )
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
