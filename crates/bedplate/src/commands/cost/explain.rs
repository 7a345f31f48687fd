//! `bedplate cost explain`: why spending changed between two periods.

mod gather;
mod page;

use bedplate_core::clock::Timestamp;
use bedplate_core::spend::{Class, Dimension, SpendSums};
use bedplate_cost::explain::Parts;
use bedplate_cost::slots::Zone;
use clap::Args;

use super::range::{self, OnlyArgs, Opened, Range, RangeArgs, WhereArgs};
use crate::exit::Failure;
use crate::out::{Tabular, note, say};

pub(super) use page::{figures, label};

/// `bedplate cost explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// Explain each by itself: team, feature, model, …
    #[arg(long, value_name = "DIMENSION,…", value_delimiter = ',')]
    by: Vec<String>,
    #[command(flatten)]
    range: RangeArgs,
    /// When the period that it is compared with begins; default: the one just before, as long
    #[arg(long, value_name = "TIME")]
    against: Option<String>,
    /// How many have rows of their own, those that changed most; the others share one
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// How it is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Tabular,
    #[command(flatten)]
    place: WhereArgs,
    #[command(flatten)]
    only: OnlyArgs,
}

/// Two periods, and what changed.
pub(super) struct Explained {
    pub(super) zone: Zone,
    /// Before and after.
    pub(super) periods: [(Timestamp, Timestamp); 2],
    by: Vec<Dimension>,
    groups: Vec<Group>,
    pub(super) total: Group,
}

/// Calls that are explained together.
#[derive(Default)]
pub(super) struct Group {
    /// `None` for those that have no row of their own.
    names: Option<Vec<String>>,
    pub(super) parts: Parts,
    /// By class, before and after.
    sides: [Side; 2],
}

#[derive(Clone, Copy, Default)]
struct Side([SpendSums; Class::ALL.len()]);

impl Side {
    fn of(&self, class: Class) -> &SpendSums {
        &self.0[class as usize]
    }

    fn all(&self) -> SpendSums {
        let mut sums = SpendSums::default();
        self.0.iter().for_each(|class| sums.add(class));
        sums
    }
}

impl Group {
    fn add(&mut self, other: &Self) {
        self.parts.add(&other.parts);
        for (own, more) in self.sides.iter_mut().zip(&other.sides) {
            own.0.iter_mut().zip(&more.0).for_each(|(own, more)| own.add(more));
        }
    }

    pub(super) fn spent(&self) -> [i128; 2] {
        [self.sides[0].all().spent, self.sides[1].all().spent]
    }

    /// Whether there were any calls at all.
    pub(super) fn idle(&self) -> [bool; 2] {
        [0, 1].map(|n| self.sides[n].all() == SpendSums::default())
    }
}

pub(super) async fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let range = args.range.read()?;
    let (_, by) = range::by(&args.by, false)?;
    let only = args.only.read()?;
    let before = against(args.against.as_deref(), &range)?;
    let opened = args.place.open().await?;
    let mut explained = gather::explained(&opened, &range, before, by, only).await?;
    explained.keep(args.limit as usize);
    for (idle, (from, until)) in explained.total.idle().into_iter().zip(explained.periods) {
        if idle {
            note(format!("There are no such calls from {}.", range::stretch(&range.zone, from, until)));
        }
    }
    match args.format {
        Tabular::Human => Ok(say(page::tables(&explained))?),
        Tabular::Json => Ok(say(page::json(&explained))?),
        Tabular::Csv => Ok(say(page::csv(&explained))?),
    }
}

/// A range against the one just before it, as a report shows it.
pub(super) async fn before(
    opened: &Opened,
    range: &Range,
    only: &[(Dimension, String)],
) -> Result<Explained, Failure> {
    gather::explained(opened, range, against(None, range)?, Vec::new(), only.to_vec()).await
}

/// The other period, as long as the range.
fn against(said: Option<&str>, range: &Range) -> Result<(Timestamp, Timestamp), Failure> {
    let length = range.until.0 - range.from.0;
    let from = match said {
        None => Timestamp(range.from.0.saturating_sub(length)),
        Some(text) => range.zone.moment(text).map_err(Failure::usage)?,
    };
    let until = Timestamp(from.0.saturating_add(length));
    if from < range.until && range.from < until {
        return Err(Failure::usage(format!(
            "the two periods overlap: {} and {}",
            range::stretch(&range.zone, from, until),
            range.say()
        ))
        .hint("`--against` is when the other period begins; it is as long as the first."));
    }
    Ok((from, until))
}

impl Explained {
    /// Sums up all groups but those that changed most.
    fn keep(&mut self, limit: usize) {
        let change = |group: &Group| group.parts.sum().abs();
        self.groups.sort_by(|a, b| change(b).cmp(&change(a)).then_with(|| a.names.cmp(&b.names)));
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for group in std::mem::take(&mut self.groups) {
            let own = group.names.is_some() && kept.len() < limit;
            if own { &mut kept } else { &mut others }.push(group);
        }
        if !others.is_empty() {
            let mut rest = Group::default();
            others.iter().for_each(|group| rest.add(group));
            kept.push(rest);
        }
        self.groups = kept;
    }
}
