//! `bedplate cost prices diff`.

use bedplate_cost::{Difference, PriceBook, day_of, differences};
use serde_json::json;
use serde_json::value::RawValue;

use super::usd::{number, percent, shown};
use crate::exit::Failure;
use crate::out::{self, Tabular, say, table};

pub(super) fn run(old: &PriceBook, new: &PriceBook, format: Tabular) -> Result<(), Failure> {
    let found = differences(old, new);
    match format {
        Tabular::Human => human(&found, old, new),
        Tabular::Json => found.iter().try_for_each(|d| {
            Ok(out::json(&json!({
                "model": d.model,
                "row": d.row,
                "counter": d.counter,
                "from": d.from.map(day_of),
                "kind": kind(d),
                "old": number(d.old, d.places),
                "new": number(d.new, d.places),
                "change_percent": change(d).and_then(|change| RawValue::from_string(change.replace('+', "")).ok()),
            }))?)
        }),
        Tabular::Csv => {
            out::csv(["model", "row", "counter", "from", "kind", "old", "new", "change_percent"])?;
            found.iter().try_for_each(|d| {
                let [old, new] = prices(d);
                let from = d.from.map(day_of).unwrap_or_default();
                let change = change(d).unwrap_or_default();
                let cells = [&*d.model, &*d.row, d.counter, &*from, kind(d), &*old, &*new, &*change];
                Ok(out::csv(cells)?)
            })
        }
    }
}

fn human(found: &[Difference], old: &PriceBook, new: &PriceBook) -> Result<(), Failure> {
    let count = |wanted: &str| found.iter().filter(|d| kind(d) == wanted).count();
    if !found.is_empty() {
        let mut table = table(&["MODEL", "ROW", "COUNTER", "FROM", "OLD $", "NEW $", "CHANGE"]);
        for d in found {
            let [old, new] = prices(d);
            let from = d.from.map_or_else(|| "-".to_owned(), day_of);
            let change = change(d).map_or_else(|| kind(d).to_owned(), |change| format!("{change} %"));
            table.add_row([&*d.model, &*d.row, d.counter, &*from, &*old, &*new, &*change]);
        }
        say(table.to_string())?;
    }
    Ok(say(format!(
        "{} changed, {} added, {} removed: prices of {} against those of {}",
        count("changed") + count("same"),
        count("added"),
        count("removed"),
        new.version(),
        old.version(),
    ))?)
}

/// `same`: a price that differed before a day is the same again from it on.
fn kind(d: &Difference) -> &'static str {
    match (d.old, d.new) {
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        (old, new) if old == new => "same",
        _ => "changed",
    }
}

fn change(d: &Difference) -> Option<String> {
    percent(d.old?, d.new?)
}

fn prices(d: &Difference) -> [String; 2] {
    [d.old, d.new].map(|price| shown(price, d.places))
}
