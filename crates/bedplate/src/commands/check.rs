//! `bedplate check`: every problem, with its place.

use std::process::ExitCode;

use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_cost::{PriceBook, named};
use bedplate_pipeline::TargetConfig;
use serde_json::json;

use crate::cli::ProjectArgs;
use crate::exit::Failure;
use crate::out::{self, Format, note, say};
use crate::project::Project;
use crate::settings::{Settings, nearest};

pub(crate) fn run(args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let project = Project::open(&args.project)?;
    let found = Settings::load(&project);
    match (args.format, found) {
        (Format::Human, Ok(settings)) => {
            for warning in warnings(&settings, &project)? {
                note(format!("warning: {warning}"));
            }
            let names: Vec<&str> = settings.provider.iter().map(|p| p.name.as_str()).collect();
            say(format!(
                "{} is good: {} ({})",
                place(&project),
                plural(names.len(), "provider"),
                names.join(", ")
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        (Format::Json, Ok(settings)) => {
            out::json(&json!({ "ok": true, "problems": [], "warnings": warnings(&settings, &project)? }))?;
            Ok(ExitCode::SUCCESS)
        }
        (Format::Json, Err(e)) => {
            out::json(&json!({ "ok": false, "problems": e.said.lines().collect::<Vec<_>>() }))?;
            Ok(e.code())
        }
        (Format::Human, Err(e)) => {
            // a problem a line, each beginning with its place, as editors and CI read them
            note(&e.said);
            Ok(e.code())
        }
    }
}

/// What may be wrong with targets of aliases, each with its place: that one has an end, with what was tested in its
/// stead, or that nobody has heard of its model, which is Bedrock's to judge.
fn warnings(settings: &Settings, project: &Project) -> Result<Vec<String>, Failure> {
    let prices = settings.prices.book(&project.dir).map_err(Failure::usage)?;
    let now = SystemClock::shared().now();
    let mut said = Vec::new();
    for (n, alias) in settings.model.iter().enumerate() {
        for (place, target) in alias.everything() {
            let Some((provider, model)) = target.parts() else { continue };
            let bedrocks = settings.provider.iter().any(|one| one.name == provider && one.names_as_bedrock());
            let unknown = || bedrocks.then(|| unlisted(&prices, model)).flatten();
            let Some(warning) = end(&prices, &target, model, now).or_else(unknown) else { continue };
            let (name, target) = (&alias.name, &target.target);
            said.push((
                format!("model.{n}.{place}"),
                format!("`[[model]]` `{name}`: {place}: {target}: {warning}"),
            ));
        }
    }
    Settings::placed(project, said)
}

fn end(prices: &PriceBook, target: &TargetConfig, model: &str, now: Timestamp) -> Option<String> {
    let life = prices.life(model, now)?;
    Some(match &target.replacement {
        Some(other) => format!("{life}; tested in its place is {other}"),
        None => format!("{life}; name what was tested in its place: `replacement = \"PROVIDER/MODEL\"`"),
    })
}

/// An ARN that does not say its model is not looked for.
fn unlisted(prices: &PriceBook, model: &str) -> Option<String> {
    let id = named(model).filter(|_| prices.entry(model).is_none())?;
    let entries = prices.entries();
    let near = nearest::of(id, entries.iter().map(|entry| entry.id.as_str()));
    let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Some(format!("the price list has no model `{id}`: calls may fail, and their cost is unknown{hint}"))
}

fn place(project: &Project) -> String {
    let path = project.config();
    if path.exists() { path.display().to_string() } else { "the default configuration".into() }
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_nobody_has_heard_of_is_named_with_the_nearest() {
        let prices = PriceBook::embedded();
        let said = |model| unlisted(&prices, model);
        assert_eq!(said("us.amazon.nova-lite-v1:0"), None);
        assert_eq!(said("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"), None);
        assert_eq!(said("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1"), None);
        let typo = said("us.amazon.nova-liet-v1:0").unwrap();
        assert!(typo.ends_with("did you mean `us.amazon.nova-lite-v1:0`?"), "{typo}");
        let other = said("x.y").unwrap();
        assert!(other.contains("has no model `x.y`") && !other.contains("did you mean"), "{other}");
    }
}
