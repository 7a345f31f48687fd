//! `bedplate sim`: the simulator alone.

use std::process::ExitCode;

use bedplate_core::clock::SystemClock;
use bedplate_sim::{Config, Sim};
use serde_json::json;

use super::runtime;
use super::up::{Stop, tracing};
use crate::cli::SimArgs;
use crate::exit::Failure;
use crate::out::{self, Format, note, say};

pub(crate) fn run(args: SimArgs) -> Result<ExitCode, Failure> {
    tracing("warn,bedplate=info");
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::usage(format!("`{}` cannot be read: {e}", path.display())))?;
            toml::from_str(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?
        }
    };
    if let Some(scale) = args.time_scale {
        config.time_scale = scale;
    }
    runtime()?.block_on(async {
        let mut stop = Stop::listen()?;
        let sim =
            Sim::start(config, args.listen, None, SystemClock::shared()).await.map_err(Failure::usage)?;
        let endpoint = format!("http://{}", sim.addr());
        let (access_key_id, secret) = sim.credentials();
        match args.format {
            Format::Json => out::json(&json!({
                "endpoint": endpoint,
                "access_key_id": access_key_id,
                "secret_access_key": secret.expose(),
            }))?,
            Format::Human => {
                say(format!(
                    "The Bedrock simulator listens on {endpoint}. It costs nothing and knows no secrets.\n"
                ))?;
                say(format!(
                    "  export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={endpoint} AWS_ENDPOINT_URL_BEDROCK={endpoint}"
                ))?;
                say(format!(
                    "  export AWS_ACCESS_KEY_ID={access_key_id} AWS_SECRET_ACCESS_KEY={}",
                    secret.expose()
                ))?;
                say("  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1")?;
            }
        }
        stop.asked().await;
        note("stopping");
        sim.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
