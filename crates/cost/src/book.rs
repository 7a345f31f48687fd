//! The book itself: entries by id.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use bedplate_core::usage::Unit;
use foldhash::fast::FixedState;

use crate::entry::Entry;
use crate::price::guardrail_member;
use crate::read::{self, BadPrices};

static LIST: &str = include_str!("../data/models.json");

/// All prices. Cloning shares them.
#[derive(Clone)]
pub struct PriceBook(Arc<Book>);

#[derive(Clone, Default)]
pub(crate) struct Book {
    pub(crate) runtime: HashMap<String, Entry, FixedState>,
    /// Models of the endpoint bedrock-mantle: its prices and ids are its own.
    pub(crate) mantle: HashMap<String, Entry, FixedState>,
    /// By unit; see [`Book::guardrail_slot`].
    pub(crate) guardrail: [Option<u64>; 8],
    pub(crate) version: Arc<str>,
    pub(crate) source: Arc<str>,
}

impl PriceBook {
    /// The book that the binary carries; read once, on first use.
    pub fn embedded() -> Self {
        static BOOK: OnceLock<PriceBook> = OnceLock::new();
        // a test reads the list; were it damaged all the same, an empty book prices nothing: unknown
        BOOK.get_or_init(|| Self(Arc::new(read::list(LIST).unwrap_or_default()))).clone()
    }

    /// This book with an operator's prices over it. `text` is TOML, or JSON when it begins with `{`:
    ///
    /// ```toml
    /// [models."us.amazon.nova-lite-v1:0"]        # a model of the list, or a new one
    /// price = { input = 0.051, output = 0.204, cache_read = 0.01275 }     # USD per million tokens
    /// price_tiers.priority = { input = 0.105, output = 0.42 }
    /// price_by_region.eu-central-1 = { input = 0.078, output = 0.312 }
    /// price_long_context = [{ above_input_tokens = 200000, input = 0.1, output = 0.4 }]
    /// max_output_tokens = 10000
    ///
    /// [guardrail_usd_per_unit]
    /// contentPolicyUnits = 0.00012
    /// ```
    ///
    /// A member that is written replaces the list's; inside `price` one by one, tiers and regions by
    /// name. When `price` is written, the list's tiers, regions and long-context rows, which belong to
    /// its price, go unless they are written too.
    ///
    /// # Errors
    /// Names the place of what cannot be read, in the file's own terms.
    pub fn with_overrides(&self, text: &str) -> Result<Self, BadPrices> {
        let mut book = Book::clone(&self.0);
        read::overrides(text, &mut book)?;
        let hash = digest(&SHA256, text.as_bytes());
        let short = hash.as_ref().iter().take(4).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        book.version = match book.version.split_once('+') {
            None => format!("{}+overrides.{short}", book.version).into(),
            Some(_) => format!("{}.{short}", book.version).into(),
        };
        Ok(Self(Arc::new(book)))
    }

    /// `2026-11-22`, the day the list was made; `2026-11-22+overrides.9f86d081` when an operator's file
    /// stands over it: the file's SHA-256 begins so.
    pub fn version(&self) -> Arc<str> {
        Arc::clone(&self.0.version)
    }

    /// Where the list comes from, for people.
    pub fn source(&self) -> Arc<str> {
        Arc::clone(&self.0.source)
    }

    /// What the list says of a model of bedrock-runtime, by id or by the ARN of a foundation model or
    /// a system-defined inference profile.
    pub fn entry(&self, model: &str) -> Option<&Entry> {
        self.0.runtime.get(id(model)?)
    }

    /// The most output tokens of a model, when the list knows.
    pub fn max_output_tokens(&self, model: &str) -> Option<u64> {
        self.entry(model)?.max_output_tokens
    }

    /// Every model of the endpoint bedrock-runtime, by id.
    pub fn entries(&self) -> Vec<&Entry> {
        sorted(self.0.runtime.values())
    }

    /// Every model of the endpoint bedrock-mantle, by id. [`PriceBook::price`] does not use them.
    pub fn mantle_entries(&self) -> Vec<&Entry> {
        sorted(self.0.mantle.values())
    }

    /// Pico-dollars per guardrail unit.
    pub(crate) fn guardrail_rate(&self, unit: Unit) -> Option<u64> {
        Book::guardrail_slot(guardrail_member(unit)?).and_then(|slot| self.0.guardrail[slot])
    }
}

impl Book {
    /// The place of a guardrail unit's price, by its name in the list.
    pub(crate) fn guardrail_slot(member: &str) -> Option<usize> {
        const UNITS: [Unit; 8] = [
            Unit::GuardrailContent,
            Unit::GuardrailTopic,
            Unit::GuardrailWord,
            Unit::GuardrailSensitive,
            Unit::GuardrailSensitiveFree,
            Unit::GuardrailGrounding,
            Unit::GuardrailReasoning,
            Unit::GuardrailImage,
        ];
        UNITS.iter().position(|unit| guardrail_member(*unit) == Some(member))
    }
}

fn sorted<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    entries
}

/// The model id in a name; `None` when an ARN does not say its model.
fn id(model: &str) -> Option<&str> {
    let Some(arn) = model.strip_prefix("arn:") else { return Some(model) };
    let resource = arn.splitn(5, ':').nth(4)?;
    resource.strip_prefix("foundation-model/").or_else(|| resource.strip_prefix("inference-profile/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_give_the_id_they_say() {
        assert_eq!(id("a.b-v1:0"), Some("a.b-v1:0"));
        assert_eq!(id("arn:aws:bedrock:us-east-1::foundation-model/a.b-v1:0"), Some("a.b-v1:0"));
        assert_eq!(id("arn:aws-us-gov:bedrock:r:123456789012:inference-profile/us.a.b"), Some("us.a.b"));
        assert_eq!(id("arn:aws:bedrock:r:123456789012:application-inference-profile/x"), None);
        assert_eq!(id("arn:aws:bedrock"), None);
    }
}
