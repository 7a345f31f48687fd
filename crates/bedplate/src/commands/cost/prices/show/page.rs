//! Prices as pages, lines and tables.

use bedplate_cost::{Counter, Entry, PriceBook, day_of};
use serde_json::{Map, Value, json};

use super::Asked;
use super::row::{Row, counters, unit};
use crate::commands::cost::prices::usd::{number, shown};
use crate::exit::Failure;
use crate::out::{self, Tabular, say, table};

/// One model, with all that is known of it.
pub(super) fn one(
    asked: &Asked<'_>,
    entry: &Entry,
    model: &str,
    rows: &[Row],
    format: Tabular,
) -> Result<(), Failure> {
    match format {
        Tabular::Json => return Ok(out::json(&object(asked, entry, model, rows))?),
        Tabular::Csv => {
            out::csv(HEAD)?;
            return lines(asked, entry, rows);
        }
        Tabular::Human => {}
    }
    head(asked, entry, model)?;
    let counters = counters(entry, rows);
    let mut columns = vec!["$ PER"];
    let names: Vec<String> = counters.iter().map(|counter| heading(*counter)).collect();
    columns.extend(names.iter().map(String::as_str));
    columns.push("WHICH PRICE");
    let mut table = table(&columns);
    for row in rows {
        let prices = counters.iter().map(|counter| shown(row.quote.rates.get(*counter), counter.places()));
        table.add_row(
            std::iter::once(row.name()).chain(prices).chain([row.basis().replace("no price: ", "")]),
        );
    }
    Ok(say(table.to_string())?)
}

/// All models, a line each; as CSV a line for each price.
pub(super) fn list(asked: &Asked<'_>, all: &[(&Entry, Vec<Row>)], format: Tabular) -> Result<(), Failure> {
    match format {
        Tabular::Json => {
            all.iter().try_for_each(|(entry, rows)| Ok(out::json(&object(asked, entry, &entry.id, rows))?))
        }
        Tabular::Csv => {
            out::csv(HEAD)?;
            all.iter().try_for_each(|(entry, rows)| lines(asked, entry, rows))
        }
        Tabular::Human => {
            let counters = [
                Counter::Input,
                Counter::Output,
                Counter::CacheRead,
                Counter::CacheWrite5m,
                Counter::CacheWrite1h,
            ];
            let mut table =
                table(&["MODEL", "INPUT", "OUTPUT", "CACHE READ", "WRITE 5M", "WRITE 1H", "OTHERS"]);
            for (entry, rows) in all {
                let Some(row) = rows.first() else { continue };
                let rates = &row.quote.rates;
                let tokens =
                    counters.iter().map(|c| rates.get(*c).map_or("-".into(), |p| shown(Some(p), c.places())));
                let others: Vec<String> = Counter::ALL
                    .into_iter()
                    .filter(|c| c.places() != 6)
                    .filter_map(|c| {
                        Some(format!("{} {}", c.member(), shown(Some(rates.get(c)?), c.places())))
                    })
                    .collect();
                let others = if row.quote.applied.is_ok() { others.join(", ") } else { "unknown".to_owned() };
                table.add_row(std::iter::once(entry.id.clone()).chain(tokens).chain([others]));
            }
            say(table.to_string())?;
            Ok(say(format!(
                "dollars per million tokens, or per piece; {} in {} on {}, prices of {}",
                tier(asked),
                asked.region,
                day_of(asked.at),
                asked.book.version()
            ))?)
        }
    }
}

fn head(asked: &Asked<'_>, entry: &Entry, model: &str) -> Result<(), Failure> {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let number = |n: Option<u64>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    say(format!("model      {model}"))?;
    say(format!(
        "made by    {}; geography {}",
        or_dash(&entry.provider),
        entry.geo.as_deref().unwrap_or("-")
    ))?;
    say(format!(
        "tokens     window {}, output at most {}",
        number(entry.context_window),
        number(entry.max_output_tokens)
    ))?;
    let gone = entry.eol_date.as_deref().map_or_else(String::new, |day| format!(", until {day}"));
    say(format!("lifecycle  {}{gone}", entry.lifecycle.as_deref().unwrap_or("unknown")))?;
    say(format!(
        "prices     in {} on {}, of {}",
        asked.region,
        day_of(asked.at),
        origin(&asked.book, entry)
    ))?;
    let days: Vec<String> = asked.book.days(model).into_iter().map(day_of).collect();
    if !days.is_empty() {
        say(format!("change on  {}", days.join(", ")))?;
    }
    Ok(say("")?)
}

/// Where prices come from.
fn origin(book: &PriceBook, entry: &Entry) -> String {
    let from = entry.from.map_or_else(String::new, |from| format!(", standing since {}", day_of(from)));
    format!("{} ({}){from}", book.version(), book.source())
}

fn tier(asked: &Asked<'_>) -> String {
    match asked.tier {
        None | Some("" | "default" | "standard") => "standard".to_owned(),
        Some(tier) => format!("tier {tier}"),
    }
}

/// `INPUT`, `USD_PER_QUERY`.
fn heading(counter: Counter) -> String {
    counter.member().trim_start_matches("usd_per_").replace('_', " ").to_uppercase()
}

fn object(asked: &Asked<'_>, entry: &Entry, model: &str, rows: &[Row]) -> Value {
    let counters = counters(entry, rows);
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let prices: Map<String, Value> = counters
                .iter()
                .map(|c| (c.member().to_owned(), json!(number(row.quote.rates.get(*c), c.places()))))
                .collect();
            json!({
                "tier": if row.tier.is_empty() { "standard" } else { &*row.tier },
                "above_input_tokens": row.above,
                "known": row.quote.applied.is_ok(),
                "basis": row.basis(),
                "prices": prices,
            })
        })
        .collect();
    json!({
        "model": model,
        "provider": entry.provider,
        "geo": entry.geo,
        "region": asked.region,
        "at": day_of(asked.at),
        "from": entry.from.map(day_of),
        "changes": asked.book.days(model).into_iter().map(day_of).collect::<Vec<_>>(),
        "context_window": entry.context_window,
        "max_output_tokens": entry.max_output_tokens,
        "lifecycle": entry.lifecycle,
        "eol_date": entry.eol_date,
        "version": asked.book.version(),
        "source": asked.book.source(),
        "rows": rows,
    })
}

const HEAD: [&str; 10] =
    ["model", "region", "tier", "above_input_tokens", "counter", "per", "usd", "basis", "from", "version"];

fn lines(asked: &Asked<'_>, entry: &Entry, rows: &[Row]) -> Result<(), Failure> {
    let counters = counters(entry, rows);
    let from = entry.from.map(day_of).unwrap_or_default();
    for row in rows {
        let (above, basis) = (row.above.map(|n| n.to_string()).unwrap_or_default(), row.basis());
        let tier = if row.tier.is_empty() { "standard" } else { &*row.tier };
        for counter in &counters {
            let usd = shown(row.quote.rates.get(*counter), counter.places());
            out::csv([
                &*entry.id,
                asked.region,
                tier,
                &above,
                counter.member(),
                unit(*counter),
                &usd,
                &basis,
                &from,
                &asked.book.version(),
            ])?;
        }
    }
    Ok(())
}
