//! An entry in SQL: what it is read from, and what it adds to sums.

use bedplate_core::spend::{Dimension, SpendAsk};

use super::Tongue;
use crate::day::Day;
use crate::sums::MOST;

/// A sum, and what an entry adds to it.
type Measure = (&'static str, fn(Tongue) -> String);

pub(super) const COUNTS: [Measure; 14] = [
    ("calls", |t| flag(&first(t))),
    ("requests", |t| format!("CASE WHEN {} THEN 0 ELSE 1 END", idle(t))),
    ("retries", |t| format!("CASE WHEN {} THEN 0 ELSE 1 END", first(t))),
    ("abandoned", |t| flag(&abandoned(t))),
    ("cached", |t| flag(&cached(t))),
    ("unpriced", |t| flag(&unpriced(t))),
    ("estimated", |t| flag(&basis("estimated", t))),
    ("unmetered", |t| flag(&basis("unmetered", t))),
    ("avoided_unpriced", |t| {
        flag(&format!("{} AND {} = 'unknown'", cached(t), detail(&["cache", "avoided", "cost", "state"], t)))
    }),
    ("input", |t| tokens("input", t)),
    ("cache_read", |t| tokens("cache_read", t)),
    ("cache_write_5m", |t| tokens("cache_write_5m", t)),
    ("cache_write_1h", |t| tokens("cache_write_1h", t)),
    ("output", |t| tokens("output", t)),
];

pub(super) const MONEY: [Measure; 5] = [
    ("spent", cost),
    ("spent_retries", |t| when(&format!("NOT ({})", first(t)), &cost(t))),
    ("spent_abandoned", |t| when(&abandoned(t), &cost(t))),
    ("spent_estimated", |t| when(&basis("estimated", t), &cost(t))),
    ("avoided", |t| when(&cached(t), &number(&detail(&["cache", "avoided", "cost", "nanos"], t), t))),
];

/// Calls of a day between `$2` and `$3` as `c`, each with its entries as `a`: of a call with several attempts these, of
/// any other the number 0. `c` also says, by a search for letters, what to look for in JSON: `several` attempts, a basis
/// that is `guessed` and not reported, a cache that `spares`. Members that say nothing are left out, and no text that
/// callers write holds their quotes, so what is not found is not there. The limits keep the database from looking
/// again at every use.
pub(super) fn from(ask: &SpendAsk, day: Day, tongue: Tongue) -> String {
    // PostgreSQL reads no member of JSON that holds a NUL anywhere, SQLite all others
    let always = tongue == Tongue::Postgres;
    let column = |name: &str, read: bool| if always || read { clean(name, tongue) } else { name.to_owned() };
    let attempts = column("attempts", ask.asks(reads_attempts));
    let detail = column("detail", ask.asks(reads_detail));
    let several = found("attempts", "},{", tongue);
    let reported = found("attempts", "\"basis\":\"reported\"", tongue);
    let spares = found("detail", "\"avoided\"", tongue);
    let columns = format!(
        "team, feature, environment, key_id, chain, model, code, ending, input, cache_read, cache_write_5m, \
         cache_write_1h, output, cost_nanos, cost_known, {detail} AS detail, {attempts} AS attempts, \
         {several} AS several, NOT ({reported}) AS guessed, {spares} AS spares"
    );
    match tongue {
        Tongue::Sqlite => format!(
            "(SELECT {columns} FROM call_{} WHERE admitted_at >= $2 AND admitted_at < $3 LIMIT -1) AS c, \
             json_each(CASE WHEN c.several THEN c.attempts ELSE '[0]' END) AS a",
            day.number(),
        ),
        Tongue::Postgres => format!(
            "(SELECT {columns} FROM call WHERE admitted_at >= $2 AND admitted_at < $3 AND admitted_at >= {} \
             AND admitted_at < {} OFFSET 0) AS c CROSS JOIN LATERAL json_array_elements(CASE WHEN c.several \
             THEN c.attempts ELSE '[0]'::json END) WITH ORDINALITY AS a(value, nth)",
            day.start().0,
            day.end().0,
        ),
    }
}

/// What keeps the database from working out an expression of a query within it at every use.
pub(super) fn once(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::Sqlite => "LIMIT -1",
        Tongue::Postgres => "OFFSET 0",
    }
}

fn reads_attempts(of: Dimension) -> bool {
    use Dimension::{Account, Model, Prices, Provider, Region, Tier};
    matches!(of, Model | Provider | Region | Account | Tier | Prices)
}

fn reads_detail(of: Dimension) -> bool {
    matches!(of, Dimension::User | Dimension::Prompt)
}

fn found(column: &str, letters: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => format!("instr({column}, '{letters}') > 0"),
        Tongue::Postgres => format!("strpos({column}::text, '{letters}') > 0"),
    }
}

/// A column of JSON without NUL, as columns of names are without it.
fn clean(column: &str, tongue: Tongue) -> String {
    let there = found(column, "\\u0000", tongue);
    match tongue {
        Tongue::Sqlite => {
            format!("CASE WHEN {there} THEN replace({column}, '\\u0000', '\\ufffd') ELSE {column} END")
        }
        Tongue::Postgres => format!(
            "CASE WHEN {there} THEN replace({column}::text, '\\u0000', '\\ufffd')::json ELSE {column} END"
        ),
    }
}

