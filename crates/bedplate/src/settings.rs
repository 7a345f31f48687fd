//! `bedplate.toml`: each section belongs to the crate that uses it.

use std::net::SocketAddr;
use std::path::Path;

use bedplate_gateway::tls;
use bedplate_gateway::{Auth, Limits};
use bedplate_pipeline::{DrainConfig, OperationsConfig, TimeoutConfig};
use bedplate_telemetry::LogConfig;
use bedplate_telemetry::call_log::Calls;
use bedplate_telemetry::emf::{EmfConfig, EmfTo};
use bedplate_telemetry::metrics::MetricsConfig;
use bedplate_telemetry::traces::TracesConfig;
use bedplate_upstream::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::project::Project;

/// The whole configuration. Every section has defaults; an empty file is a working one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) listen: Listen,
    pub(crate) limits: Limits,
    pub(crate) auth: Auth,
    pub(crate) store: bedplate_store::Config,
    /// The things that are called; the first serves bare model ids. With none: the simulator.
    pub(crate) provider: Vec<bedplate_upstream::Config>,
    pub(crate) timeout: TimeoutConfig,
    pub(crate) drain: DrainConfig,
    pub(crate) operations: OperationsConfig,
    pub(crate) prices: Prices,
    pub(crate) log: LogConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) emf: EmfConfig,
    pub(crate) traces: TracesConfig,
    pub(crate) sim: bedplate_sim::Config,
}

/// Where bedplate listens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    /// The doors, for applications.
    pub(crate) data: SocketAddr,
    /// Console, admin API, `/metrics`, `/livez`, `/readyz`: for operators.
    pub(crate) control: SocketAddr,
    /// Threads that serve calls; 0 takes one for each core.
    pub(crate) workers: usize,
    /// TLS, for both listeners.
    pub(crate) tls: tls::Config,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            data: SocketAddr::from(([127, 0, 0, 1], 8080)),
            control: SocketAddr::from(([127, 0, 0, 1], 8081)),
            workers: 0,
            tls: tls::Config::default(),
        }
    }
}

/// What things cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Prices {
    /// A file of prices that stand over the built-in ones, relative to the project.
    pub(crate) overrides: Option<std::path::PathBuf>,
}

impl Settings {
    /// Reads the project's file; defaults when there is none.
    ///
    /// # Errors
    /// Every problem that can be found without starting, each with its place.
    pub(crate) fn load(project: &Project) -> Result<Self, Failure> {
        let path = project.config();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Failure::usage(format!("`{}` cannot be read: {e}", path.display()))),
        };
        let settings = Self::read(&text).map_err(|e| Failure::usage(format!("{}:{e}", path.display())))?;
        let problems = settings.problems(&project.dir);
        if problems.is_empty() {
            return Ok(settings);
        }
        let lines: Vec<String> = problems.iter().map(|p| format!("{}: {p}", path.display())).collect();
        Err(Failure::usage(lines.join("\n")))
    }

    /// Parses; the error is `LINE:COLUMN: what is wrong`, with the nearest right name.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut settings: Self = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start);
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{line}:{column}: {}", with_nearest(e.message()))
        })?;
        if settings.provider.is_empty() {
            settings.provider.push(simulated());
        }
        Ok(settings)
    }

    /// The sections that telemetry reads, with paths that stand for themselves.
    pub(crate) fn telemetry(&self, project: &Path) -> bedplate_telemetry::Config {
        let mut log = self.log.clone();
        if let Calls::File(file) = &mut log.calls {
            *file = project.join(&*file);
        }
        if let Some(folder) = &mut log.invocation.folder {
            *folder = project.join(&*folder);
        }
        let mut emf = self.emf.clone();
        if let EmfTo::File(file) = &mut emf.to {
            *file = project.join(&*file);
        }
        bedplate_telemetry::Config { log, metrics: self.metrics.clone(), emf, traces: self.traces.clone() }
    }

    /// What is wrong although it could be parsed.
    pub(crate) fn problems(&self, project: &Path) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(e) = self.operations.build() {
            problems.push(e);
        }
        let listen = &self.listen;
        if listen.data == listen.control && listen.data.port() != 0 {
            problems.push(format!("`[listen]`: data and control cannot share {}", listen.data));
        }
        if listen.tls.mode == tls::Mode::Files {
            for (name, file) in [("certificate", &listen.tls.certificate), ("key", &listen.tls.key)] {
                match file {
                    None => problems.push(format!("`[listen.tls]` with mode `files` needs `{name}`")),
                    Some(file) if !project.join(file).exists() => {
                        problems
                            .push(format!("`[listen.tls] {name}`: there is no file `{}`", file.display()));
                    }
                    Some(_) => {}
                }
            }
        }
        let mut names = std::collections::BTreeSet::new();
        for provider in &self.provider {
            let name = &provider.name;
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if name.is_empty() || !plain {
                problems.push(format!("`[[provider]] name`: `{name}` is not letters, digits, `-` and `_`"));
            }
            if !names.insert(name) {
                problems.push(format!("`[[provider]]`: two are named `{name}`"));
            }
            let account = &provider.account;
            if !account.is_empty() && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit())) {
                problems
                    .push(format!("`[[provider]] account` of `{name}`: `{account}` is not twelve digits"));
            }
            if provider.kind == Kind::Sim && (provider.bearer.is_some() || provider.role_arn.is_some()) {
                problems.push(format!("`[[provider]]` `{name}`: the simulator takes no credentials"));
            }
        }
        if let Some(file) = &self.prices.overrides
            && !project.join(file).exists()
        {
            problems.push(format!("`[prices] overrides`: there is no file `{}`", file.display()));
        }
        problems
    }
}

/// The provider of a project that names none: money is never spent by surprise.
pub(crate) fn simulated() -> bedplate_upstream::Config {
    bedplate_upstream::Config::named("sim", Kind::Sim)
}

/// Adds "did you mean" to serde's list of what it expected.
fn with_nearest(message: &str) -> String {
    let message = message.trim();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next() else { return message.to_owned() };
    if !message.starts_with("unknown ") {
        return message.to_owned();
    }
    let nearest = quoted.min_by_key(|name| strsim::damerau_levenshtein(wrong, name));
    match nearest {
        Some(name) if strsim::damerau_levenshtein(wrong, name) <= 3 => {
            format!("{message}; did you mean `{name}`?")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_simulator() {
        let settings = Settings::read("").unwrap();
        assert_eq!(settings.provider.len(), 1);
        assert_eq!(settings.provider[0].kind, Kind::Sim);
        assert!(settings.problems(Path::new(".")).is_empty());
    }

    #[test]
    fn a_misspelt_name_is_shown_with_its_place_and_the_nearest_right_one() {
        let e = Settings::read("[listen]\ndata = \"127.0.0.1:1\"\n\n[timeuot]\n").unwrap_err();
        assert!(e.starts_with("4:2:"), "{e}");
        assert!(e.contains("did you mean `timeout`?"), "{e}");
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let settings = Settings::read(
            "[operations]\nallow = [\"Converse\"]\n[[provider]]\nname = \"a\"\nkind = \"bedrock\"\naccount = \"12\"\n",
        )
        .unwrap();
        assert_eq!(settings.problems(Path::new(".")).len(), 2);
    }
}
