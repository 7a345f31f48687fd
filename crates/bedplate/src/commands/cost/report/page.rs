//! A report as a table, as JSON and as CSV.

use bedplate_core::money::grouped;
use bedplate_core::spend::SpendSums;
use serde_json::{Map, Value, json};

use super::Report;
use super::sheet::{Cell, cells};
use crate::commands::cost::money::{cost, each, known, percent, short};
use crate::commands::cost::{harmless, plain};
use crate::out;

/// A column of the table: its head, what stands in it, and whether it says anything of some sums.
type Column = (&'static str, fn(&SpendSums, &SpendSums) -> String, fn(&SpendSums) -> bool);

const COLUMNS: [Column; 11] = [
    ("SPENT", |s, _| cost(s), |_| true),
    ("SHARE", |s, t| percent(s.spent, t.spent), |t| t.spent != 0),
    ("CALLS", |s, _| count(s.calls), |_| true),
    ("PER CALL", |s, _| per_call(s), |_| true),
    ("INPUT", |s, _| count(s.input), |_| true),
    ("CACHE READ", |s, _| count(s.cache_read), |t| t.cache_read > 0),
    (
        "CACHE WRITE",
        |s, _| count(s.cache_write_5m + s.cache_write_1h),
        |t| t.cache_write_5m + t.cache_write_1h > 0,
    ),
    ("OUTPUT", |s, _| count(s.output), |_| true),
    ("RETRIES", |s, _| part(s.retries, s.spent_retries), |t| t.retries > 0),
    ("ABANDONED", |s, _| part(s.abandoned, s.spent_abandoned), |t| t.abandoned > 0),
    (
        "AVOIDED",
        |s, _| if s.cached == 0 { "-".into() } else { known(s.avoided, s.avoided_unpriced) },
        |t| t.cached > 0,
    ),
];

pub(super) fn table(report: &Report) -> String {
    let columns: Vec<&Column> = COLUMNS.iter().filter(|(_, _, says)| says(&report.total)).collect();
    let heads: Vec<String> = report.heads().iter().map(|head| head.to_uppercase()).collect();
    let all: Vec<&str> =
        heads.iter().map(String::as_str).chain(columns.iter().map(|(head, ..)| *head)).collect();
    let mut table = out::table(&all);
    let cells =
        |sums: &SpendSums| columns.iter().map(|(_, show, _)| show(sums, &report.total)).collect::<Vec<_>>();
    for row in &report.rows {
        let names = report.names(row).into_iter().map(plain);
        table.add_row(names.chain(cells(&row.sums)));
    }
    let mut total = vec![String::new(); heads.len()];
    if let Some(first) = total.first_mut() {
        *first = "total".to_owned();
    }
    table.add_row(total.into_iter().chain(cells(&report.total)));
    let mut lines = vec![format!("{}\n", report.range.say()), table.to_string()];
    lines.extend(remarks(&report.total).into_iter().map(|remark| format!("\n{remark}")));
    lines.join("\n")
}

/// What is not known for sure, in sentences.
pub(super) fn remarks(total: &SpendSums) -> Vec<String> {
    let mut out = Vec::new();
    let mut say = |n: u64, text: String| {
        if n > 0 {
            out.push(text);
        }
    };
    let many = |n: u64, what: &str| format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" });
    say(
        total.unpriced,
        format!(
            "unknown    {}: part of the price is not known, and not in these sums",
            many(total.unpriced, "request")
        ),
    );
    say(
        total.unmetered,
        format!("unmetered  {}: what was used is not known", many(total.unmetered, "request")),
    );
    say(
        total.estimated,
        format!(
            "estimated  {} of what was spent rests on estimates of what {} used",
            short(total.spent_estimated),
            many(total.estimated, "request")
        ),
    );
    say(
        total.cached,
        format!(
            "avoided    {} by {} of the cache, in no sum of what was spent",
            known(total.avoided, total.avoided_unpriced),
            many(total.cached, "answer")
        ),
    );
    out
}

pub(super) fn json(report: &Report) -> String {
    let rows = report.rows.iter().map(|row| {
        let names = report.heads().into_iter().zip(report.names(row));
        let by: Map<String, Value> = names.map(|(head, name)| (head.to_owned(), name.into())).collect();
        let mut object = object(&row.sums, &report.total);
        object.insert("others".into(), row.names.is_none().into());
        object.insert("by".into(), by.into());
        object
    });
    let rows: Vec<_> = rows.collect();
    let only: Map<String, Value> =
        report.only.iter().map(|(of, value)| (of.name().to_owned(), value.as_str().into())).collect();
    json!({
        "from": report.range.from.to_string(),
        "until": report.range.until.to_string(),
        "zone": report.range.zone.name(),
        "by": report.heads(),
        "only": only,
        "limit": report.limit,
        "rows": rows,
        "total": object(&report.total, &report.total),
    })
    .to_string()
}

fn object(sums: &SpendSums, total: &SpendSums) -> Map<String, Value> {
    let value = |cell: Cell| match cell {
        // no reader of JSON takes more than 64 bits for sure
        Cell::Number(n) => i64::try_from(n).map_or_else(|_| n.to_string().into(), Value::from),
        Cell::Decimal(text) => text.into(),
        Cell::Nothing => Value::Null,
    };
    let mut object = Map::new();
    for (name, cell) in cells(sums, total) {
        object.insert(name.to_owned(), value(cell));
    }
    object
}

/// A line of names, a line for each row. There is no total: spreadsheets add.
pub(super) fn csv(report: &Report) -> String {
    let names = cells(&report.total, &report.total).into_iter().map(|(name, _)| name);
    let heads = report.heads().into_iter().chain(["others"]).chain(names);
    let mut lines = vec![out::csv_line(heads)];
    for row in &report.rows {
        let mut line: Vec<String> = report.names(row).into_iter().map(harmless).collect();
        line.push(row.names.is_none().to_string());
        line.extend(cells(&row.sums, &report.total).into_iter().map(|(_, cell)| match cell {
            Cell::Number(n) => n.to_string(),
            Cell::Decimal(text) => text,
            Cell::Nothing => String::new(),
        }));
        lines.push(out::csv_line(line.iter().map(String::as_str)));
    }
    lines.join("\n")
}

pub(super) fn per_call(sums: &SpendSums) -> String {
    match each(sums.spent, sums.calls) {
        Some(nanos) if sums.unpriced == 0 => short(nanos),
        Some(0) => "unknown".to_owned(),
        Some(nanos) => format!("≥ {}", short(nanos)),
        None => "-".to_owned(),
    }
}

fn part(n: u64, nanos: i128) -> String {
    if n == 0 { "-".to_owned() } else { format!("{} ({})", short(nanos), count(n)) }
}

pub(super) fn count(n: u64) -> String {
    grouped(n.into())
}
