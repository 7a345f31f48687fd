//! `bedplate cost report`: what calls came to, by what they have in common.

mod chart;
mod html;
mod page;
mod sheet;

use std::path::PathBuf;

use bedplate_core::clock::Timestamp;
use bedplate_core::spend::{Dimension, SpendAsk, SpendSums};
use bedplate_cost::slots::{Slot, Step};
use clap::{Args, ValueEnum};

use super::explain;
use super::range::{self, OnlyArgs, Opened, Range, RangeArgs, WhereArgs};
use crate::exit::Failure;
use crate::out::{note, say};

/// `bedplate cost report`.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// What to sum by: team, feature, environment, key, user, chain, prompt, alias, model, operation, provider, region,
    /// account, tier, outcome, code, prices, class; and one of hour, day, week, month
    #[arg(long, value_name = "DIMENSION,…", value_delimiter = ',', default_value = "team,feature")]
    by: Vec<String>,
    #[command(flatten)]
    range: RangeArgs,
    /// How many combinations have rows of their own, the dearest; the others share one
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// How it is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Kind,
    /// Where it is written; default: standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: WhereArgs,
    #[command(flatten)]
    only: OnlyArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Kind {
    /// A table, rounded.
    #[default]
    #[value(alias = "table")]
    Human,
    /// One JSON object, exact.
    Json,
    /// Comma-separated values with a line of names, exact.
    Csv,
    /// One page with charts that needs nothing else.
    Html,
}

/// Everything that is said, whatever the format.
struct Report {
    range: Range,
    only: Vec<(Dimension, String)>,
    step: Option<Step>,
    by: Vec<Dimension>,
    slots: Vec<Slot>,
    rows: Vec<Row>,
    total: SpendSums,
    limit: u32,
}

struct Row {
    slot: usize,
    /// `None` for what has no row of its own.
    names: Option<Vec<String>>,
    sums: SpendSums,
}

/// The most rows there can be.
const MOST: usize = 200_000;

pub(super) async fn run(args: &ReportArgs) -> Result<(), Failure> {
    let range = args.range.read()?;
    let (step, by) = range::by(&args.by, true)?;
    let only = args.only.read()?;
    let slots = slots(&range, step);
    if slots.len().saturating_mul(args.limit as usize + 1) > MOST {
        return Err(Failure::usage(format!(
            "{} stretches of time with {} rows each are too many",
            slots.len(),
            args.limit
        ))
        .hint("Cut time in longer steps, ask for a shorter time, or lower `--limit`."));
    }
    let opened = args.place.open().await?;
    let ask = SpendAsk { slots: bounds(&slots), by: by.clone(), only: only.clone(), top: args.limit };
    let report = Report::of(&opened, ask, slots, range, step).await?;
    let text = match args.format {
        Kind::Human => page::table(&report),
        Kind::Json => page::json(&report),
        Kind::Csv => page::csv(&report),
        Kind::Html => {
            let over_time = over_time(&opened, &report).await?;
            let change = explain::before(&opened, &report.range, &report.only).await?;
            html::page(&report, &over_time, &change)
        }
    };
    if report.total == SpendSums::default() {
        note(format!("There are no such calls from {}.", report.range.say()));
    }
    match &args.output {
        None => Ok(say(text)?),
        Some(file) => std::fs::write(file, text + "\n")
            .map_err(|e| Failure::usage(format!("`{}` cannot be written: {e}", file.display()))),
    }
}

fn slots(range: &Range, step: Option<Step>) -> Vec<Slot> {
    match step {
        Some(step) => range.zone.slots(step, range.from, range.until),
        None => vec![Slot { from: range.from, until: range.until, name: String::new() }],
    }
}

fn bounds(slots: &[Slot]) -> Vec<(Timestamp, Timestamp)> {
    slots.iter().map(|slot| (slot.from, slot.until)).collect()
}

impl Report {
    async fn of(
        opened: &Opened,
        ask: SpendAsk,
        slots: Vec<Slot>,
        range: Range,
        step: Option<Step>,
    ) -> Result<Self, Failure> {
        let mut total = SpendSums::default();
        let mut rows = Vec::new();
        for line in opened.spend(&ask).await? {
            total.add(&line.sums);
            rows.push(Row { slot: line.slot, names: line.names, sums: line.sums });
        }
        let SpendAsk { by, only, top, .. } = ask;
        Ok(Self { range, only, step, by, slots, rows, total, limit: top })
    }

    /// What a row is called: its stretch of time, where time is cut, and its values.
    fn names<'a>(&'a self, row: &'a Row) -> Vec<&'a str> {
        let time = self.step.map(|_| self.slots[row.slot].name.as_str());
        let names = (0..self.by.len()).map(|n| match &row.names {
            Some(names) => names[n].as_str(),
            None if n == 0 => OTHERS,
            None => "",
        });
        time.into_iter().chain(names).collect()
    }

    fn heads(&self) -> Vec<&'static str> {
        self.step.map(Step::name).into_iter().chain(self.by.iter().map(|of| of.name())).collect()
    }
}

/// All that have no row of their own.
const OTHERS: &str = "(others)";

/// The same calls over time, by what the report is first by.
struct OverTime {
    slots: Vec<Slot>,
    /// By the dearest values; `None` for all others. The second is the number of the slot.
    lines: Vec<(usize, Option<String>, SpendSums)>,
    of: Option<Dimension>,
    step: Step,
}

/// How many values have a colour of their own.
const COLOURS: u32 = 6;

async fn over_time(opened: &Opened, report: &Report) -> Result<OverTime, Failure> {
    let length = report.range.until.0 - report.range.from.0;
    let step = Step::ALL.into_iter().find(|step| length / step.length() <= 62).unwrap_or(Step::Month);
    let slots = slots(&report.range, Some(step));
    let of = report.by.first().copied();
    let (by, only) = (of.into_iter().collect(), report.only.clone());
    let ask = SpendAsk { slots: bounds(&slots), by, only, top: COLOURS };
    let lines = opened.spend(&ask).await?.into_iter();
    let lines = lines.map(|line| (line.slot, line.names.map(|n| n.concat()), line.sums)).collect();
    Ok(OverTime { slots, lines, of, step })
}
