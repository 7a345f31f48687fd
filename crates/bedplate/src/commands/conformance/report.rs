//! What is printed: a table and the differences for people, one JSON object for programs.

use std::fmt;
use std::process::ExitCode;

use bedplate_core::money::{Cost, Nanos};
use serde_json::{Value, json};

use super::budget::Budget;
use super::checks::Check;
use super::compare::Difference;
use crate::exit::Failure;
use crate::out::{self, Format, say, table};

/// How a check went.
pub(super) enum Verdict {
    Same,
    Differs,
    /// And why.
    NotRun(String),
}

impl Verdict {
    pub(super) fn ran(&self) -> bool {
        !matches!(self, Self::NotRun(_))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::NotRun(_) => "not run",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun(why) => write!(f, "not run: {why}"),
            _ => f.write_str(self.name()),
        }
    }
}

/// One check's result.
pub(super) struct Row {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// The optional ones too.
    pub(super) differences: Vec<Difference>,
    pub(super) cost: Nanos,
}

impl Row {
    pub(super) fn not_run(check: &'static str, why: impl Into<String>) -> Self {
        let verdict = Verdict::NotRun(why.into());
        Self { check, verdict, differences: Vec::new(), cost: Nanos::ZERO }
    }

    fn json(&self) -> Value {
        let (optional, counted): (Vec<_>, Vec<_>) =
            self.differences.iter().partition(|d| d.optional.is_some());
        let mut row = json!({
            "check": self.check,
            "result": self.verdict.name(),
            "differences": counted,
            "optional": optional,
            "cost_nanos": self.cost,
        });
        if let Verdict::NotRun(why) = &self.verdict {
            row["why"] = json!(why);
        }
        row
    }
}

/// All results.
pub(super) struct Report {
    target: String,
    rows: Vec<Row>,
    spent: Nanos,
    most: Nanos,
}

impl Report {
    pub(super) fn new(target: String, rows: Vec<Row>, spent: Nanos, most: Nanos) -> Self {
        Self { target, rows, spent, most }
    }

    /// Prints, and gives the exit code: 0 no differences, 1 differences, 5 when no check could be run.
    pub(super) fn print(&self, format: Format) -> Result<ExitCode, Failure> {
        match format {
            Format::Json => out::json(&self.json())?,
            Format::Human => self.human()?,
        }
        Ok(ExitCode::from(match self.count("differs") {
            0 if self.rows.iter().any(|r| r.verdict.ran()) => 0,
            0 => 5,
            _ => 1,
        }))
    }

    fn json(&self) -> Value {
        json!({
            "target": self.target,
            "checks": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "summary": {
                "same": self.count("same"),
                "differs": self.count("differs"),
                "not_run": self.count("not run"),
                "differences": self.differences(),
                "cost_nanos": self.spent,
                "max_cost_nanos": self.most,
            },
        })
    }

    fn human(&self) -> Result<(), Failure> {
        let mut table = table(&["CHECK", "RESULT", "COST"]);
        for row in &self.rows {
            let cost = if row.cost == Nanos::ZERO { "-".to_owned() } else { row.cost.to_string() };
            table.add_row([row.check.to_owned(), row.verdict.to_string(), cost]);
        }
        say(table.trim_fmt())?;
        for row in self.rows.iter().filter(|r| !r.differences.is_empty()) {
            say(format!("\n{}", row.check))?;
            for d in &row.differences {
                let reason = d.optional.map_or_else(String::new, |why| format!(" (optional: {why})"));
                say(format!("  {}: simulator {}, target {}{reason}", d.path, d.simulator, d.target))?;
            }
        }
        say(format!(
            "\n{} against the simulator: {} same, {} differ, {} not run; {} of {} spent",
            self.target,
            self.count("same"),
            self.count("differs"),
            self.count("not run"),
            self.spent,
            self.most,
        ))?;
        Ok(())
    }

    fn count(&self, verdict: &str) -> usize {
        self.rows.iter().filter(|r| r.verdict.name() == verdict).count()
    }

    fn differences(&self) -> usize {
        self.rows.iter().flat_map(|r| &r.differences).filter(|d| d.optional.is_none()).count()
    }
}

/// The checks, without running them.
pub(super) fn list(checks: &[Check], budget: &Budget, format: Format) -> Result<(), Failure> {
    let mut table = table(&["CHECK", "OPERATION", "MODEL", "AT MOST"]);
    let mut sum = Cost::FREE;
    for check in checks {
        let worst = budget.worst(check);
        sum = sum.plus(worst);
        let model = if check.model.is_empty() { "-" } else { &check.model };
        match format {
            Format::Json => out::json(&json!({
                "check": check.name,
                "operation": check.operation.name(),
                "model": check.model,
                "at_most": worst,
            }))?,
            Format::Human => {
                table.add_row([check.name, check.operation.name(), model, &worst.to_string()]);
            }
        }
    }
    if format == Format::Human {
        say(table.trim_fmt())?;
        say(format!("\n{} checks, {sum} at most; --max-cost is {}", checks.len(), budget.most()))?;
    }
    Ok(())
}
