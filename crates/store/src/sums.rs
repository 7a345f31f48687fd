//! Roll-ups: what a batch adds to the sums by day.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::Total;
use bedplate_core::record::{CallRow, Ending};
use bedplate_core::usage::{Unit, Usage};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use crate::day::Day;
use crate::rows::clean;

pub(crate) const SUM_COLUMNS: &str = "day, team, feature, environment, model, calls, refused, input, cache_read, \
     cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, unpriced";

/// What to do with a line that is there already. The same words for every database.
pub(crate) const ADD_SUMS: &str = " ON CONFLICT (day, team, feature, environment, model) DO UPDATE SET \
     calls = usage_day.calls + excluded.calls, refused = usage_day.refused + excluded.refused, \
     input = usage_day.input + excluded.input, cache_read = usage_day.cache_read + excluded.cache_read, \
     cache_write_5m = usage_day.cache_write_5m + excluded.cache_write_5m, \
     cache_write_1h = usage_day.cache_write_1h + excluded.cache_write_1h, \
     output = usage_day.output + excluded.output, \
     reasoning = CASE WHEN usage_day.reasoning IS NULL THEN excluded.reasoning \
                      ELSE usage_day.reasoning + COALESCE(excluded.reasoning, 0) END, \
     cost_nanos = usage_day.cost_nanos + excluded.cost_nanos, \
     unpriced = usage_day.unpriced + excluded.unpriced";

pub(crate) const UNIT_COLUMNS: &str = "day, team, feature, environment, model, unit, quantity";

pub(crate) const ADD_UNITS: &str = " ON CONFLICT (day, team, feature, environment, model, unit) DO UPDATE SET \
     quantity = usage_day_unit.quantity + excluded.quantity";

/// Reads the days from `$1` to `$2`, in order of their lines and then of what `more` names.
pub(crate) fn select_sums(columns: &str, table: &str, more: &str) -> String {
    format!(
        "SELECT {columns} FROM {table} WHERE day BETWEEN $1 AND $2 \
         ORDER BY day, team, feature, environment, model{more}"
    )
}

/// The longest name in a sum, in bytes: five of them are the key of an index.
const LONGEST: usize = 256;
/// The most that one call adds to a sum: a million million tokens, a million dollars. An upstream
/// that reports nonsense must not make the sums overflow.
pub(crate) const MOST: u64 = 1_000_000_000_000;
const DEAREST: i64 = 1_000_000_000_000_000;

/// Which line a call is counted on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) day: i64,
    pub(crate) team: Cow<'a, str>,
    pub(crate) feature: Cow<'a, str>,
    pub(crate) environment: Cow<'a, str>,
    pub(crate) model: Cow<'a, str>,
}

impl<'a> Line<'a> {
    fn of(call: &'a CallRow) -> Self {
        fn name(text: &str) -> Cow<'_, str> {
            clean(&text[..text.floor_char_boundary(LONGEST)])
        }

        Self {
            day: Day::of(call.admitted_at).number(),
            team: name(&call.team),
            feature: name(&call.feature),
            environment: name(&call.environment),
            // who is not recognised may make names up, and lines are kept for ever
            model: if call.key.is_some() { name(&call.model) } else { Cow::Borrowed("") },
        }
    }
}

/// What is added to a line.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sum {
    pub(crate) calls: i64,
    pub(crate) refused: i64,
    pub(crate) input: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write_5m: i64,
    pub(crate) cache_write_1h: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: Option<i64>,
    pub(crate) cost_nanos: i64,
    pub(crate) unpriced: i64,
    /// By the unit's stored name.
    pub(crate) units: BTreeMap<String, i64>,
}

/// Sums of calls, in the order of their lines: whoever adds them in this order cannot wait in a
/// circle with another who does.
pub(crate) fn sums<'a>(calls: impl Iterator<Item = &'a CallRow>) -> BTreeMap<Line<'a>, Sum> {
    let mut sums = BTreeMap::<Line<'_>, Sum>::new();
    for call in calls {
        sums.entry(Line::of(call)).or_default().add(call);
    }
    sums
}