/// The condition that it is a call's first entry.
fn first(tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => "a.key = 0".into(),
        Tongue::Postgres => "a.nth = 1".into(),
    }
}

/// The condition that its call has one attempt or none.
const ALONE: &str = "NOT c.several";

/// The condition that its call has no attempt.
fn idle(tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => "c.attempts = '[]'".into(),
        Tongue::Postgres => "c.attempts::text = '[]'".into(),
    }
}

/// A member of the call's detail, as text.
pub(super) fn detail(path: &[&str], tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => format!("c.detail ->> '$.{}'", path.join(".")),
        Tongue::Postgres => format!("c.detail #>> '{{{}}}'", path.join(",")),
    }
}

/// A member of the entry's attempt, as text; `NULL` when it has none.
pub(super) fn member(path: &[&str], tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => {
            let path = path.join(".");
            format!("CASE WHEN {ALONE} THEN c.attempts ->> '$[0].{path}' ELSE a.value ->> '$.{path}' END")
        }
        Tongue::Postgres => {
            let path = path.join(",");
            format!("CASE WHEN {ALONE} THEN c.attempts #>> '{{0,{path}}}' ELSE a.value #>> '{{{path}}}' END")
        }
    }
}

fn number(text: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::Sqlite => format!("({text})"),
        Tongue::Postgres => format!("({text})::bigint"),
    }
}

/// What the entry has of a call's sum: the first one has what the others do not say.
fn part(column: &str, path: &[&str], tongue: Tongue) -> String {
    let first = first(tongue);
    let (own, others) = match tongue {
        Tongue::Sqlite => {
            let path = path.join(".");
            let own = format!("COALESCE(a.value ->> '$.{path}', 0)");
            let others = format!(
                "(SELECT COALESCE(SUM(o.value ->> '$.{path}'), 0) FROM json_each(c.attempts) AS o WHERE o.key > 0)"
            );
            (own, others)
        }
        Tongue::Postgres => {
            let path = path.join(",");
            let own = format!("COALESCE((a.value #>> '{{{path}}}')::bigint, 0)");
            let others = format!(
                "(SELECT COALESCE(SUM((o.value #>> '{{{path}}}')::bigint), 0)::bigint \
                 FROM json_array_elements(c.attempts) WITH ORDINALITY AS o(value, nth) WHERE o.nth > 1)"
            );
            (own, others)
        }
    };
    format!("CASE WHEN {ALONE} THEN {column} WHEN {first} THEN {column} - {others} ELSE {own} END")
}

/// At most a million million, as in the sums by day: what an upstream says must not make sums overflow.
fn tokens(column: &str, tongue: Tongue) -> String {
    let tokens = part(&format!("c.{column}"), &["usage", column], tongue);
    let least = match tongue {
        Tongue::Sqlite => "MIN",
        Tongue::Postgres => "LEAST",
    };
    format!("{least}({tokens}, {MOST})")
}

fn cost(tongue: Tongue) -> String {
    part("c.cost_nanos", &["cost", "nanos"], tongue)
}

fn unpriced(tongue: Tongue) -> String {
    let known = match tongue {
        Tongue::Sqlite => "c.cost_known = 0",
        Tongue::Postgres => "NOT c.cost_known",
    };
    let own = member(&["cost", "state"], tongue);
    format!("CASE WHEN {} THEN {known} ELSE ({own}) = 'unknown' END", ALONE)
}

fn basis(word: &str, tongue: Tongue) -> String {
    format!("((c.several OR c.guessed) AND ({}) = '{word}')", member(&["basis"], tongue))
}

fn abandoned(tongue: Tongue) -> String {
    format!("(c.ending = 'abandoned' AND {})", first(tongue))
}

fn cached(tongue: Tongue) -> String {
    let avoided = detail(&["cache", "avoided", "call"], tongue);
    format!("({} AND c.spares AND {avoided} IS NOT NULL)", first(tongue))
}

/// See [`bedplate_core::spend::Class`].
pub(super) fn class(tongue: Tongue) -> String {
    let units = member(&["usage", "units"], tongue);
    let units = format!("({} AND ({units}) IS NOT NULL)", found("c.attempts", "\"units\"", tongue));
    format!(
        "CASE WHEN NOT ({}) THEN 'retry' WHEN {} THEN 'cached' WHEN {} THEN 'none' WHEN c.ending = 'abandoned' \
         THEN 'abandoned' WHEN {} THEN 'unpriced' WHEN {units} THEN 'units' ELSE 'first' END",
        first(tongue),
        cached(tongue),
        idle(tongue),
        unpriced(tongue),
    )
}

fn flag(condition: &str) -> String {
    when(condition, "1")
}

fn when(condition: &str, then: &str) -> String {
    format!("CASE WHEN {condition} THEN {then} ELSE 0 END")
}
