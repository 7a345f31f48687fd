//! The book itself: entries by id.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use bedplate_core::clock::Timestamp;
use bedplate_core::usage::Unit;
use foldhash::fast::FixedState;

use crate::dated::Dated;
use crate::entry::{Counter, Entry};
use crate::price::guardrail_member;
use crate::read::{self, BadPrices};

static LIST: &str = include_str!("../data/models.json");

/// All prices, as they stand on a day. Cloning shares them.
#[derive(Clone)]
pub struct PriceBook {
    book: Arc<Book>,
    /// `None` for prices that hold from ever.
    at: Option<Timestamp>,
}

#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) runtime: HashMap<String, Dated<Entry>, FixedState>,
    /// Models of the endpoint bedrock-mantle: its prices and ids are its own.
    pub(crate) mantle: HashMap<String, Dated<Entry>, FixedState>,
    pub(crate) guardrail: Dated<Guardrail>,
    pub(crate) version: Arc<str>,
    pub(crate) source: Arc<str>,
}

/// What guardrails cost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Guardrail {
    /// Pico-dollars by unit; see [`Guardrail::slot`].
    pub(crate) picos: [Option<u64>; 8],
    pub(crate) from: Option<Timestamp>,
}

impl PriceBook {
    /// The book that the binary carries; read once, on first use.
    pub fn embedded() -> Self {
        static BOOK: OnceLock<PriceBook> = OnceLock::new();
        // a test reads the list; were it damaged all the same, an empty book prices nothing: unknown
        BOOK.get_or_init(|| Self { book: Arc::new(read::list(LIST).unwrap_or_default()), at: None }).clone()
    }

    /// What a price file makes of prices: a whole list, in the form of the embedded one (its `models` are a list),
    /// stands alone; any other is an operator's and stands over the embedded book.
    ///
    /// # Errors
    /// Names the places of what cannot be read.
    pub fn of_file(text: &str) -> Result<Self, BadPrices> {
        if read::is_list(text) {
            return Ok(Self { book: Arc::new(read::list(text)?), at: None });
        }
        Self::embedded().with_overrides(text)
    }

    /// This book as it stands at a moment. Without it, prices that begin on a day do not hold.
    #[must_use]
    pub fn on(&self, at: Timestamp) -> Self {
        Self { book: Arc::clone(&self.book), at: Some(at) }
    }

    /// This book with an operator's prices over it. `text` is TOML, or JSON when it begins with `{`:
    ///
    /// ```toml
    /// [models."us.amazon.nova-lite-v1:0"]        # a model of the list, or a new one
    /// price = { input = 0.051, output = 0.204, cache_read = 0.01275 }     # USD per million tokens
    /// price_tiers.priority = { input = 0.105, output = 0.42 }
    /// price_by_region.eu-central-1 = { input = 0.078, output = 0.312 }
    /// price_long_context = [{ above_input_tokens = 200000, input = 0.1, output = 0.4 }]
    /// price_latency_optimized = { input = 0.075, output = 0.3 }
    /// max_output_tokens = 10000
    /// lifecycle = { state = "legacy", eol_date = "2027-06-30" }
    ///
    /// [[models."us.amazon.nova-pro-v1:0"]]       # a price that is announced: rows with a day, UTC
    /// from = "2027-01-01"
    /// price = { input = 0.7, output = 2.8 }
    ///
    /// [guardrail_usd_per_unit]
    /// contentPolicyUnits = 0.00012
    /// ```
    ///
    /// A member that is written replaces the list's; inside `price` one by one, tiers and regions by
    /// name. When `price` is written, the list's tiers, regions and long-context rows, which belong to
    /// its price, go unless they are written too. A row with a day `from` is written over the one before
    /// it and holds for calls that are admitted from that day on.
    ///
    /// # Errors
    /// Names the places of what cannot be read, in the file's own terms; of what leaves a hole, such as a price
    /// without `output`; and of rows that overlap.
    pub fn with_overrides(&self, text: &str) -> Result<Self, BadPrices> {
        let mut book = Book::clone(&self.book);
        read::overrides(text, &mut book)?;
        let hash = digest(&SHA256, text.as_bytes());
        let short = hash.as_ref().iter().take(4).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        book.version = match book.version.split_once('+') {
            None => format!("{}+overrides.{short}", book.version).into(),
            Some(_) => format!("{}.{short}", book.version).into(),
        };
        Ok(Self { book: Arc::new(book), at: self.at })
    }

    /// `2026-11-22`, the day the list was made; `2026-11-22+overrides.9f86d081` when an operator's file
    /// stands over it: the file's SHA-256 begins so.
    pub fn version(&self) -> Arc<str> {
        Arc::clone(&self.book.version)
    }

    /// Where the list comes from, for people.
    pub fn source(&self) -> Arc<str> {
        Arc::clone(&self.book.source)
    }

