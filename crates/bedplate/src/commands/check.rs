//! `bedplate check`: every problem, with its place.

use std::process::ExitCode;

use bedplate_core::clock::SystemClock;
use serde_json::json;

use crate::cli::ProjectArgs;
use crate::exit::Failure;
use crate::out::{self, Format, note, say};
use crate::project::Project;
use crate::settings::Settings;

pub(crate) fn run(args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let project = Project::open(&args.project)?;
    let found = Settings::load(&project);
    match (args.format, found) {
        (Format::Human, Ok(settings)) => {
            for warning in ends(&settings, &project)? {
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
            out::json(&json!({ "ok": true, "problems": [], "warnings": ends(&settings, &project)? }))?;
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

/// Targets of aliases that have an end, each with its place, and what was tested in their stead.
fn ends(settings: &Settings, project: &Project) -> Result<Vec<String>, Failure> {
    let prices = settings.prices.book(&project.dir).map_err(Failure::usage)?;
    let now = SystemClock::shared().now();
    let mut said = Vec::new();
    for (n, alias) in settings.model.iter().enumerate() {
        for (place, target) in alias.everything() {
            let Some(life) = target.parts().and_then(|(_, model)| prices.life(model, now)) else { continue };
            let instead = match &target.replacement {
                Some(other) => format!("tested in its place is {other}"),
                None => "name what was tested in its place: `replacement = \"PROVIDER/MODEL\"`".to_owned(),
            };
            let (name, target) = (&alias.name, &target.target);
            said.push((
                format!("model.{n}.{place}"),
                format!("`[[model]]` `{name}`: {place}: {target}: {life}; {instead}"),
            ));
        }
    }
    Settings::placed(project, said)
}

fn place(project: &Project) -> String {
    let path = project.config();
    if path.exists() { path.display().to_string() } else { "the default configuration".into() }
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
