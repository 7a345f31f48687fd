//! `bedplate cost`: what things cost.

mod prices;

use std::process::ExitCode;

use clap::Subcommand;

use crate::exit::Failure;

/// `bedplate cost`.
#[derive(Subcommand, Debug)]
pub(crate) enum CostCommand {
    /// What models cost, and what a price file changes
    #[command(subcommand)]
    Prices(prices::PricesCommand),
}

pub(crate) fn run(command: &CostCommand) -> Result<ExitCode, Failure> {
    match command {
        CostCommand::Prices(command) => prices::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}
