//! `bedplate budget`: works on the project's ledger; running gateways learn of it within 250 ms.

mod args;
mod page;

use std::process::ExitCode;
use std::sync::Arc;

use bedplate_control::budgets::{BudgetError, Treasurer, Unreadable, Which};
use bedplate_core::call::CallId;
use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_core::setting::Span;
use serde_json::json;

use super::runtime;
use crate::app::Offline;
use crate::cli::ProjectArgs;
use crate::exit::{Failure, Kind};
use crate::out::{self, Format, note, say};
use crate::project::Project;
use crate::settings::Settings;

pub(crate) use args::BudgetCommand;
use args::{CreateArgs, ReconcileArgs};

pub(crate) fn run(command: BudgetCommand) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        match command {
            BudgetCommand::Create(args) => create(*args).await,
            BudgetCommand::List(project) => list(&project).await,
            BudgetCommand::Remove { name, project } => remove(&name, &project).await,
            BudgetCommand::Status { name, project } => status(name.as_deref(), &project).await,
            BudgetCommand::History { name, since, project } => history(&name, since, &project).await,
            BudgetCommand::WhyBlocked { call_id, project } => why_blocked(&call_id, &project).await,
            BudgetCommand::Reconcile(args) => reconcile(args).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn open(args: &ProjectArgs) -> Result<Treasurer, Failure> {
    let project = Project::open(&args.project)?;
    let settings = Settings::load(&project)?;
    let ledger = Offline::open(&project, &settings).await.map_err(known)?.ledger;
    let configured = settings.budget;
    Ok(Treasurer { ledger, clock: SystemClock::shared(), configured: Arc::new(move || configured.clone()) })
}

/// What holds when the ledger cannot be asked.
fn known(failure: Failure) -> Failure {
    if failure.kind != Kind::Upstream || failure.hint.is_some() {
        return failure;
    }
    failure.hint("Running gateways go on with the budgets they know, each as its `outage` says. `bedplate doctor` looks at the ledger.")
}

async fn create(args: CreateArgs) -> Result<(), Failure> {
    let config = args.config()?;
    let made = open(&args.project).await?.create(&config).await.map_err(failure)?;
    match args.project.format {
        Format::Json => Ok(out::json(&made)?),
        Format::Human => Ok(say(format!(
            "{} stands: {}, {}; running gateways hold it within a second",
            made.name,
            made.concerns,
            made.terms()
        ))?),
    }
}

async fn list(args: &ProjectArgs) -> Result<(), Failure> {
    let treasurer = open(args).await?;
    let budgets = treasurer.list().await.map_err(failure)?;
    let unreadable = treasurer.unreadable().await.map_err(failure)?;
    if args.format == Format::Json {
        budgets.iter().try_for_each(out::json)?;
        return Ok(unreadable.iter().try_for_each(out::json)?);
    }
    say(page::list(&budgets, &unreadable))?;
    unreadable.iter().for_each(not_in_force);
    Ok(())
}

async fn remove(name: &str, args: &ProjectArgs) -> Result<(), Failure> {
    open(args).await?.remove(name).await.map_err(failure)?;
    match args.format {
        Format::Json => Ok(out::json(&json!({ "name": name, "removed": true }))?),
        Format::Human => {
            Ok(say(format!("{name} is removed; running gateways let calls pass within a second"))?)
        }
    }
}

fn not_in_force(Unreadable { name, unreadable, .. }: &Unreadable) {
    note(format!(
        "{name} cannot be read, and is not in force: {unreadable}. Run the version of bedplate that made it, or \
         `bedplate budget remove {name}`."
    ));
}

/// How many accounts of each budget are shown, unless one is asked for.
const FEW: usize = 20;

async fn status(name: Option<&str>, args: &ProjectArgs) -> Result<(), Failure> {
    let most = if name.is_some() { usize::MAX } else { FEW };
    let treasurer = open(args).await?;
    let statuses = treasurer.status(name, most).await.map_err(failure)?;
    let unreadable = match name {
        None => treasurer.unreadable().await.map_err(failure)?,
        Some(_) => Vec::new(),
    };
    if args.format == Format::Json {
        statuses.iter().try_for_each(out::json)?;
        return Ok(unreadable.iter().try_for_each(out::json)?);
    }
    unreadable.iter().for_each(not_in_force);
    if statuses.is_empty() && !unreadable.is_empty() {
        return Ok(());
    }
    if statuses.is_empty() {
        note(
            "There is no budget: `bedplate budget create` makes one, and so does `[[budget]]` in bedplate.toml.",
        );
        return Ok(());
    }
    say(page::status(&statuses))?;
    for status in statuses.iter().filter(|status| status.more_accounts > 0) {
        let (name, more) = (&status.budget.name, status.more_accounts);
        note(format!("{name}: {more} accounts more, `bedplate budget status {name}` shows all"));
    }
    Ok(())
}

async fn history(name: &str, since: Span, args: &ProjectArgs) -> Result<(), Failure> {
    let treasurer = open(args).await?;
    let since = treasurer.clock.now().minus(since.0);
    let history = treasurer.history(name, since).await.map_err(failure)?;
    match args.format {
        Format::Json => Ok(out::json(&history)?),
        Format::Human => Ok(say(page::history(&history))?),
    }
}

async fn why_blocked(call_id: &str, args: &ProjectArgs) -> Result<(), Failure> {
    let id: CallId = call_id.parse().map_err(|_| {
        Failure::usage(format!("`{call_id}` is no call id"))
            .hint("It stands in the reply's header x-bedplate-call-id, and in `bedplate calls tail`.")
    })?;
    let explained = open(args).await?.why_blocked(id).await.map_err(failure)?;
    match args.format {
        Format::Json => Ok(out::json(&explained)?),
        Format::Human => Ok(say(page::explained(&explained))?),
    }
}

async fn reconcile(args: ReconcileArgs) -> Result<(), Failure> {
    let ReconcileArgs { name, spent, node, window, account, project } = args;
    let window = match window {
        None => None,
        Some(text) => Some(Timestamp::parse(&text).map_err(|_| {
            Failure::usage(format!("`{text}` is not when a window begins"))
                .hint("`bedplate budget reconcile NAME` lists windows: `2026-11-01T00:00:00Z`.")
        })?),
    };
    let which = Which { node, window, account };
    let treasurer = open(&project).await?;
    let Some(spent) = spent else {
        let unknown = treasurer.unknown(&name, &which).await.map_err(failure)?;
        if project.format == Format::Json {
            return unknown.iter().try_for_each(|slice| Ok(out::json(slice)?));
        }
        if unknown.is_empty() {
            note(format!("Nothing of {name} is unknown."));
            return Ok(());
        }
        say(page::unknown(&unknown))?;
        note("`--spent AMOUNT` says how much of it was spent; the rest is free again.");
        return Ok(());
    };
    let done = treasurer.reconcile(&name, &which, &spent).await.map_err(failure)?;
    match project.format {
        Format::Json => Ok(out::json(&done)?),
        Format::Human => {
            let show = |amount| done.slice.unit.show(amount);
            Ok(say(format!("{} counts as spent, {} is free again", show(done.spent), show(done.freed)))?)
        }
    }
}

fn failure(e: BudgetError) -> Failure {
    match e {
        BudgetError::Store(e) => known(e.into()),
        BudgetError::NoCall(_) => Failure::problem(e).hint(
            "A call is written within 100 ms of its end; calls older than `[store] retention` are dropped.",
        ),
        BudgetError::NotBlocked(..) => Failure::problem(e).hint("`bedplate calls show` says how it went."),
        BudgetError::NothingUnknown(..) | BudgetError::Changed => Failure::problem(e),
        BudgetError::Unreadable(ref name, _) => {
            let hint =
                format!("Run the version of bedplate that made it, or `bedplate budget remove {name}`.");
            Failure::problem(&e).hint(hint)
        }
        BudgetError::Several(ref name, _) => {
            let hint = format!(
                "`bedplate budget reconcile {name}` lists them; name one by --node, --window, --account."
            );
            Failure::usage(&e).hint(hint)
        }
        _ => Failure::usage(e),
    }
}
