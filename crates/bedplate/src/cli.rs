//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bedplate_core::setting::Span;
use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::exit::Failure;
use crate::out::{Format, note};

/// One binary between applications and Amazon Bedrock.
#[derive(Parser, Debug)]
#[command(name = "bedplate", version, about, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where a project is.
#[derive(Args, Debug, Clone)]
pub(crate) struct ProjectArgs {
    /// The project directory: it holds bedplate.toml and .bedplate/
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
    /// How results are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start bedplate; with nothing configured: embedded ledger, built-in simulator
    #[command(
        after_help = "Examples:\n  bedplate up\n  bedplate up --aws\n  bedplate up --data 127.0.0.1:0 --format json"
    )]
    Up(UpArgs),
    /// Run an application through bedplate; say what it called and cost when it ends
    #[command(
        after_help = "Examples:\n  bedplate run -- python app.py\n  bedplate run --aws -- node app.mjs"
    )]
    Run(RunArgs),
    /// Create, list, disable and rotate keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make, watch and remove budgets; say what became of spending that nobody recorded
    #[command(subcommand)]
    Budget(commands::budget::BudgetCommand),
    /// Look at calls
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Aliases, and what would be called for them now
    #[command(subcommand)]
    Model(ModelCommand),
    /// What bounds calls: quotas, slots, who waits, who was turned away
    #[command(after_help = "Examples:\n  bedplate limits\n  bedplate limits --format json")]
    Limits(ProjectArgs),
    /// What the cache keeps and spared; drop answers
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Try whether notices arrive; look after those that did not
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// What things cost
    #[command(subcommand)]
    Cost(commands::cost::CostCommand),
    /// Say every problem of the configuration, with its place
    Check(ProjectArgs),
    /// Probe the deployment: ledger, credentials, endpoints, clock; say what to fix
    Doctor(ProjectArgs),
    /// Print the page of an error code
    #[command(after_help = "Example:\n  bedplate explain BP1003")]
    Explain {
        /// BP and four digits, or the digits alone
        code: String,
        /// How results are printed
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Run the Bedrock simulator alone
    #[command(after_help = "Example:\n  bedplate sim --listen 127.0.0.1:9000 --config faults.toml")]
    Sim(SimArgs),
    /// Compare a Bedrock endpoint with the built-in simulator, check by check
    #[command(
        after_help = "Examples:\n  bedplate conformance --aws --max-cost 0.10\n  bedplate conformance --endpoint http://127.0.0.1:9000 --only converse-text"
    )]
    Conformance(commands::conformance::ConformanceArgs),
    /// Watch bedplate at work: no AWS, no cost
    #[command(subcommand)]
    Demo(commands::demo::DemoCommand),
    /// The configuration's schema and reference
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  bedplate completions bash > /etc/bash_completion.d/bedplate")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `bedplate up`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,
    /// Where applications call; port 0 picks one
    #[arg(long, value_name = "ADDR")]
    pub(crate) data: Option<SocketAddr>,
    /// Where operators look; port 0 picks one
    #[arg(long, value_name = "ADDR")]
    pub(crate) control: Option<SocketAddr>,
    /// Call real Bedrock with the AWS credential chain: costs money
    #[arg(long)]
    pub(crate) aws: bool,
}

/// `bedplate run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,
    /// Call real Bedrock with the AWS credential chain: costs money
    #[arg(long)]
    pub(crate) aws: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// `bedplate sim`.
