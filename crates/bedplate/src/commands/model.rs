//! `bedplate model`: aliases, and what would be called for them now. Asks the running gateway.

use std::process::ExitCode;

use bedplate_core::route::{AliasStand, RungStand};

use super::admin::Admin;
use super::runtime;
use crate::cli::ModelCommand;
use crate::exit::Failure;
use crate::out::{self, Format, say};

pub(crate) fn run(command: ModelCommand) -> Result<ExitCode, Failure> {
    let (alias, project) = match command {
        ModelCommand::List(project) => (None, project),
        ModelCommand::Explain { alias, project } => (Some(alias), project),
    };
    let shown = runtime()?.block_on(async { Admin::of(&project)?.get("/admin/v1/models").await })?;
    let all: Vec<AliasStand> = serde_json::from_value(shown)
        .map_err(|e| Failure::problem(format!("the gateway's answer cannot be read: {e}")))?;
    let Some(alias) = alias else {
        match project.format {
            Format::Json => out::json(&all)?,
            Format::Human if all.is_empty() => say("no aliases: `[[model]]` makes one")?,
            Format::Human => say(all.iter().map(line).collect::<Vec<_>>().join("\n"))?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(found) = all.iter().find(|stand| *stand.name == *alias) else {
        let names: Vec<&str> = all.iter().map(|stand| &*stand.name).collect();
        return Err(Failure::problem(format!("there is no alias `{alias}`; there are {}", names.join(", "))));
    };
    match project.format {
        Format::Json => out::json(found)?,
        Format::Human => say(page(found))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `triage  use1/us.amazon.nova-lite-v1:0 100 %, usw2/… 0 %`
fn line(stand: &AliasStand) -> String {
    let targets: Vec<String> =
        stand.targets.iter().map(|t| format!("{}/{} {} %", t.provider, t.model, t.share)).collect();
    format!("{:<20} {}", stand.name, targets.join(", "))
}

fn page(stand: &AliasStand) -> String {
    let mut lines = vec![format!("{}: at most {} requests a call", stand.name, stand.attempts)];
    for t in &stand.targets {
        let tier = t.tier.as_deref().map_or_else(String::new, |tier| format!(", tier {tier}"));
        lines.push(format!("  {:>5} %  {}/{} ({}{tier}): {}", t.share, t.provider, t.model, t.region, t.why));
    }
    for rung in &stand.fallback {
        lines.push(match rung {
            RungStand::Target { provider, model, breaker, exercised } => {
                let last = exercised
                    .as_ref()
                    .map_or_else(String::new, |last| format!("; last exercised {}: {}", last.at, last.said));
                let breaker = breaker.said();
                format!("  then     {provider}/{model}, a lighter model; its breaker is {breaker}{last}")
            }
            RungStand::Stale => "  then     an earlier answer to the same question".to_owned(),
            RungStand::Answer(text) => format!("  then     `{text}`"),
        });
    }
    lines.join("\n")
}
