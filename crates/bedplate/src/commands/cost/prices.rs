//! `bedplate cost prices`: the price book, for people and programs.

mod diff;
mod show;
mod usd;

use std::path::{Path, PathBuf};

use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_cost::{PriceBook, day};
use clap::{Args, Subcommand};

use crate::exit::Failure;
use crate::out::Tabular;
use crate::project::Project;
use crate::settings::Settings;

/// `bedplate cost prices`.
#[derive(Subcommand, Debug)]
pub(crate) enum PricesCommand {
    /// Print what a model costs here: every counter, tier and threshold; without a model: all
    #[command(
        after_help = "Examples:\n  bedplate cost prices show us.amazon.nova-lite-v1:0\n  bedplate cost prices show us.amazon.nova-lite-v1:0 --region eu-central-1 --at 2027-01-01\n  bedplate cost prices show --tier batch --format csv"
    )]
    Show(ShowArgs),
    /// Compare a price file with the built-in prices: added, removed, changed
    #[command(
        after_help = "Examples:\n  bedplate cost prices diff prices.toml\n  bedplate cost prices diff new.toml --against prices.toml --format csv"
    )]
    Diff(DiffArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// An id, or an ARN
    model: Option<String>,
    /// The region that is called; default: that of the first provider
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// One service tier alone: standard, priority, flex, batch, optimized
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// The day, UTC, as in 2027-01-31; default: today
    #[arg(long, value_name = "DATE", value_parser = a_day)]
    at: Option<Timestamp>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// A file of prices over the built-in ones, or a whole list; default: the project's `[prices] overrides`
    file: Option<PathBuf>,
    /// What it is compared with; default: the built-in prices
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args, Debug)]
struct CommonArgs {
    /// The project directory: it holds bedplate.toml and .bedplate/
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// How results are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Tabular,
}

pub(crate) fn run(command: &PricesCommand) -> Result<(), Failure> {
    match command {
        PricesCommand::Show(args) => {
            let (project, settings) = args.common.open()?;
            let region = args.region.as_deref().or(settings.provider.first().map(|p| p.region.as_str()));
            let at = args.at.unwrap_or_else(|| SystemClock::shared().now());
            let book = settings.prices.book(&project.dir).map_err(Failure::usage)?.on(at);
            let asked =
                show::Asked { book, at, region: region.unwrap_or("us-east-1"), tier: args.tier.as_deref() };
            show::run(&asked, args.model.as_deref(), args.common.format)
        }
        PricesCommand::Diff(args) => {
            let old = args.against.as_deref().map_or_else(|| Ok(PriceBook::embedded()), read)?;
            let new = match &args.file {
                Some(file) => read(file)?,
                None => {
                    let (project, settings) = args.common.open()?;
                    if settings.prices.overrides.is_none() && args.against.is_none() {
                        return Err(Failure::usage("there is nothing to compare").hint(
                            "Name a price file: the project has none of its own (`[prices] overrides`).",
                        ));
                    }
                    settings.prices.book(&project.dir).map_err(Failure::usage)?
                }
            };
            diff::run(&old, &new, args.common.format)
        }
    }
}

impl CommonArgs {
    fn open(&self) -> Result<(Project, Settings), Failure> {
        let project = Project::open(&self.project)?;
        let settings = Settings::load(&project)?;
        Ok((project, settings))
    }
}

/// The book that a price file makes.
fn read(file: &Path) -> Result<PriceBook, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("`{}` cannot be read: {e}", file.display())))?;
    PriceBook::of_file(&text).map_err(|e| {
        let lines: Vec<String> =
            e.problems.iter().map(|problem| format!("{}: {problem}", file.display())).collect();
        Failure::usage(lines.join("\n"))
    })
}

fn a_day(text: &str) -> Result<Timestamp, String> {
    day(text).ok_or_else(|| "not a day such as `2027-01-31`".to_owned())
}
