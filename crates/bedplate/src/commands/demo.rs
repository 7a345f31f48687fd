//! `bedplate demo`: bedplate at work on this machine, where nothing costs anything.

mod call;
mod folder;
mod load;
mod side;
mod storm;
mod tally;

use std::process::ExitCode;

use clap::Subcommand;

use crate::exit::Failure;

pub(crate) use storm::StormArgs;

/// `bedplate demo`.
#[derive(Subcommand, Debug)]
pub(crate) enum DemoCommand {
    /// A throttling storm: the same load straight at a Bedrock with a quota, and through bedplate
    #[command(
        after_help = "Two simulators in this process, nothing else: no AWS, no cost.\n\nExamples:\n  bedplate demo storm\n  bedplate demo storm --seconds 10 --format json"
    )]
    Storm(StormArgs),
}

pub(crate) fn run(command: &DemoCommand) -> Result<ExitCode, Failure> {
    match command {
        DemoCommand::Storm(args) => storm::run(args),
    }
}
