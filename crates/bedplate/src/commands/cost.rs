//! `bedplate cost`: what things cost, and what calls have cost.

mod explain;
mod money;
mod prices;
mod range;
mod report;

use std::process::ExitCode;

use clap::Subcommand;

use super::runtime;
use crate::exit::Failure;

/// `bedplate cost`.
#[derive(Subcommand, Debug)]
pub(crate) enum CostCommand {
    /// What calls have cost, by what they have in common
    #[command(
        after_help = "Examples:\n  bedplate cost report --by feature,model --since 7d\n  bedplate cost report --by day,team --from 2026-11-01 --until 2026-12-01 --zone Europe/Berlin --format csv\n  bedplate cost report --by user --team support --format html --output support.html\n  bedplate cost report --by model --only operation=Converse --format json"
    )]
    Report(Box<report::ReportArgs>),
    /// Why spending changed between two periods; the parts add up exactly
    #[command(
        after_help = "Examples:\n  bedplate cost explain --since 7d\n  bedplate cost explain --from 2026-11-01 --until 2026-11-15 --against 2026-10-01\n  bedplate cost explain --by team --since 24h --format json"
    )]
    Explain(Box<explain::ExplainArgs>),
    /// What models cost, and what a price file changes
    #[command(subcommand)]
    Prices(prices::PricesCommand),
}

pub(crate) fn run(command: &CostCommand) -> Result<ExitCode, Failure> {
    match command {
        CostCommand::Report(args) => runtime()?.block_on(report::run(args))?,
        CostCommand::Explain(args) => runtime()?.block_on(explain::run(args))?,
        CostCommand::Prices(command) => prices::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A name on one line, without what would move the cursor.
fn plain(name: &str) -> String {
    match name {
        "" => "(none)".to_owned(),
        name => name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
    }
}

/// A name that no spreadsheet takes for a formula: callers choose names.
fn harmless(name: &str) -> String {
    match name.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{name}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas_and_move_no_cursor() {
        assert_eq!(harmless("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!([harmless("@a"), harmless("a=b"), harmless("")], ["'@a", "a=b", ""]);
        assert_eq!([plain(""), plain("a\u{1b}[2Jb")], ["(none)", "a\u{fffd}[2Jb"]);
    }
}
