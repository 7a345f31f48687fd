//! The command line of `bedplate budget`.

use bedplate_core::setting::Span;
use bedplate_cost::budget::{BudgetConfig, Dimension, Limit, Rung, Scope};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::cli::ProjectArgs;
use crate::exit::Failure;

/// `bedplate budget`.
#[derive(Subcommand, Debug)]
pub(crate) enum BudgetCommand {
    /// Make a budget; takes effect within a second
    #[command(
        after_help = "Examples:\n  bedplate budget create support --limit \"250 USD\" --team support --zone Europe/Berlin\n  bedplate budget create each-key --limit \"2000000 tokens\" --period \"rolling 24h\" --kind soft --key '*'"
    )]
    Create(Box<CreateArgs>),
    /// List the budgets that stand
    List(ProjectArgs),
    /// Remove a budget that was made here; what was spent stays
    #[command(after_help = "Example:\n  bedplate budget remove support")]
    Remove {
        /// The budget
        name: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Where budgets stand: limit, settled, held, unknown, left, and when that resets
    #[command(
        after_help = "Examples:\n  bedplate budget status\n  bedplate budget status support --format json"
    )]
    Status {
        /// One budget, with all its accounts
        name: Option<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// What was spent in periods that are over
    #[command(after_help = "Example:\n  bedplate budget history support --since 90d")]
    History {
        /// The budget
        name: String,
        /// How far back: 90d, 12h
        #[arg(long, value_name = "TIME", default_value = "90d")]
        since: Span,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Why a budget blocked a call, and what would have made it fit
    #[command(after_help = "Example:\n  bedplate budget why-blocked 0199f0c4-7d5e-7c1a-9b0e-2f6a1c3d4e5f")]
    WhyBlocked {
        /// The call's id, from x-bedplate-call-id
        call_id: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// List what is unknown of a budget; with --spent, decide how much of it was spent
    #[command(
        after_help = "Examples:\n  bedplate budget reconcile support\n  bedplate budget reconcile support --node 4f1c… --spent \"0.02 USD\""
    )]
    Reconcile(ReconcileArgs),
}

/// A new budget.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// 1 to 64 of a-z, 0-9, - and _
    name: String,
    /// "250 USD" or "5000000 tokens"
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true)]
    limit: Limit,
    /// day, week, month, quarter, year, or "rolling 24h"
    #[arg(long, default_value = "month")]
    period: String,
    /// Where a calendar period's midnight is: Europe/Berlin
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// hard is never exceeded; soft may be by a little, and SDKs retry
    #[arg(long, default_value = "hard", value_parser = ["hard", "soft"])]
    kind: String,
    /// The team it concerns; '*' counts each by itself
    #[arg(long)]
    team: Option<String>,
    /// The feature, or '*'
    #[arg(long)]
    feature: Option<String>,
    /// The environment, or '*'
    #[arg(long = "env", visible_alias = "environment", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// The key's id, or '*'
    #[arg(long)]
    key: Option<String>,
    /// The model's name as callers use it
    #[arg(long)]
    alias: Option<String>,
    /// Rungs upwards: 80%=warn,100%=block
    #[arg(long, value_name = "RUNGS", value_delimiter = ',')]
    ladder: Vec<String>,
    /// What happens when the ledger cannot be asked; default: slice for hard, open for soft
    #[arg(long, value_parser = ["closed", "slice", "open"])]
    outage: Option<String>,
    /// Calls whose price is unknown; default: refuse for hard budgets in USD, else allow
    #[arg(long, value_parser = ["refuse", "allow"])]
    unpriced: Option<String>,
    #[command(flatten)]
    pub(super) project: ProjectArgs,
}

/// `bedplate budget reconcile`.
#[derive(Args, Debug)]
pub(crate) struct ReconcileArgs {
    /// The budget
    pub(super) name: String,
    /// How much of what is unknown was spent: "0.02 USD", "0 USD"; the rest is free again
    #[arg(long, value_name = "AMOUNT")]
    pub(super) spent: Option<String>,
    /// Only of this node
    #[arg(long)]
    pub(super) node: Option<String>,
    /// Only of the window that began then: 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(super) window: Option<String>,
    /// Only of this account: team=support
    #[arg(long)]
    pub(super) account: Option<String>,
    #[command(flatten)]
    pub(super) project: ProjectArgs,
}

impl CreateArgs {
    /// What would stand in bedplate.toml.
    pub(super) fn config(&self) -> Result<BudgetConfig, Failure> {
        let dimension = |said: &Option<String>| said.as_deref().map(|value| Dimension(value.into()));
        let scope = Scope {
            team: dimension(&self.team),
            feature: dimension(&self.feature),
            environment: dimension(&self.environment),
            key: dimension(&self.key),
            alias: dimension(&self.alias),
        };
        let mut config = json!({
            "name": self.name, "scope": scope, "limit": self.limit, "period": self.period, "zone": self.zone,
            "kind": self.kind, "outage": self.outage, "unpriced": self.unpriced,
        });
        if !self.ladder.is_empty() {
            config["ladder"] =
                json!(self.ladder.iter().map(|said| rung(said)).collect::<Result<Vec<_>, _>>()?);
        }
        read(config)
    }
}

/// `80%=warn`.
fn rung(said: &str) -> Result<Rung, Failure> {
    let (at, step) = said.split_once('=').ok_or_else(|| {
        Failure::usage(format!("`{said}` is not a rung: write how full and what happens, `80%=warn`"))
    })?;
    read(json!({ "at": at.trim(), "do": step.trim() }))
}

fn read<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(Failure::usage)
}
