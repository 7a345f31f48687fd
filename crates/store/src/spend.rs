//! Spending, summed by the database: day by day into a table of the connection, and from there into lines.
//!
//! A day's calls are read once, whatever is asked for. Most calls have one attempt, whose sums are the call's own: their
//! JSON is looked into only for what no column says. What no text of a member can hold stands before each look: a search
//! for letters is several times cheaper than reading JSON.

mod entry;
mod names;

use bedplate_core::clock::Timestamp;
use bedplate_core::spend::{Dimension, SpendAsk, SpendLine, SpendSums};
use sqlx::{ColumnIndex, Decode, Row, Type};

use self::entry::{COUNTS, MONEY};
use crate::day::Day;
use crate::rows::{bounded, clean};

/// How long one part may take. Nobody waits for it but who asked.
pub(crate) const LONGEST: std::time::Duration = std::time::Duration::from_secs(600);

/// Which database the words are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tongue {
    Sqlite,
    Postgres,
}

/// A stretch of one slot within one day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) day: Day,
    pub(crate) slot: usize,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// What of `days`, newest first, the slots cover; oldest first.
pub(crate) fn pieces(ask: &SpendAsk, days: &[Day]) -> Vec<Piece> {
    let mut out = Vec::new();
    for &day in days.iter().rev() {
        for (slot, &(from, until)) in ask.slots.iter().enumerate() {
            let (from, until) = (from.max(day.start()), until.min(day.end()));
            if from < until {
                out.push(Piece { day, slot, from, until });
            }
        }
    }
    out
}

/// Makes the table of parts, and takes away one that is there.
pub(crate) fn make(ask: &SpendAsk, tongue: Tongue) -> String {
    let text = match tongue {
        Tongue::Sqlite => "TEXT",
        // by bytes, as everywhere
        Tongue::Postgres => "TEXT COLLATE \"C\"",
    };
    let mut columns = vec!["slot BIGINT".to_owned()];
    columns.extend(keys(ask).map(|key| format!("{key} {text}")));
    columns.extend(sum_columns().map(|column| format!("{column} BIGINT")));
    format!("DROP TABLE IF EXISTS spend_part; CREATE TEMP TABLE spend_part ({});", columns.join(", "))
}

/// Sums a piece of a day. Binds the slot, the piece's ends, and then the values of [`SpendAsk::only`].
pub(crate) fn fill(ask: &SpendAsk, day: Day, tongue: Tongue) -> String {
    let mut inner: Vec<String> =
        keys(ask).zip(values(ask, tongue)).map(|(key, value)| format!("{value} AS {key}")).collect();
    inner.extend(COUNTS.iter().chain(&MONEY).map(|(name, sql)| format!("{} AS {name}", sql(tongue))));
    let only: String = (4..)
        .zip(&ask.only)
        .map(|(n, (of, _))| format!(" AND {} = ${n}", names::value(*of, tongue)))
        .collect();
    let mut sums: Vec<String> = COUNTS.iter().map(|(name, _)| sum(name, tongue)).collect();
    for (name, _) in &MONEY {
        // in two parts, so that no sum can be more than the database can hold
        sums.push(sum(&format!("{name} / 1000000000"), tongue));
        sums.push(sum(&format!("{name} % 1000000000"), tongue));
    }
    let keys: Vec<String> = keys(ask).collect();
    let keys = keys.join(", ");
    let slot = match tongue {
        Tongue::Sqlite => "$1",
        Tongue::Postgres => "$1::bigint",
    };
    format!(
        "INSERT INTO spend_part SELECT {slot}, {keys}, {} FROM (SELECT {} FROM {} WHERE TRUE{only} {}) AS e GROUP BY {keys}",
        sums.join(", "),
        inner.join(", "),
        entry::from(ask, day, tongue),
        entry::once(tongue),
    )
}

/// The values that [`fill`] binds after the slot and the ends.
pub(crate) fn bound(ask: &SpendAsk) -> impl Iterator<Item = String> + '_ {
    ask.only.iter().map(|(of, value)| match of {
        Dimension::Team | Dimension::Feature | Dimension::Environment | Dimension::Key | Dimension::Chain => {
            bounded(value).into_owned()
        }
        _ => clean(value).into_owned(),
    })
}