    /// What the list says of a model of bedrock-runtime: by the very name, which may be any ARN that an operator
    /// wrote prices for, or by the id in the ARN of a foundation model or a system-defined inference profile.
    pub fn entry(&self, model: &str) -> Option<&Entry> {
        let runtime = &self.book.runtime;
        let dated = runtime.get(model).or_else(|| runtime.get(named(model)?))?;
        dated.on(self.at)
    }

    /// The days on which some price of a model changes, in order.
    pub fn days(&self, model: &str) -> Vec<Timestamp> {
        let runtime = &self.book.runtime;
        let dated = runtime.get(model).or_else(|| runtime.get(named(model)?));
        dated.into_iter().flat_map(Dated::days).collect()
    }

    /// The most output tokens of a model, when the list knows; 0 of one whose output costs nothing, for it writes none.
    pub fn max_output_tokens(&self, model: &str) -> Option<u64> {
        let entry = self.entry(model)?;
        let writes = entry.price.get(Counter::Output).is_some_and(|rate| rate > 0);
        entry.max_output_tokens.or((!writes).then_some(0))
    }

    /// The most tokens that a model takes and writes together, when the list knows.
    pub fn context_window(&self, model: &str) -> Option<u64> {
        crate::worst::window(self.entry(model)?)
    }

    /// Every model of the endpoint bedrock-runtime, by id.
    pub fn entries(&self) -> Vec<&Entry> {
        self.sorted(&self.book.runtime)
    }

    /// Every model of the endpoint bedrock-mantle, by id. [`PriceBook::price`] does not use them.
    pub fn mantle_entries(&self) -> Vec<&Entry> {
        self.sorted(&self.book.mantle)
    }

    /// Guardrail units by their names in the list, and pico-dollars for each.
    pub fn guardrail(&self) -> Vec<(&'static str, Option<u64>)> {
        let picos = self.guardrails().map(|g| g.picos).unwrap_or_default();
        Guardrail::UNITS.iter().filter_map(|unit| guardrail_member(*unit)).zip(picos).collect()
    }

    /// Every day on which some price changes, in order.
    pub(crate) fn all_days(&self) -> BTreeSet<Timestamp> {
        let models = self.book.runtime.values().flat_map(Dated::days);
        models.chain(self.book.guardrail.days()).collect()
    }

    /// Pico-dollars per guardrail unit, and the day from which they hold.
    pub(crate) fn guardrail_rate(&self, unit: Unit) -> (Option<u64>, Option<Timestamp>) {
        let slot = guardrail_member(unit).and_then(Guardrail::slot);
        match (self.guardrails(), slot) {
            (Some(guardrail), Some(slot)) => (guardrail.picos[slot], guardrail.from),
            _ => (None, None),
        }
    }

    fn guardrails(&self) -> Option<&Guardrail> {
        self.book.guardrail.on(self.at)
    }

    fn sorted<'a>(&self, entries: &'a HashMap<String, Dated<Entry>, FixedState>) -> Vec<&'a Entry> {
        let mut entries: Vec<_> = entries.values().filter_map(|dated| dated.on(self.at)).collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
    }
}

impl Book {
    /// Takes over a list's models.
    pub(crate) fn take(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let of = if entry.endpoint == "bedrock-mantle" { &mut self.mantle } else { &mut self.runtime };
            of.insert(entry.id.clone(), Dated::ever(entry));
        }
    }
}

impl Default for Book {
    fn default() -> Self {
        Self {
            runtime: HashMap::default(),
            mantle: HashMap::default(),
            guardrail: Dated::ever(Guardrail::default()),
            version: Arc::default(),
            source: Arc::default(),
        }
    }
}

impl Guardrail {
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

    /// The place of a unit's price, by its name in the list.
    pub(crate) fn slot(member: &str) -> Option<usize> {
        Self::UNITS.iter().position(|unit| guardrail_member(*unit) == Some(member))
    }
}

/// The model id in a name: the name itself, or the id in the ARN of a foundation model or a system-defined inference
/// profile; `None` when an ARN does not say its model.
pub fn named(model: &str) -> Option<&str> {
    let Some(arn) = model.strip_prefix("arn:") else { return Some(model) };
    let resource = arn.splitn(5, ':').nth(4)?;
    resource.strip_prefix("foundation-model/").or_else(|| resource.strip_prefix("inference-profile/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_give_the_id_they_say() {
        assert_eq!(named("a.b-v1:0"), Some("a.b-v1:0"));
        assert_eq!(named("arn:aws:bedrock:us-east-1::foundation-model/a.b-v1:0"), Some("a.b-v1:0"));
        assert_eq!(named("arn:aws-us-gov:bedrock:r:123456789012:inference-profile/us.a.b"), Some("us.a.b"));
        assert_eq!(named("arn:aws:bedrock:r:123456789012:application-inference-profile/x"), None);
        assert_eq!(named("arn:aws:bedrock"), None);
    }
}
