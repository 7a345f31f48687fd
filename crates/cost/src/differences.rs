//! What one book says otherwise than another.

use std::collections::BTreeMap;

use bedplate_core::clock::Timestamp;

use crate::book::PriceBook;
use crate::entry::{Counter, Entry, Rates};

/// A price that is not the same in both, or stands in one of them only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// A model, or `guardrail`.
    pub model: String,
    /// As files name it: `price`, `price_tiers.flex`, `price_long_context above 200000`.
    pub row: String,
    /// What is counted, as files name it: `cache_read`.
    pub counter: &'static str,
    /// From this day on; `None` from ever.
    pub from: Option<Timestamp>,
    /// Pico-dollars for each; `None` where it has no price.
    pub old: Option<u64>,
    pub new: Option<u64>,
    /// Decimal places between the unit that files are written in (a million tokens, or one piece) and a pico-dollar.
    pub places: u32,
}

/// Every difference, by model and day; of models of the endpoint bedrock-runtime, and of guardrails. A price that is
/// the same again from a day on is in it too, with that day.
pub fn differences(old: &PriceBook, new: &PriceBook) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let mut days = old.all_days();
    days.extend(new.all_days());
    let mut before = Prices::new();
    for day in std::iter::once(None).chain(days.into_iter().map(Some)) {
        let mut prices = both(&on(old, day), &on(new, day));
        for name in before.keys() {
            prices.entry(name.clone()).or_default();
        }
        for (name, price) in &prices {
            let was = before.get(name);
            let differs = price.old != price.new;
            let differed = was.is_some_and(|was| was.old != was.new);
            if was != Some(price) && (differs || differed) {
                found.push(name.with(*price, day));
            }
        }
        before = prices;
    }
    found.sort_by(|a, b| (&a.model, a.from).cmp(&(&b.model, b.from)));
    found
}

fn on(book: &PriceBook, day: Option<Timestamp>) -> PriceBook {
    day.map_or_else(|| book.clone(), |day| book.on(day))
}

/// All prices of two books. Rows are in the order in which a model's rows are read.
type Prices = BTreeMap<Name, Price>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    model: String,
    row: Row,
    counter: usize,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Price,
    Tier(String),
    Region(String),
    LongContext(u64),
    Optimized,
    Guardrail(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Price {
    old: Option<u64>,
    new: Option<u64>,
}

impl Name {
    fn with(&self, price: Price, from: Option<Timestamp>) -> Difference {
        let row = match &self.row {
            Row::Price => "price".to_owned(),
            Row::Tier(name) => format!("price_tiers.{name}"),
            Row::Region(name) => format!("price_by_region.{name}"),
            Row::LongContext(above) => format!("price_long_context above {above}"),
            Row::Optimized => "price_latency_optimized".to_owned(),
            Row::Guardrail(_) => "guardrail_usd_per_unit".to_owned(),
        };
        let (counter, places) = match self.row {
            Row::Guardrail(unit) => (unit, 12),
            _ => Counter::ALL.get(self.counter).map_or(("", 12), |c| (c.member(), c.places())),
        };
        Difference { model: self.model.clone(), row, counter, from, old: price.old, new: price.new, places }
    }
}

fn both(old: &PriceBook, new: &PriceBook) -> Prices {
    let mut prices = Prices::new();
    put(old, &mut prices, |price, picos| price.old = Some(picos));
    put(new, &mut prices, |price, picos| price.new = Some(picos));
    prices
}

fn put(book: &PriceBook, prices: &mut Prices, set: impl Fn(&mut Price, u64)) {
    for entry in book.entries() {
        for (row, rates) in rows(entry) {
            for (place, counter) in Counter::ALL.into_iter().enumerate() {
                if let Some(picos) = rates.get(counter) {
                    let name = Name { model: entry.id.clone(), row: row.clone(), counter: place };
                    set(prices.entry(name).or_default(), picos);
                }
            }
        }
    }
    for (unit, picos) in book.guardrail() {
        if let Some(picos) = picos {
            let name = Name { model: "guardrail".to_owned(), row: Row::Guardrail(unit), counter: 0 };
            set(prices.entry(name).or_default(), picos);
        }
    }
}

fn rows(entry: &Entry) -> Vec<(Row, Rates)> {
    let mut rows = vec![(Row::Price, entry.price)];
    rows.extend(entry.tiers.iter().map(|(name, rates)| (Row::Tier(name.clone()), *rates)));
    rows.extend(entry.regions.iter().map(|(name, rates)| (Row::Region(name.clone()), *rates)));
    rows.extend(entry.long_context.iter().map(|long| (Row::LongContext(long.above), long.rates)));
    rows.extend(entry.optimized.map(|rates| (Row::Optimized, rates)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &str, new: &str) -> Vec<String> {
        let book = |text| PriceBook::embedded().with_overrides(text).unwrap();
        let show = |d: Difference| {
            let day = d.from.map_or_else(|| "ever".to_owned(), crate::dated::day_of);
            format!("{} {} {} {day}: {:?} to {:?}", d.model, d.row, d.counter, d.old, d.new)
        };
        differences(&book(old), &book(new)).into_iter().map(show).collect()
    }

    const PLAIN: &str = "[models.\"m\"]\nprice = { input = 1, output = 2 }\n";

    #[test]
    fn equal_books_differ_in_nothing() {
        assert_eq!(found("", ""), [""; 0]);
        assert_eq!(found(PLAIN, PLAIN), [""; 0]);
    }

    #[test]
    fn what_is_added_removed_and_changed() {
        assert_eq!(
            found("", PLAIN),
            ["m price input ever: None to Some(1000000)", "m price output ever: None to Some(2000000)"]
        );
        let flex = format!("{PLAIN}price_tiers.flex = {{ input = 0.5, output = 2 }}\n");
        assert_eq!(found(&flex, PLAIN).len(), 2);
        let dearer = PLAIN.replace("output = 2", "output = 3");
        assert_eq!(found(PLAIN, &dearer), ["m price output ever: Some(2000000) to Some(3000000)"]);
    }

    #[test]
    fn announced_prices_are_said_with_their_day() {
        let rows = "[[models.\"m\"]]\nprice = { input = 1, output = 2 }\n\
                    [[models.\"m\"]]\nfrom = \"2027-01-01\"\nprice = { input = 3 }\n\
                    [[models.\"m\"]]\nfrom = \"2027-02-01\"\nprice = { input = 1 }\n";
        assert_eq!(
            found(PLAIN, rows),
            [
                "m price input 2027-01-01: Some(1000000) to Some(3000000)",
                "m price input 2027-02-01: Some(1000000) to Some(1000000)",
            ]
        );
    }
}
