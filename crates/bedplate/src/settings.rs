//! `bedplate.toml`: each section belongs to the crate that uses it.

mod document;
pub(crate) mod nearest;
mod paths;
mod problems;

use std::net::SocketAddr;
use std::path::Path;

use bedplate_cost::PriceBook;
use bedplate_cost::budget::BudgetConfig;
use bedplate_gateway::tls;
use bedplate_gateway::{Auth, DoorsConfig, Limits};
use bedplate_notify::config::Config as NotifyConfig;
use bedplate_pipeline::{
    BreakerConfig, BudgetsConfig, CacheConfig, DrainConfig, ModelConfig, OperationsConfig, PaceConfig,
    RetryConfig, ThrottleConfig, TimeoutConfig,
};
use bedplate_telemetry::LogConfig;
use bedplate_telemetry::call_log::Calls;
use bedplate_telemetry::cloudwatch::CloudWatchConfig;
use bedplate_telemetry::emf::{EmfConfig, EmfTo};
use bedplate_telemetry::metrics::MetricsConfig;
use bedplate_telemetry::traces::TracesConfig;
use bedplate_upstream::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::document::Document;
pub(crate) use self::paths::Named;
use crate::exit::Failure;
use crate::project::Project;

/// The whole configuration. Every section has defaults; an empty file is a working one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) listen: Listen,
    pub(crate) limits: Limits,
    pub(crate) auth: Auth,
    pub(crate) doors: DoorsConfig,
    pub(crate) store: bedplate_store::Config,
    /// The things that are called; the first serves bare model ids. With none: the simulator.
    pub(crate) provider: Vec<bedplate_upstream::Config>,
    /// Names that applications use, and what is called for them.
    pub(crate) model: Vec<ModelConfig>,
    pub(crate) retry: RetryConfig,
    pub(crate) breaker: BreakerConfig,
    pub(crate) pace: PaceConfig,
    pub(crate) timeout: TimeoutConfig,
    pub(crate) drain: DrainConfig,
    pub(crate) operations: OperationsConfig,
    pub(crate) prices: Prices,
    /// Money or tokens that may be spent over a period.
    pub(crate) budget: Vec<BudgetConfig>,
    pub(crate) budgets: BudgetsConfig,
    /// How much callers may ask at a time.
    pub(crate) throttle: Vec<ThrottleConfig>,
    pub(crate) cache: CacheConfig,
    pub(crate) log: LogConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) emf: EmfConfig,
    pub(crate) cloudwatch: CloudWatchConfig,
    pub(crate) traces: TracesConfig,
    pub(crate) notify: Vec<NotifyConfig>,
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

impl Prices {
    /// # Errors
    /// Names the file and what is wrong with it.
    pub(crate) fn book(&self, project: &Path) -> Result<PriceBook, String> {
        let book = PriceBook::embedded();
        let Some(file) = &self.overrides else { return Ok(book) };
        let path = project.join(file);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| format!("`{}` cannot be read: {e}", path.display()))?;
        book.with_overrides(&text).map_err(|e| format!("{}: {e}", path.display()))
    }
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
        let mut settings = Self::examine(&text, &project.dir).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|p| format!("{}:{p}", path.display())).collect();
            Failure::usage(lines.join("\n"))
        })?;
        settings.resolve(&project.dir);
        Ok(settings)
    }

    /// What is said of keys such as `model.0.targets.1`, each with its place in the project's file.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub(crate) fn placed(project: &Project, said: Vec<(String, String)>) -> Result<Vec<String>, Failure> {
        if said.is_empty() {
            return Ok(Vec::new());
        }
        let path = project.config();
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Failure::usage(format!("`{}` cannot be read: {e}", path.display())))?;
        let mut document = Document::parse(&text);
        for (key, said) in said {
            document.note(&[key.split('.').collect()], said);
        }
        Ok(document.problems().iter().map(|said| format!("{}:{said}", path.display())).collect())
    }

    /// The files that the project's file names, as far as it can be read: also when it is bad, so that one
    /// of them that is corrected or comes late is noticed.
    pub(crate) fn named_files(project: &Project) -> Vec<Named> {
        let text = std::fs::read_to_string(project.config()).unwrap_or_default();
        let settings: Option<Self> = Document::parse(&text).read();
        settings.map(|settings| settings.files(&project.dir)).unwrap_or_default()
    }

    /// Parses and looks for problems; each is `LINE:COLUMN: what is wrong`.
    fn examine(text: &str, project: &Path) -> Result<Self, Vec<String>> {
        let mut document = Document::parse(text);
        let settings = document.read().map(Self::with_a_provider);
        for problem in settings.iter().flat_map(|settings| settings.problems(project)) {
            let keys: Vec<Vec<&str>> = problem.keys.iter().map(|key| key.split('.').collect()).collect();
            document.note(&keys, problem.said);
        }
        let problems = document.problems();
        settings.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// Parses alone.
    #[cfg(test)]
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut document = Document::parse(text);
        let settings = document.read().map(Self::with_a_provider);
        let problems = document.problems();
        settings.filter(|_| problems.is_empty()).ok_or_else(|| problems.join("\n"))
    }

    fn with_a_provider(mut self) -> Self {
        if self.provider.is_empty() {
            self.provider.push(simulated());
        }
        self
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
        let mut cloudwatch = self.cloudwatch.clone();
        if cloudwatch.region.is_none() {
            let bedrock = self.provider.iter().find(|provider| provider.kind == Kind::Bedrock);
            cloudwatch.region = bedrock.map(|provider| provider.region.clone());
        }
        let (metrics, traces) = (self.metrics.clone(), self.traces.clone());
        bedplate_telemetry::Config { log, metrics, emf, cloudwatch, traces }
    }
}

