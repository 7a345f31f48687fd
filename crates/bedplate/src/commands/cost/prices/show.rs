//! `bedplate cost prices show`.

mod page;
mod row;

use bedplate_core::clock::Timestamp;
use bedplate_core::record::OPTIMIZED;
use bedplate_cost::{Entry, PriceBook, named};

use crate::exit::Failure;
use crate::out::Tabular;
use row::Row;

/// What prices are asked for.
pub(super) struct Asked<'a> {
    pub(super) book: PriceBook,
    pub(super) at: Timestamp,
    pub(super) region: &'a str,
    /// `None` for all.
    pub(super) tier: Option<&'a str>,
}

pub(super) fn run(asked: &Asked<'_>, model: Option<&str>, format: Tabular) -> Result<(), Failure> {
    let Some(model) = model else {
        let all: Vec<(&Entry, Vec<Row>)> =
            asked.book.entries().into_iter().map(|entry| (entry, asked.rows(entry, &entry.id))).collect();
        return page::list(asked, &all, format);
    };
    let Some(entry) = asked.book.entry(model) else { return Err(unknown(&asked.book, model)) };
    page::one(asked, entry, model, &asked.rows(entry, model), format)
}

impl Asked<'_> {
    /// Every standing in which the model can be called; those that nobody priced are unknown.
    fn rows(&self, entry: &Entry, model: &str) -> Vec<Row> {
        if let Some(tier) = self.tier {
            let tier = if matches!(tier, "default" | "standard") { "" } else { tier };
            return vec![Row::of(self, model, tier, None)];
        }
        let mut rows = vec![Row::of(self, model, "", None)];
        rows.extend(entry.long_context.iter().map(|long| Row::of(self, model, "", Some(long.above))));
        let usual = ["priority", "flex", "batch"];
        rows.extend(usual.iter().map(|tier| Row::of(self, model, tier, None)));
        let others = entry.tiers.iter().filter(|(tier, _)| !usual.contains(&&**tier));
        rows.extend(others.map(|(tier, _)| Row::of(self, model, tier, None)));
        rows.push(Row::of(self, model, OPTIMIZED, None));
        rows
    }
}

/// Says what is near.
fn unknown(book: &PriceBook, model: &str) -> Failure {
    let failure = Failure::problem(format!("the price book does not know `{model}`"));
    let Some(id) = named(model) else {
        return failure.hint(
            "This ARN does not say its model. A running gateway asks Bedrock; here, name the model it leads to.",
        );
    };
    if book.mantle_entries().iter().any(|entry| entry.id == id) {
        return failure.hint("It is a model of the endpoint bedrock-mantle, which bedplate does not call.");
    }
    let near = nearest(book, id);
    match near.is_empty() {
        true => failure.hint("`bedplate cost prices show` lists all models."),
        false => failure.hint(format!("Did you mean {}?", near.join(", "))),
    }
}

/// Up to five ids that hold the text, or differ from it by little.
fn nearest(book: &PriceBook, wrong: &str) -> Vec<String> {
    let wrong = wrong.to_lowercase();
    let mut near: Vec<(usize, &str)> = Vec::new();
    for entry in book.entries() {
        let distance = strsim::damerau_levenshtein(&wrong, &entry.id.to_lowercase());
        if wrong.len() > 2 && entry.id.to_lowercase().contains(&wrong) {
            near.push((0, &entry.id));
        } else if distance <= 3 + wrong.len() / 8 {
            near.push((distance, &entry.id));
        }
    }
    near.sort_unstable();
    near.into_iter().take(5).map(|(_, id)| format!("`{id}`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_models_are_found() {
        let book = PriceBook::embedded();
        assert_eq!(nearest(&book, "us.amazon.nova-lit-v1:0").first().unwrap(), "`us.amazon.nova-lite-v1:0`");
        assert!(nearest(&book, "nova-lite").contains(&"`us.amazon.nova-lite-v1:0`".to_owned()));
        assert!(nearest(&book, "xyzzy").is_empty());
        assert!(nearest(&book, "claude").len() <= 5);
    }
}
