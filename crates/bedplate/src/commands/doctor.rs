//! `bedplate doctor`: probes the deployment and says what to fix.

mod probes;

use std::process::ExitCode;

use serde::Serialize;

use super::runtime;
use crate::cli::ProjectArgs;
use crate::exit::Failure;
use crate::out::{self, Format, say};
use crate::project::Project;
use crate::settings::Settings;

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct Finding {
    what: String,
    state: State,
    said: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Good,
    Warning,
    Bad,
}

impl Finding {
    pub(super) fn good(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Good, said: said.into(), fix: None }
    }

    pub(super) fn warning(what: impl Into<String>, said: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Warning, said: said.into(), fix: Some(fix.into()) }
    }

    pub(super) fn bad(what: impl Into<String>, said: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Bad, said: said.into(), fix: Some(fix.into()) }
    }
}

pub(crate) fn run(args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let project = Project::open(&args.project)?;
    let settings = Settings::load(&project)?;
    let runtime = runtime()?;
    let findings = runtime.block_on(probes::all(&project, &settings, runtime.handle()));
    let bad = findings.iter().any(|f| f.state == State::Bad);
    match args.format {
        Format::Json => {
            for finding in &findings {
                out::json(finding)?;
            }
        }
        Format::Human => {
            for finding in &findings {
                let mark = match finding.state {
                    State::Good => "ok  ",
                    State::Warning => "warn",
                    State::Bad => "BAD ",
                };
                say(format!("{mark}  {:<28} {}", finding.what, finding.said))?;
                if let Some(fix) = &finding.fix {
                    say(format!("      {:<28} {fix}", ""))?;
                }
            }
        }
    }
    // probes may leave connections and credential searches behind
    runtime.shutdown_background();
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
