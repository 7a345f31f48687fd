//! `bedplate model`: aliases, and what would be called for them now. Asks the running gateway.

use std::process::ExitCode;

use bedplate_core::route::{AliasStand, HedgeStand, LifeStand, RuleStand, RungStand, Seen, TargetStand};
use bedplate_core::setting::Span;
use bedplate_cost::Life;
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
        let share = |t: &TargetStand| {
            let life = t.life.as_ref().map_or_else(String::new, |life| format!(" ({})", ends(life)));
            format!("{}/{} {} %{life}", t.provider, t.model, t.share)
        };
        targets.iter().map(share).collect::<Vec<_>>().join(", ")
    };
    let rule = |rule: &RuleStand| format!("\n{:<20} for {}: {}", "", rule.when, shares(&rule.targets));
    let rules: String = stand.rules.iter().map(rule).collect();
    format!("{:<20} {}{rules}", stand.name, shares(&stand.targets))
}

/// `rule` is the one that counts.
fn page(stand: &AliasStand, rule: Option<usize>) -> String {
    let mut lines = vec![format!("{}: at most {} requests a call", stand.name, stand.attempts)];
    lines.push(stand.hedge.as_ref().map_or_else(|| "  not hedged".to_owned(), hedged));
    let chosen = rule.and_then(|n| stand.rules.get(n));
    if let Some(chosen) = chosen {
        lines.push(format!("  by its rule for {}", chosen.when));
    }
    for t in chosen.map_or(&stand.targets, |rule| &rule.targets) {
        let tier = t.tier.as_deref().map_or_else(String::new, |tier| format!(", tier {tier}"));
        let life = t.life.as_ref().map_or_else(String::new, |life| format!("; {}", ends(life)));
        let (share, provider, model, region, why) = (t.share, &t.provider, &t.model, &t.region, &t.why);
        lines.push(format!("  {share:>5} %  {provider}/{model} ({region}{tier}): {why}{life}"));
    }
    for rung in &stand.fallback {
        lines.push(match rung {
            RungStand::Target { provider, model, breaker, exercised, life } => {
                let life = life.as_ref().map_or_else(String::new, |life| format!("; {}", ends(life)));
                let last = exercised
                    .as_ref()
                    .map_or_else(String::new, |last| format!("; last exercised {}: {}", last.at, last.said));
                let breaker = breaker.said();
                format!(
                    "  then     {provider}/{model}, a lighter model; its breaker is {breaker}{last}{life}"
                )
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

/// `LEGACY, ends in 107 days, tested in its place is use1/us.amazon.nova-pro-v1:0`
fn ends(life: &LifeStand) -> String {
    let said = Life { legacy: life.legacy, days: life.days };
    match &life.replacement {
        Some(other) => format!("{said}, tested in its place is {other}"),
        None => said.to_string(),
    }
}

/// `after 2s, 5% of calls at most: 12 were, of which the first answered 4, the second 7, neither 1`
fn hedged(stand: &HedgeStand) -> String {
    let HedgeStand { after_ms, most, may, first, second, neither } = stand;
    let all = first.saturating_add(*second).saturating_add(*neither);
    let after = Span::millis(*after_ms);
    let went = match all {
        0 => "none was yet".to_owned(),
        all => {
            format!("{all} were, of which the first answered {first}, the second {second}, neither {neither}")
        }
    };
    let waits = if *may { "" } else { "; not now: calls have to earn the next" };
    format!("  hedged   after {after}, {most}% of calls at most: {went}{waits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_and_ends_are_said() {
        let stand = HedgeStand { after_ms: 1_500, most: 5, may: false, first: 4, second: 7, neither: 1 };
        assert_eq!(
            hedged(&stand),
            "  hedged   after 1500ms, 5% of calls at most: 12 were, of which the first answered 4, the second 7, \
             neither 1; not now: calls have to earn the next"
        );
        let none = HedgeStand { may: true, first: 0, second: 0, neither: 0, ..stand };
        assert!(hedged(&none).ends_with("none was yet"));
        let life = LifeStand { legacy: true, days: Some(107), replacement: Some("a/x.y".into()) };
        assert_eq!(ends(&life), "LEGACY, ends in 107 days, tested in its place is a/x.y");
        assert_eq!(ends(&LifeStand { legacy: false, replacement: None, ..life }), "ends in 107 days");
    }
}