#[derive(Args, Debug)]
pub(crate) struct SimArgs {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    pub(crate) listen: SocketAddr,
    /// A file with the keys of section [sim]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Latencies and quota windows run this many times faster
    #[arg(long, value_name = "N")]
    pub(crate) time_scale: Option<f64>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

/// `bedplate key`.
#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Make a key; its secrets are shown once
    #[command(
        after_help = "Example:\n  bedplate key create --team support --feature triage --env prod --expires 90d"
    )]
    Create(CreateArgs),
    /// Take over a known key; secrets come from environment variables
    #[command(
        after_help = "Example:\n  bedplate key import --team ops --access-key-id AKIAEXAMPLEEXAMPLE22 --secret-env SECRET --bearer-env TOKEN"
    )]
    Import(ImportArgs),
    /// List keys
    List(ProjectArgs),
    /// Disable a key; takes effect within a second
    Disable {
        /// The key's id: key_…
        key_id: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Make a successor; the old key goes on for a while
    Rotate {
        /// The key's id: key_…
        key_id: String,
        /// How long the old key still works
        #[arg(long, value_name = "TIME", default_value = "24h")]
        overlap: Span,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

/// Whom a key is for.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// The team that pays
    #[arg(long)]
    pub(crate) team: String,
    /// The feature that calls
    #[arg(long, default_value = "default")]
    pub(crate) feature: String,
    /// The environment
    #[arg(long = "env", default_value = "dev")]
    pub(crate) environment: String,
    /// The risk profile of the application
    #[arg(long, default_value = "internal")]
    pub(crate) risk_profile: String,
    /// Another feature that callers may name in x-bedplate-feature; may be repeated
    #[arg(long = "may-name", value_name = "FEATURE")]
    pub(crate) features: Vec<String>,
    /// A model the key may call, `*` at the end for any ending; may be repeated; default: all
    #[arg(long = "model", value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// When it ends: 30d, 12h
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<Span>,
    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

/// `bedplate key import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) who: CreateArgs,
    /// The access key id
    #[arg(long)]
    pub(crate) access_key_id: String,
    /// The environment variable that holds the secret access key
    #[arg(long, value_name = "NAME")]
    pub(crate) secret_env: String,
    /// The environment variable that holds the bearer token; default: a new one is made
    #[arg(long, value_name = "NAME")]
    pub(crate) bearer_env: Option<String>,
}

/// `bedplate calls`.
#[derive(Subcommand, Debug)]
pub(crate) enum CallsCommand {
    /// Print calls as they are settled
    Tail {
        /// Start with this many past calls
        #[arg(short = 'n', long, default_value_t = 10)]
        lines: u32,
        /// Stop after the past calls
        #[arg(long)]
        no_follow: bool,
        /// Only calls of this team
        #[arg(long)]
        team: Option<String>,
        /// Only calls with this code: BP1003
        #[arg(long)]
        code: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Print all that is known of one call
    Show {
        /// The call's id, from x-bedplate-call-id
        call_id: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

/// `bedplate notify`.
#[derive(Subcommand, Debug)]
pub(crate) enum NotifyCommand {
    /// Send a notice to each target, once, and say what came of it
    #[command(after_help = "Examples:\n  bedplate notify test\n  bedplate notify test ops --format json")]
    Test {
        /// The target, by its name in bedplate.toml; default: all
        name: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Notices that were given up
    #[command(subcommand)]
    Dead(DeadCommand),
}

/// `bedplate notify dead`.
#[derive(Subcommand, Debug)]
pub(crate) enum DeadCommand {
    /// List them, oldest first
    List(ProjectArgs),
    /// Send them once more; those that arrive are taken out of the list
    Retry {
        /// The notice: ntc_…; default: all
        id: Option<String>,
        /// Only to this target
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum ModelCommand {
    /// Every alias, and how its calls are shared out now
    List(ProjectArgs),
    /// What would be chosen for an alias now, and why; and what comes when that fails
    #[command(
        after_help = "Examples:\n  bedplate model explain triage\n  bedplate model explain triage --feature search --input 40KiB\n  bedplate model explain triage --format json"
    )]
    Explain {
        /// The alias
        alias: String,
        #[command(flatten)]
        call: AsIfArgs,
        #[command(flatten)]
        project: ProjectArgs,
    },
}

/// A call that rules of an alias are tried on.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AsIfArgs {
    /// For a call that counts on this feature
    #[arg(long, value_name = "NAME")]
    pub(crate) feature: Option<String>,
    /// For a call by a key of this team
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// For a call by a key of this environment
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// For a call whose request body is so large: `40KiB`
    #[arg(long, value_name = "SIZE")]
    pub(crate) input: Option<bedplate_core::setting::Size>,
}

/// `bedplate cache`.
#[derive(Subcommand, Debug)]
pub(crate) enum CacheCommand {
    /// How much is kept, and what was spared since the start
    Stats(ProjectArgs),
    /// Drop kept answers; from then on none of them is given
    #[command(after_help = "Examples:\n  bedplate cache purge --team support\n  bedplate cache purge --all")]
    Purge(PurgeArgs),
}

/// Which answers.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(false))]
pub(crate) struct PurgeArgs {
    /// All of them
    #[arg(long, group = "what")]
    pub(crate) all: bool,
    /// Those of a team
    #[arg(long, group = "what")]
    pub(crate) team: Option<String>,
    /// Those of a feature
    #[arg(long, group = "what")]
    pub(crate) feature: Option<String>,
    /// Those of a model, as callers name it
    #[arg(long, group = "what")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

/// `bedplate config`.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of bedplate.toml
    Schema,
    /// Print a page about every section and key
    Reference,
}

/// Parses, runs, and turns a failure into words and an exit code.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // help and version are no errors
            let code = if e.use_stderr() { 2 } else { 0 };
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.said.is_empty() {
                note(format!("error: {}", failure.said));
            }
            if let Some(hint) = &failure.hint {
                note(format!("  {hint}"));
            }
            failure.code()
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Up(args) => commands::up::run(args),
        Command::Run(args) => commands::run::run(args),
        Command::Key(command) => commands::key::run(command),
        Command::Budget(command) => commands::budget::run(command),
        Command::Calls(command) => commands::calls::run(command),
        Command::Model(command) => commands::model::run(command),
        Command::Limits(args) => commands::limits::run(&args),
        Command::Cache(command) => commands::cache::run(command),
        Command::Notify(command) => commands::notify::run(command),
        Command::Cost(command) => commands::cost::run(&command),
        Command::Check(args) => commands::check::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Explain { code, format } => commands::explain::run(&code, format),
        Command::Sim(args) => commands::sim::run(args),
        Command::Demo(command) => commands::demo::run(&command),
        Command::Conformance(args) => commands::conformance::run(&args),
        Command::Config(ConfigCommand::Schema) => commands::schema::run(),
        Command::Config(ConfigCommand::Reference) => commands::reference::run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut <Cli as clap::CommandFactory>::command(),
                "bedplate",
                &mut script,
            );
            crate::out::say(String::from_utf8_lossy(&script).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }
}