/// Reads the lines. Binds how many combinations have lines of their own.
pub(crate) fn read(ask: &SpendAsk, tongue: Tongue) -> String {
    let keys: Vec<String> = keys(ask).collect();
    let same: Vec<String> = keys.iter().map(|key| format!("p.{key} = r.{key}")).collect();
    let own: Vec<String> =
        keys.iter().map(|key| format!("MIN(CASE WHEN r.place <= $1 THEN p.{key} END) AS {key}")).collect();
    let sums: Vec<String> =
        sum_columns().map(|column| sum_as(&format!("p.{column}"), &column, tongue)).collect();
    let total =
        |of: &str| format!("SUM({of}_hi) + SUM({of}_lo) / 1000000000 DESC, SUM({of}_lo) % 1000000000 DESC");
    let keys = keys.join(", ");
    format!(
        "WITH r AS MATERIALIZED (SELECT {keys}, ROW_NUMBER() OVER (ORDER BY {}, {}, SUM(calls) DESC, {keys}) AS place \
         FROM spend_part GROUP BY {keys}) \
         SELECT p.slot AS slot, CASE WHEN r.place <= $1 THEN r.place ELSE $1 + 1 END AS rank, {}, {} \
         FROM spend_part AS p JOIN r ON {} GROUP BY 1, 2 ORDER BY 1, 2",
        total("spent"),
        total("avoided"),
        own.join(", "),
        sums.join(", "),
        same.join(" AND "),
    )
}

/// One line of [`read`].
pub(crate) fn line<'r, R: Row>(ask: &SpendAsk, row: &'r R) -> Result<SpendLine, sqlx::Error>
where
    for<'a> &'a str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |column: &str| row.try_get::<i64, _>(column);
    let count = |column: &str| number(column).map(|n| u64::try_from(n).unwrap_or(0));
    let money = |name: &str| {
        let high = i128::from(number(&format!("{name}_hi"))?);
        Ok::<_, sqlx::Error>(high * 1_000_000_000 + i128::from(number(&format!("{name}_lo"))?))
    };
    let own = number("rank")? <= i64::from(ask.top);
    let names =
        || ask.by.iter().zip(keys(ask)).map(|(_, key)| row.try_get::<String, _>(key.as_str())).collect();
    Ok(SpendLine {
        slot: usize::try_from(number("slot")?).unwrap_or(0),
        names: own.then(names).transpose()?,
        sums: SpendSums {
            calls: count("calls")?,
            requests: count("requests")?,
            retries: count("retries")?,
            abandoned: count("abandoned")?,
            cached: count("cached")?,
            unpriced: count("unpriced")?,
            estimated: count("estimated")?,
            unmetered: count("unmetered")?,
            avoided_unpriced: count("avoided_unpriced")?,
            input: count("input")?,
            cache_read: count("cache_read")?,
            cache_write_5m: count("cache_write_5m")?,
            cache_write_1h: count("cache_write_1h")?,
            output: count("output")?,
            spent: money("spent")?,
            spent_retries: money("spent_retries")?,
            spent_abandoned: money("spent_abandoned")?,
            spent_estimated: money("spent_estimated")?,
            avoided: money("avoided")?,
        },
    })
}

/// Columns of what is summed by. There is always one, so that the words need no other form.
fn keys(ask: &SpendAsk) -> impl Iterator<Item = String> + use<> {
    (0..ask.by.len().max(1)).map(|n| format!("k{n}"))
}

fn values(ask: &SpendAsk, tongue: Tongue) -> Vec<String> {
    let values: Vec<String> = ask.by.iter().map(|of| names::value(*of, tongue)).collect();
    if values.is_empty() { vec!["''".to_owned()] } else { values }
}

fn sum_columns() -> impl Iterator<Item = String> {
    let counts = COUNTS.iter().map(|(name, _)| (*name).to_owned());
    counts.chain(MONEY.iter().flat_map(|(name, _)| [format!("{name}_hi"), format!("{name}_lo")]))
}

/// PostgreSQL's sums are wider than what is summed.
fn sum(of: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => format!("SUM({of})"),
        Tongue::Postgres => format!("SUM({of})::bigint"),
    }
}

fn sum_as(of: &str, name: &str, tongue: Tongue) -> String {
    format!("{} AS {name}", sum(of, tongue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_cut_at_midnight() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let days = ["2026-11-22", "2026-11-21", "2026-11-19"].map(|d| Day::of(at(&format!("{d}T00:00:00Z"))));
        let slots = vec![
            (at("2026-11-20T12:00:00Z"), at("2026-11-21T06:00:00Z")),
            (at("2026-11-21T06:00:00Z"), at("2026-11-22T06:00:00Z")),
        ];
        let ask = SpendAsk { slots, ..SpendAsk::default() };
        let found: Vec<_> = pieces(&ask, &days)
            .into_iter()
            .map(|p| format!("{} {} {} {}", p.day.number(), p.slot, p.from, p.until))
            .collect();
        assert_eq!(
            found,
            [
                "20261121 0 2026-11-21T00:00:00Z 2026-11-21T06:00:00Z",
                "20261121 1 2026-11-21T06:00:00Z 2026-11-22T00:00:00Z",
                "20261122 1 2026-11-22T00:00:00Z 2026-11-22T06:00:00Z",
            ]
        );
    }
}