/// The provider of a project that names none: money is never spent by surprise.
pub(crate) fn simulated() -> bedplate_upstream::Config {
    bedplate_upstream::Config::named("sim", Kind::Sim)
}

#[cfg(test)]
mod tests {
    use bedplate_core::setting::SecretRef;

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
        let text = "[operations]\nallow = [\"Converse\", \"GetAsyncInvoke\", \"Convers\"]\n[listen.tls]\nmode = \"files\"\nkey = \"no.pem\"\n[timeout]\nidle = \"y\"\n[[provider]]\nname = \"a\"\nkind = \"bedrok\"\n[[provider]]\nname = \"b\"\nkind = \"bedrock\"\naccount = \"12\"\n";
        let found = Settings::examine(text, Path::new(".")).unwrap_err();
        let places: Vec<&str> = found.iter().map(|p| p.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["2:10", "2:40", "3:1", "5:7", "7:8", "10:8", "14:11"], "{found:#?}");
    }

    #[test]
    fn what_was_left_out_is_not_missed() {
        let text = "[listen]\ncontrol = \"127.0.0.1:8080\"\ndata = 7\n[listen.tls]\nmode = \"files\"\nkey = 1\ncertificate = 2\n";
        let found = Settings::examine(text, Path::new(".")).unwrap_err();
        assert_eq!(found.len(), 3, "{found:#?}");
    }

    #[test]
    fn paths_are_relative_to_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[store]\nledger = { postgres = { file = \"url\" } }\n[[provider]]\nname = \"a\"\nkind = \"bedrock\"\nca_file = \"ca.pem\"\nbearer = { file = \"bearer\" }\n[traces]\nca_file = \"/etc/ca.pem\"\nheaders = { a = { file = \"h\" }, b = { env = \"B\" } }\n[[notify]]\nname = \"n\"\nkind = \"webhook\"\nurl = \"https://h.example\"\nsecret = { file = \"w\" }\nca_file = \"ca.pem\"\n[sim]\nbearer_tokens = [{ file = \"t\" }]\ncredentials = [{ access_key_id = \"A\", secret_access_key = { file = \"s\" } }]\n";
        std::fs::write(folder.path().join("bedplate.toml"), text).unwrap();
        let project = Project::open(folder.path()).unwrap();
        let s = Settings::load(&project).unwrap();
        let file = |name: &str| SecretRef::File(project.dir.join(name));
        assert_eq!(s.provider[0].ca_file, Some(project.dir.join("ca.pem")));
        assert_eq!(s.provider[0].bearer, Some(file("bearer")));
        assert_eq!(s.store.ledger, bedplate_store::LedgerConfig::Postgres(file("url")));
        assert_eq!(s.traces.ca_file, Some("/etc/ca.pem".into()));
        assert_eq!(s.traces.headers["a"], file("h"));
        assert_eq!(s.traces.headers["b"], SecretRef::Env("B".into()));
        assert_eq!(
            (&s.notify[0].secret, &s.notify[0].ca_file),
            (&Some(file("w")), &Some(project.dir.join("ca.pem")))
        );
        assert_eq!(s.sim.bearer_tokens, [file("t")]);
        assert_eq!(s.sim.credentials[0].secret_access_key, file("s"));
    }

    #[test]
    fn every_file_that_is_named_is_watched_also_when_the_rest_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[prices]\noverrides = \"file-1\"\n[store]\nledger = { postgres = { file = \"file-2\" } }\nhot = { redis = { file = \"file-15\" } }\n[[provider]]\nname = \"a\"\nkind = \"bedrock\"\nca_file = \"file-3\"\nbearer = { file = \"file-4\" }\nproxy_login = { file = \"file-9\" }\n[traces]\nca_file = \"/etc/file-5\"\nheaders = { a = { file = \"file-6\" }, b = { env = \"B\" } }\n[sim]\nbearer_tokens = [{ file = \"file-7\" }]\ncredentials = [{ access_key_id = \"A\", secret_access_key = { file = \"file-8\" } }]\n[[notify]]\nname = \"n\"\nkind = \"log\"\nca_file = \"file-10\"\nsecret = { file = \"file-11\" }\nurl_from = { file = \"file-12\" }\npassword = { file = \"file-13\" }\nheaders = { a = { file = \"file-14\" } }\n[nonsense]\n";
        std::fs::write(folder.path().join("bedplate.toml"), text).unwrap();
        let project = Project::open(folder.path()).unwrap();
        assert!(Settings::load(&project).is_err());
        let mut names: Vec<String> =
            Settings::named_files(&project).iter().map(|f| f.path.display().to_string()).collect();
        names.sort_by_key(|name| name.rsplit('-').next().and_then(|n| n.parse::<u32>().ok()));
        let expected: Vec<String> = (1..=15)
            .map(|n| match n {
                5 => "/etc/file-5".to_owned(),
                n => project.dir.join(format!("file-{n}")).display().to_string(),
            })
            .collect();
        assert_eq!(names, expected);
        // a new place for a secret or for authorities belongs into `each_file`, and into the text above
        let schema = serde_json::to_string(&schemars::schema_for!(Settings)).unwrap();
        let places =
            schema.matches("\"#/$defs/SecretRef\"").count() + schema.matches("\"ca_file\":{").count();
        assert_eq!(places, expected.len() - 1, "all but the prices");
    }
}
