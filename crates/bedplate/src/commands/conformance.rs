//! `bedplate conformance`: the same wire checks against the built-in simulator and a target, and every
//! difference between the two.
//!
//! A check is one request. It is sent to both sides through the same provider code; what is compared are
//! [`observe::Observation`]s (status, error name, headers, shapes of bodies, events of streams), never what
//! a model said. To add a check: one entry in `checks`.

mod budget;
mod checks;
mod compare;
mod expected;
mod observe;
mod report;
mod requests;
mod run;
mod shape;
mod side;
mod stream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::money::Nanos;
use bedplate_cost::PriceBook;
use bedplate_upstream::{Config, Kind};
use clap::Args;

use super::runtime;
use crate::app::{environment_region, with_proxy};
use crate::exit::Failure;
use crate::out::Format;
use crate::project::Project;
use crate::settings::Settings;
use budget::Budget;
use checks::{Check, Models};
use side::Side;

/// `bedplate conformance`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("target").args(["aws", "endpoint"]))]
pub(crate) struct ConformanceArgs {
    /// Compare with real Bedrock, by the AWS credential chain: costs money, at most --max-cost
    #[arg(long)]
    aws: bool,
    /// Compare with another endpoint, called with the credentials of the AWS chain
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Where that endpoint serves the catalogue; default: the same URL
    #[arg(long, value_name = "URL", requires = "endpoint")]
    control_endpoint: Option<String>,
    /// The region that is called and signed for
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The most the checks may cost in all, in USD; a check that could cost more is not run
    #[arg(long, value_name = "USD", default_value = "0.10")]
    max_cost: Nanos,
    /// Run this check alone; may be repeated
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Call this model for a family: nova, anthropic, titan-embed; may be repeated
    #[arg(long = "model", value_name = "FAMILY=ID")]
    models: Vec<String>,
    /// List the checks, their models and the most each can cost; call nothing
    #[arg(long)]
    list: bool,
    /// With --aws: the project whose first Bedrock provider says endpoints, profile, role and proxy
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// How results are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

pub(crate) fn run(args: &ConformanceArgs) -> Result<ExitCode, Failure> {
    if args.max_cost < Nanos::ZERO {
        return Err(Failure::usage("`--max-cost` is below zero"));
    }
    let target = target(args)?;
    let region = target.as_ref().map_or_else(|| region(args), |t| t.config.region.clone());
    let models = Models::new(&region, &args.models)?;
    let book = target.as_ref().map_or_else(PriceBook::embedded, |t| t.book.clone());
    let checks = checks::chosen(&models, &book, &args.only)?;
    let budget = Budget::new(book, region, args.max_cost);
    if args.list {
        report::list(&checks, &budget, args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(target) = target else {
        return Err(Failure::usage("there is nothing to compare the simulator with").hint(
            "Name a target: `--aws` for Amazon Bedrock (costs cents at most), or `--endpoint URL`; `--list` shows the checks.",
        ));
    };
    compare(target, &checks, budget, args.format)
}

/// What the simulator is compared with.
struct Target {
    config: Config,
    /// For people.
    name: String,
    book: PriceBook,
}

fn compare(target: Target, checks: &[Check], budget: Budget, format: Format) -> Result<ExitCode, Failure> {
    let runtime = runtime()?;
    let clock: Arc<dyn Clock> = SystemClock::shared();
    runtime.block_on(async {
        let (sim, simulator) = Side::simulator(&target.config.region, &clock).await?;
        // HTTPS_PROXY is for https
        let plain = target.config.endpoints.runtime.as_deref().is_some_and(|url| url.starts_with("http://"));
        let config = if plain { target.config } else { with_proxy(target.config) };
        let side = Side::target(&config, &clock, runtime.handle())?;
        let report = run::all(checks, &simulator, &side, budget, target.name).await;
        sim.stop().await;
        report?.print(format)
    })
}

/// The target that the command line names, if it names one.
fn target(args: &ConformanceArgs) -> Result<Option<Target>, Failure> {
    if let Some(url) = &args.endpoint {
        let mut config = Config::named("target", Kind::Bedrock);
        config.region = region(args);
        config.endpoints.runtime = Some(url.clone());
        config.endpoints.control = Some(args.control_endpoint.clone().unwrap_or_else(|| url.clone()));
        return Ok(Some(Target { config, name: url.clone(), book: PriceBook::embedded() }));
    }
    if !args.aws {
        return Ok(None);
    }
    let project = Project::open(&args.project)?;
    let settings = Settings::load(&project)?;
    let book = settings.prices.book(&project.dir).map_err(Failure::usage)?;
    let configured = settings.provider.iter().find(|p| p.kind == Kind::Bedrock).cloned();
    let mut config = configured.unwrap_or_else(|| {
        let mut config = Config::named("aws", Kind::Bedrock);
        config.region = region(args);
        config
    });
    if let Some(region) = &args.region {
        config.region.clone_from(region);
    }
    let name = match &config.endpoints.runtime {
        Some(url) => url.clone(),
        None => format!("Amazon Bedrock in {}", config.region),
    };
    Ok(Some(Target { config, name, book }))
}

/// The region asked for, else the environment's, else the one with every model.
fn region(args: &ConformanceArgs) -> String {
    args.region.clone().or_else(environment_region).unwrap_or_else(|| "us-east-1".into())
}