impl Sum {
    fn add(&mut self, call: &CallRow) {
        let usage = &call.usage;
        self.calls += 1;
        self.refused += i64::from(call.ending == Ending::Refused);
        self.input += part(usage.input);
        self.cache_read += part(usage.cache_read);
        self.cache_write_5m += part(usage.cache_write_5m);
        self.cache_write_1h += part(usage.cache_write_1h);
        self.output += part(usage.output);
        if let Some(reasoning) = usage.reasoning {
            *self.reasoning.get_or_insert(0) += part(reasoning);
        }
        self.cost_nanos += call.cost.priced().0.clamp(-DEAREST, DEAREST);
        self.unpriced += i64::from(!call.cost.is_known());
        for (unit, n) in &usage.units {
            *self.units.entry(unit_name(*unit)).or_default() += part(*n);
        }
    }
}

fn part(n: u64) -> i64 {
    crate::rows::count(n.min(MOST))
}

/// A unit's name is its name in JSON.
fn unit_name(unit: Unit) -> String {
    match serde_json::to_value(unit) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// A line of sums, read back without its units.
pub(crate) struct StoredSum {
    pub(crate) line: Line<'static>,
    pub(crate) total: Total,
}

impl StoredSum {
    /// Adds what is not counted in tokens. A unit that only a newer version knows is an error: left
    /// out, the total would be wrong.
    pub(crate) fn add_unit(&mut self, unit: &str, quantity: i64) -> Result<(), sqlx::Error> {
        let unit = serde_json::from_value::<Unit>(unit.into()).map_err(|e| sqlx::Error::Decode(e.into()))?;
        self.total.usage.units.push((unit, u64::try_from(quantity).unwrap_or(0)));
        Ok(())
    }
}

impl<'r, R: Row> FromRow<'r, R> for StoredSum
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let count = |column: &str| row.try_get::<i64, _>(column).map(|n| u64::try_from(n).unwrap_or(0));
        let line = line(row)?;
        let unpriced = count("unpriced")?;
        let nanos = Nanos(row.try_get("cost_nanos")?);
        let total = Total {
            day: Day::from_number(line.day).map_or(Timestamp(0), Day::start),
            team: line.team.clone().into_owned(),
            feature: line.feature.clone().into_owned(),
            environment: line.environment.clone().into_owned(),
            model: line.model.clone().into_owned(),
            calls: count("calls")?,
            refused: count("refused")?,
            usage: Usage {
                input: count("input")?,
                cache_read: count("cache_read")?,
                cache_write_5m: count("cache_write_5m")?,
                cache_write_1h: count("cache_write_1h")?,
                output: count("output")?,
                reasoning: row.try_get::<Option<i64>, _>("reasoning")?.map(|n| u64::try_from(n).unwrap_or(0)),
                units: Vec::new(),
            },
            cost: if unpriced == 0 { Cost::Known(nanos) } else { Cost::Unknown(nanos) },
            unpriced,
        };
        Ok(Self { line, total })
    }
}

/// A unit's line, read back.
pub(crate) struct StoredUnit {
    pub(crate) line: Line<'static>,
    pub(crate) unit: String,
    pub(crate) quantity: i64,
}

impl<'r, R: Row> FromRow<'r, R> for StoredUnit
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self { line: line(row)?, unit: row.try_get("unit")?, quantity: row.try_get("quantity")? })
    }
}

fn line<'r, R: Row>(row: &'r R) -> Result<Line<'static>, sqlx::Error>
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Line {
        day: row.try_get("day")?,
        team: row.try_get::<String, _>("team")?.into(),
        feature: row.try_get::<String, _>("feature")?.into(),
        environment: row.try_get::<String, _>("environment")?.into(),
        model: row.try_get::<String, _>("model")?.into(),
    })
}

/// Puts lines and units, both in order, together.
pub(crate) fn join(mut sums: Vec<StoredSum>, units: Vec<StoredUnit>) -> Result<Vec<Total>, sqlx::Error> {
    let mut at = 0;
    for unit in units {
        while at < sums.len() && sums[at].line < unit.line {
            at += 1;
        }
        if let Some(sum) = sums.get_mut(at).filter(|s| s.line == unit.line) {
            sum.add_unit(&unit.unit, unit.quantity)?;
        }
    }
    Ok(sums.into_iter().map(|s| s.total).collect())
}
