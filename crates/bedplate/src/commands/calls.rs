//! `bedplate calls`: what was called, by whom, and how it went. Reads the ledger.

mod page;

use std::process::ExitCode;
use std::time::Duration;

use bedplate_core::call::CallId;
use bedplate_core::ports::{CallFilter, Ledger};
use bedplate_core::record::Outcome;
use bedplate_core::refusal::Code;

use super::runtime;
use super::up::Stop;
use crate::app::Offline;
use crate::cli::{CallsCommand, ProjectArgs};
use crate::exit::Failure;
use crate::out::{self, Format, say};
use crate::project::Project;
use crate::settings::Settings;

pub(crate) fn run(command: CallsCommand) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        match command {
            CallsCommand::Show { call_id, project } => show(&call_id, &project).await,
            CallsCommand::Tail { lines, no_follow, team, code, project } => {
                let code = match code {
                    None => None,
                    Some(code) => match code.parse::<Code>() {
                        Ok(code) => Some(code),
                        Err(()) => return Err(Failure::usage(format!("there is no code `{code}`"))),
                    },
                };
                let filter = CallFilter { team, code, ..CallFilter::default() };
                tail(filter, lines, !no_follow, &project).await
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn ledger(args: &ProjectArgs) -> Result<std::sync::Arc<dyn Ledger>, Failure> {
    let project = Project::open(&args.project)?;
    let settings = Settings::load(&project)?;
    Ok(Offline::open(&project, &settings).await?.ledger)
}

async fn show(call_id: &str, args: &ProjectArgs) -> Result<(), Failure> {
    let id: CallId = call_id.parse().map_err(|_| {
        Failure::usage(format!("`{call_id}` is no call id"))
            .hint("It stands in the reply's header x-bedplate-call-id, and in `bedplate calls tail`.")
    })?;
    let ledger = ledger(args).await?;
    let Some(outcome) = ledger.call(id).await? else {
        return Err(Failure::problem(format!("the ledger has no call {id}")).hint(
            "A call is written within 100 ms of its end; calls older than `[store] retention` are dropped.",
        ));
    };
    match args.format {
        Format::Json => Ok(out::json(&outcome)?),
        Format::Human => Ok(say(page::page(&outcome))?),
    }
}

/// How soon a follower looks again.
const AGAIN: Duration = Duration::from_millis(250);

async fn tail(mut filter: CallFilter, lines: u32, follow: bool, args: &ProjectArgs) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let ledger = ledger(args).await?;
    if args.format == Format::Human {
        say(page::HEAD)?;
    }
    let mut calls = ledger.recent(&filter, lines.max(1)).await?;
    if lines == 0 {
        filter.after = calls.first().map(|o| o.call.id);
        calls.clear();
    }
    loop {
        for outcome in calls.iter().rev() {
            print(outcome, args.format)?;
            filter.after = filter.after.max(Some(outcome.call.id));
        }
        if !follow {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stop.asked() => return Ok(()),
        }
        calls = ledger.recent(&filter, 10_000).await?;
    }
}

fn print(outcome: &Outcome, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => Ok(out::json(outcome)?),
        Format::Human => Ok(say(page::line(outcome))?),
    }
}
