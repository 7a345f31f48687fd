//! `bedplate model`: aliases, and what would be called for them now. Asks the running gateway.

use std::process::ExitCode;

use bedplate_core::route::{AliasStand, RuleStand, RungStand, Seen, TargetStand};
use serde::Serialize;

use super::admin::Admin;
use super::runtime;
use crate::cli::{AsIfArgs, ModelCommand};
use crate::exit::Failure;
use crate::out::{self, Format, say};

pub(crate) fn run(command: ModelCommand) -> Result<ExitCode, Failure> {
    let (alias, call, project) = match command {
        ModelCommand::List(project) => (None, AsIfArgs::default(), project),
        ModelCommand::Explain { alias, call, project } => (Some(alias), call, project),
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
    let rule = found.rules.iter().position(|rule| rule.when.fits(seen(&call)));
    match project.format {
        Format::Json => out::json(&Explained { alias: found, rule })?,
        Format::Human => say(page(found, rule))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// An alias, and which of its rules a call has; `None` when its own targets are called.
#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    alias: &'a AliasStand,
    rule: Option<usize>,
}

fn seen(call: &AsIfArgs) -> Seen<'_> {
    Seen {
        feature: call.feature.as_deref().unwrap_or_default(),
        team: call.team.as_deref().unwrap_or_default(),
        environment: call.environment.as_deref().unwrap_or_default(),
        input: call.input.map(|size| size.0),
    }
}

/// `triage  use1/us.amazon.nova-lite-v1:0 100 %, usw2/… 0 %`
fn line(stand: &AliasStand) -> String {
    let shares = |targets: &[TargetStand]| {
        let share = |t: &TargetStand| format!("{}/{} {} %", t.provider, t.model, t.share);
        targets.iter().map(share).collect::<Vec<_>>().join(", ")
    };
    let rule = |rule: &RuleStand| format!("\n{:<20} for {}: {}", "", rule.when, shares(&rule.targets));
    let rules: String = stand.rules.iter().map(rule).collect();
    format!("{:<20} {}{rules}", stand.name, shares(&stand.targets))
}

/// `rule` is the one that counts.
fn page(stand: &AliasStand, rule: Option<usize>) -> String {
    let mut lines = vec![format!("{}: at most {} requests a call", stand.name, stand.attempts)];
    let chosen = rule.and_then(|n| stand.rules.get(n));
    if let Some(chosen) = chosen {
        lines.push(format!("  by its rule for {}", chosen.when));
    }
    for t in chosen.map_or(&stand.targets, |rule| &rule.targets) {
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
    for (_, other) in stand.rules.iter().enumerate().filter(|(n, _)| Some(*n) != rule) {
        let targets: Vec<String> =
            other.targets.iter().map(|t| format!("{}/{}", t.provider, t.model)).collect();
        lines.push(format!("  for {}: {}", other.when, targets.join(", ")));
    }
    if let Some(sizes) = &stand.right_sizing {
        lines.push(match sizes.ceiling {
            Some(ceiling) => format!(
                "  answers without `maxTokens` are bounded to {ceiling}, by {} answers; {} were bounded and {} of them cut, \
                 {} tokens of quota regained",
                sizes.answers, sizes.bounded, sizes.cut, sizes.regained
            ),
            None => format!("  answers without `maxTokens` are not bounded yet: {} of 200 were seen", sizes.answers),
        });
    }
    lines.join("\n")
}
