//! One of the two sides of a comparison: the simulator or the target.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::{Headers, Spoken};
use bedplate_core::clock::Clock;
use bedplate_core::secret::Secret;
use bedplate_core::view::Refuses;
use bedplate_pipeline::{Ask, Deadlines, Failed, Metered, Provider, Timeouts};
use bedplate_sim::{LatencyMode, ModelSetting, Sim};
use bedplate_upstream::{Bedrock, Config, Credentials, Kind};
use bedplate_wire::sigv4::BodyDigest;
use tokio::runtime::Handle;

use super::checks::{Caller, Check};
use super::observe::Observation;
use crate::exit::Failure;

pub(super) struct Side {
    provider: Arc<Bedrock>,
    /// The same endpoint, called with a key pair that nobody has.
    stranger: Arc<Bedrock>,
    /// Whether requests are signed; a bearer key signs nothing.
    pub(super) signs: bool,
}

/// Generous: a slow answer is no difference.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(15),
    first_token: Duration::from_secs(60),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(120),
};

impl Side {
    /// Starts a simulator that answers at once and makes no mistakes.
    pub(super) async fn simulator(region: &str, clock: &Arc<dyn Clock>) -> Result<(Sim, Self), Failure> {
        let faultless = ModelSetting { id: "*".into(), error_rate: Some(0.0), ..ModelSetting::default() };
        let settings = bedplate_sim::Config {
            latency: LatencyMode::Off,
            model: vec![faultless],
            ..bedplate_sim::Config::default()
        };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sim = Sim::start(settings, listen, None, Arc::clone(clock)).await;
        let sim = sim.map_err(|e| Failure::bug(format!("the simulator cannot start: {e}")))?;
        let mut config = Config::named("simulator", Kind::Bedrock);
        region.clone_into(&mut config.region);
        let url = format!("http://{}", sim.addr());
        config.endpoints.runtime = Some(url.clone());
        config.endpoints.control = Some(url);
        let (access_key_id, secret) = sim.credentials();
        let side = Self::new(&config, Credentials::fixed(access_key_id, secret), clock)?;
        Ok((sim, side))
    }

    /// The target, called as `config` says; credentials come from the AWS chain.
    pub(super) fn target(config: &Config, clock: &Arc<dyn Clock>, runtime: &Handle) -> Result<Self, Failure> {
        let credentials = match &config.bearer {
            Some(_) => Credentials::fixed(String::new(), Secret::default()),
            None => Credentials::chain(config, Arc::clone(clock), runtime),
        };
        Self::new(config, credentials, clock)
    }

    fn new(config: &Config, credentials: Credentials, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let provider = config.build(clock, credentials, None).map_err(Failure::usage)?;
        let nobody = Credentials::fixed("AKIANOSUCHKEY0000000".into(), Secret::new("nobody's"));
        let stranger = Config { bearer: None, ..config.clone() };
        let stranger = stranger.build(clock, nobody, None).map_err(Failure::usage)?;
        Ok(Self { provider, stranger, signs: config.bearer.is_none() })
    }

    /// Sends a check and reads the answer to its end.
    pub(super) async fn ask(&self, check: &Check, throttle: bool) -> Result<(Observation, Metered), Failed> {
        let provider = if check.caller == Caller::Stranger { &self.stranger } else { &self.provider };
        let ask = request(check, throttle);
        let deadlines = Deadlines::starting_now(&TIMEOUTS);
        let answer = Arc::clone(provider).attempt(ask, deadlines).await?;
        Ok(Observation::of(answer, TIMEOUTS.idle, check.json_text).await)
    }
}

fn request(check: &Check, throttle: bool) -> Ask {
    let mut headers = Headers::default();
    if !check.body.is_empty() {
        headers.push("content-type", "application/json");
        headers.push("accept", "application/json");
    }
    if throttle {
        headers.push("x-sim-fault", "throttle;retry_after=1s");
    }
    let signed: &[u8] =
        if check.caller == Caller::BadSignature { b"another body" } else { check.body.as_bytes() };
    let body = if check.body.is_empty() { Vec::new() } else { vec![check.body.clone().into()] };
    Ask {
        operation: check.operation,
        path: check.path.clone(),
        stands_in: false,
        query: check.query.to_owned(),
        headers,
        who: None,
        body,
        sha256: *BodyDigest::of(signed).bytes(),
        target: check.model.as_str().into(),
        model: check.model.as_str().into(),
        spoken: Spoken::default(),
        refuses: Refuses::default(),
        sent: Arc::default(),
    }
}
