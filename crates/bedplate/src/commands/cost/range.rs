//! Which calls, and when: what `report` and `explain` have in common.

use std::path::PathBuf;

use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_core::ports::Ledger;
use bedplate_core::setting::Span;
use bedplate_core::spend::{Dimension, SpendAsk, SpendLine};
use bedplate_cost::slots::{Step, Zone};
use clap::Args;

use crate::app::Offline;
use crate::exit::Failure;
use crate::out::Progress;
use crate::project::Project;
use crate::settings::{Settings, nearest};

/// Over what time.
#[derive(Args, Debug)]
pub(crate) struct RangeArgs {
    /// How far back from now: 7d, 24h; default: 7d
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "until"])]
    since: Option<Span>,
    /// The first moment, in --zone: 2026-11-01, 2026-11-01T14:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before which moment it ends; default: now
    #[arg(long, value_name = "TIME", requires = "from")]
    until: Option<String>,
    /// Where days begin: Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
}

/// Which calls alone.
#[derive(Args, Debug)]
#[command(next_help_heading = "Only calls of")]
pub(crate) struct OnlyArgs {
    /// A team
    #[arg(long)]
    team: Option<String>,
    /// A feature
    #[arg(long)]
    feature: Option<String>,
    /// An environment
    #[arg(long = "env", visible_alias = "environment", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// A key, by its id
    #[arg(long)]
    key: Option<String>,
    /// A model that was called
    #[arg(long)]
    model: Option<String>,
    /// Anything else, by its name: operation=Converse; may be repeated
    #[arg(long, value_name = "DIMENSION=VALUE")]
    only: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct WhereArgs {
    /// The project directory: it holds bedplate.toml and .bedplate/
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

/// A stretch of time, read.
pub(crate) struct Range {
    pub(crate) zone: Zone,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) now: Timestamp,
}

const WEEK: i64 = 7 * 86_400_000_000;

impl RangeArgs {
    pub(crate) fn read(&self) -> Result<Range, Failure> {
        let zone = Zone::read(&self.zone).map_err(Failure::usage)?;
        let now = SystemClock::shared().now();
        let moment = |text: &String| zone.moment(text).map_err(Failure::usage);
        let until = self.until.as_ref().map_or(Ok(now), moment)?;
        let from = match (&self.from, self.since) {
            (Some(from), _) => moment(from)?,
            (None, Some(Span(length))) if length.is_zero() => {
                return Err(
                    Failure::usage("`--since` is no time at all").hint("Write how far back: `--since 7d`.")
                );
            }
            (None, Some(Span(length))) => now.minus(length),
            (None, None) => Timestamp(now.0 - WEEK),
        };
        let said = |at| zone.show(at);
        if from >= now {
            return Err(Failure::usage(format!("`--from` ({}) is in the future", said(from))).hint(format!(
                "It is {} in {} now.",
                said(now),
                zone.name()
            )));
        }
        if from >= until {
            return Err(Failure::usage(format!(
                "`--from` ({}) is not before `--until` ({})",
                said(from),
                said(until)
            ))
            .hint(
                "`--until` is the first moment that no longer counts: for one day write the day after it.",
            ));
        }
        Ok(Range { zone, from, until, now })
    }
}

impl Range {
    /// For people: `2026-11-15 14:05 to 2026-11-22 14:05 (UTC)`.
    pub(crate) fn say(&self) -> String {
        stretch(&self.zone, self.from, self.until)
    }
}

pub(crate) fn stretch(zone: &Zone, from: Timestamp, until: Timestamp) -> String {
    format!("{} to {} ({})", zone.show(from), zone.show(until), zone.name())
}

impl OnlyArgs {
    pub(crate) fn read(&self) -> Result<Vec<(Dimension, String)>, Failure> {
        let named = [
            (Dimension::Team, self.team.as_deref()),
            (Dimension::Feature, self.feature.as_deref()),
            (Dimension::Environment, self.environment.as_deref()),
            (Dimension::Key, self.key.as_deref()),
            (Dimension::Model, self.model.as_deref()),
        ];
        let mut only: Vec<_> =
            named.into_iter().filter_map(|(of, value)| Some((of, value?.to_owned()))).collect();
        for said in &self.only {
            let (name, value) = said.split_once('=').ok_or_else(|| {
                Failure::usage(format!("`--only {said}` names no value"))
                    .hint("Write `--only operation=Converse`.")
            })?;
            let of = name.trim().parse().map_err(|()| unknown(name.trim(), &[]))?;
            only.push((of, value.to_owned()));
        }
        Ok(only)
    }
}

/// What is summed by: `feature,model`, and at most one step of time.
pub(crate) fn by(names: &[String], steps: bool) -> Result<(Option<Step>, Vec<Dimension>), Failure> {
    let (mut step, mut by) = (None, Vec::new());
    for name in names.iter().map(|name| name.trim()) {
        let said = if steps { Step::ALL.into_iter().find(|step| step.name() == name) } else { None };
        match (said, step) {
            (Some(said), None) => step = Some(said),
            (Some(said), Some(other)) => {
                let other: Step = other;
                return Err(Failure::usage(format!("`--by` names `{}` and `{}`", other.name(), said.name()))
                    .hint("Time is cut in one way: name one of hour, day, week, month."));
            }
            (None, _) => {
                let of: Dimension =
                    name.parse().map_err(|()| unknown(name, if steps { &Step::ALL } else { &[] }))?;
                if by.contains(&of) {
                    return Err(Failure::usage(format!("`--by` names `{name}` twice")));
                }
                by.push(of);
            }
        }
    }
    Ok((step, by))
}

fn unknown(name: &str, steps: &[Step]) -> Failure {
    let names: Vec<&str> =
        Dimension::ALL.iter().map(|of| of.name()).chain(steps.iter().map(|step| step.name())).collect();
    let near = nearest::of(name, names.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Failure::usage(format!("calls are not known by `{name}`{near}"))
        .hint(format!("Known are: {}.", names.join(", ")))
}

impl WhereArgs {
    pub(crate) async fn open(&self) -> Result<Opened, Failure> {
        let project = Project::open(&self.project)?;
        let settings = Settings::load(&project)?;
        let ledger = Offline::open(&project, &settings).await?.ledger;
        Ok(Opened { ledger, project, settings })
    }
}

/// A project's ledger.
pub(crate) struct Opened {
    pub(crate) ledger: std::sync::Arc<dyn Ledger>,
    pub(crate) project: Project,
    pub(crate) settings: Settings,
}

impl Opened {
    /// Asks, and says on a terminal how far it has come.
    pub(crate) async fn spend(&self, ask: &SpendAsk) -> Result<Vec<SpendLine>, Failure> {
        let progress = Progress::new("summing calls");
        let lines = self.ledger.spend(ask, &|done, of| progress.tell(done, of)).await;
        progress.done();
        Ok(lines?)
    }
}
