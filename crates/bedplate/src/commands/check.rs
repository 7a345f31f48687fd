//! `bedplate check`: every problem, with its place.

use std::process::ExitCode;

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
            let names: Vec<&str> = settings.provider.iter().map(|p| p.name.as_str()).collect();
            say(format!(
                "{} is good: {} ({})",
                place(&project),
                plural(names.len(), "provider"),
                names.join(", ")
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        (Format::Json, Ok(_)) => {
            out::json(&json!({ "ok": true, "problems": [] }))?;
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

fn place(project: &Project) -> String {
    let path = project.config();
    if path.exists() { path.display().to_string() } else { "the default configuration".into() }
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
