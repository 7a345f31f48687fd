//! From usage to money.

use std::borrow::Cow;
use std::fmt;

use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::record::OPTIMIZED;
use bedplate_core::usage::{Unit, Usage};

use crate::book::PriceBook;
use crate::dated::day_of;
use crate::entry::{Counter, Entry, Rates, has_default_price, is_commercial};

/// What was used, of which model, where and at which tier.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The model or profile that was called: an id, or the ARN of a foundation model or a
    /// system-defined inference profile.
    pub model: &'a str,
    /// The region that was called.
    pub region: &'a str,
    /// The service tier the upstream echoed, empty when it said none; [`OPTIMIZED`] for latency-optimised inference,
    /// `batch` for a job's price.
    pub tier: &'a str,
    pub usage: &'a Usage,
}

/// What it cost, and why that much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Priced {
    pub cost: Cost,
    pub basis: Basis,
}

/// Why a cost is what it is. `Display` says it to people: `default-region price`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Basis {
    pub applied: Result<Applied, Reason>,
    /// Cache writes were charged as plain input, as the source says for Amazon's models.
    pub writes_as_input: bool,
    /// Counters above zero without a price.
    pub missing: Missing,
    /// The day from which the prices hold that applied, when they do not from ever.
    pub from: Option<Timestamp>,
}

/// What a model costs in one standing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quote {
    pub applied: Result<Applied, Reason>,
    /// Cache writes that are charged as plain input have its price here.
    pub rates: Rates,
    pub writes_as_input: bool,
    pub from: Option<Timestamp>,
}

/// Which row of the list applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applied {
    /// Nothing of a model's was used: nothing at all, or guardrail units alone.
    Nothing,
    DefaultRegion,
    Region,
    Tier,
    LongContext,
    Optimized,
}

/// Why no row of the list applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    UnknownModel,
    /// No price of that tier for the model.
    UnknownTier,
    /// No price of latency-optimised inference for the model.
    UnknownOptimized,
    /// No price of that region for the model.
    UnknownRegion,
    /// The region has a row of its own, which does not say what the tier or a long prompt costs.
    UnknownInRegion,
}

/// A set of counters without a price.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Missing {
    counters: u16,
    guardrail: bool,
}

impl Missing {
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The members of a price that would be needed.
    pub fn counters(self) -> impl Iterator<Item = Counter> {
        Counter::ALL.into_iter().filter(move |c| self.counters & (1 << *c as u16) != 0)
    }

    fn add(&mut self, counter: Counter) {
        self.counters |= 1 << counter as u16;
    }
}

impl PriceBook {
    /// What an attempt cost: see the crate's documentation for the rules. Allocates nothing.
    pub fn price(&self, ask: Ask<'_>) -> Priced {
        let mut sum = Sum::default();
        for &(unit, n) in &ask.usage.units {
            if Counter::of(unit).is_none() && n > 0 {
                let (rate, from) = self.guardrail_rate(unit);
                sum.guardrail(rate, n);
                sum.from = sum.from.max(from);
            }
        }
        let standing = Standing { region: ask.region, tier: ask.tier, prompt: ask.usage.prompt() };
        let entry = self.entry(ask.model);
        let applied = match rates(entry, &standing) {
            _ if !uses_model(ask.usage) => Ok(Applied::Nothing),
            Ok((applied, rates, writes_as_input)) => {
                sum.model(rates, writes_as_input, ask.usage);
                sum.from = sum.from.max(entry.and_then(|entry| entry.from));
                Ok(applied)
            }
            Err(reason) => {
                sum.model(&Rates::default(), false, ask.usage);
                Err(reason)
            }
        };
        sum.priced(applied)
    }

    /// What a unit of each counter costs in a region, at a tier, for a prompt of so many tokens.
    pub fn quote(&self, model: &str, region: &str, tier: &str, prompt: u64) -> Quote {
        let entry = self.entry(model);
        let found = rates(entry, &Standing { region, tier, prompt });
        let from = entry.and_then(|entry| entry.from);
        match found {
            Err(reason) => {
                Quote { applied: Err(reason), rates: Rates::default(), writes_as_input: false, from }
            }
            Ok((applied, listed, as_input)) => {
                let mut rates = *listed;
                for counter in [Counter::CacheWrite5m, Counter::CacheWrite1h] {
                    if let Some(picos) = listed.write(counter, as_input) {
                        rates.set(counter, picos);
                    }
                }
                Quote { applied: Ok(applied), rates, writes_as_input: rates != *listed, from }
            }
        }
    }
}

fn uses_model(usage: &Usage) -> bool {
    usage.total() > 0 || usage.units.iter().any(|(unit, n)| *n > 0 && Counter::of(*unit).is_some())
}

/// What decides which row applies.
pub(crate) struct Standing<'a> {
    pub(crate) region: &'a str,
    pub(crate) tier: &'a str,
    /// Prompt tokens.
    pub(crate) prompt: u64,
}

/// The row that applies, and whether cache writes without a price are plain input.
pub(crate) fn rates<'a>(
    entry: Option<&'a Entry>,
    ask: &Standing<'_>,
) -> Result<(Applied, &'a Rates, bool), Reason> {
    let entry = entry.ok_or(Reason::UnknownModel)?;
    let standard = matches!(ask.tier, "" | "default" | "standard");
    let long = entry.long_context.iter().rev().find(|l| ask.prompt > l.above);
    let row = entry.regions.iter().find(|(region, _)| region == ask.region);
    let found = match row {
        Some((_, rates)) if *rates != entry.price => {
            if !standard || long.is_some() {
                return Err(Reason::UnknownInRegion);
            }
            (Applied::Region, rates)
        }
        None if !default_applies(entry, ask.region) => return Err(Reason::UnknownRegion),
        _ if ask.tier == OPTIMIZED => {
            let unless_long = entry.optimized.as_ref().filter(|_| long.is_none());
            (Applied::Optimized, unless_long.ok_or(Reason::UnknownOptimized)?)
        }
        _ if !standard => {
            let tier = entry.tiers.iter().find(|(name, _)| name == ask.tier).ok_or(Reason::UnknownTier)?;
            if long.is_some() {
                return Err(Reason::UnknownTier);
            }
            (Applied::Tier, &tier.1)
        }
        _ => match long {
            Some(long) => (Applied::LongContext, &long.rates),
            None => (Applied::DefaultRegion, &entry.price),
        },
    };
    Ok((found.0, found.1, entry.writes_as_input))
}

fn default_applies(entry: &Entry, region: &str) -> bool {
    // a `us-gov.` profile's only price is that of its own partition
    has_default_price(region)
        || (is_commercial(region) && !entry.varies)
        || (entry.geo.as_deref() == Some("us-gov") && region.starts_with("us-gov-"))
}

/// Picos so far, and what had no price.
#[derive(Default)]
struct Sum {
    picos: i128,
    writes_as_input: bool,
    missing: Missing,
    from: Option<Timestamp>,
}

impl Sum {
    fn guardrail(&mut self, rate: Option<u64>, n: u64) {
        match rate {
            Some(rate) => self.add(rate, n),
            None => self.missing.guardrail = true,
        }
    }

    fn model(&mut self, rates: &Rates, writes_as_input: bool, usage: &Usage) {
        self.tokens(rates.get(Counter::Input), Counter::Input, usage.input);
        self.tokens(rates.get(Counter::Output), Counter::Output, usage.output);
        self.tokens(rates.get(Counter::CacheRead), Counter::CacheRead, usage.cache_read);
        for (counter, n) in
            [(Counter::CacheWrite5m, usage.cache_write_5m), (Counter::CacheWrite1h, usage.cache_write_1h)]
        {
            let listed = rates.get(counter);
            let rate = rates.write(counter, writes_as_input);
            self.writes_as_input |= n > 0 && listed.is_none() && rate.is_some();
            self.tokens(rate, counter, n);
        }
        for &(unit, n) in &usage.units {
            if let Some(counter) = Counter::of(unit) {
                self.tokens(rates.get(counter), counter, n);
            }
        }
    }

    fn tokens(&mut self, rate: Option<u64>, counter: Counter, n: u64) {
        match rate {
            _ if n == 0 => {}
            Some(rate) => self.add(rate, n),
            None => self.missing.add(counter),
        }
    }

    fn add(&mut self, rate: u64, n: u64) {
        self.picos = self.picos.saturating_add(i128::from(rate).saturating_mul(i128::from(n)));
    }

    fn priced(self, applied: Result<Applied, Reason>) -> Priced {
        let amount = Nanos::from_picos(self.picos.min(i128::MAX - 500));
        let known = self.missing.is_empty() && applied.is_ok();
        Priced {
            cost: if known { Cost::Known(amount) } else { Cost::Unknown(amount) },
            basis: Basis {
                applied,
                writes_as_input: self.writes_as_input,
                missing: self.missing,
                from: self.from,
            },
        }
    }
}

/// The row alone: [`Basis`] says more.
pub(crate) fn row(applied: Result<Applied, Reason>) -> &'static str {
    match applied {
        Ok(Applied::Nothing) => "nothing of a model was used",
        Ok(Applied::DefaultRegion) => "default-region price",
        Ok(Applied::Region) => "price of the region",
        Ok(Applied::Tier) => "price of the tier",
        Ok(Applied::LongContext) => "long-context price for the whole request",
        Ok(Applied::Optimized) => "price of latency-optimised inference",
        Err(Reason::UnknownModel) => "no price: the price book does not know the model",
        Err(Reason::UnknownTier) => "no price: the price book does not know the tier for this model",
        Err(Reason::UnknownOptimized) => {
            "no price: the price book does not know latency-optimised inference for this model"
        }
        Err(Reason::UnknownRegion) => "no price: the price book does not know the region for this model",
        Err(Reason::UnknownInRegion) => {
            "no price: the price book does not know the tier or the long context in this region"
        }
    }
}

impl Basis {
    /// [`Basis`] in words; only what is out of the ordinary is put together anew.
    pub fn said(&self) -> Cow<'static, str> {
        if *self == Self::of(self.applied) {
            Cow::Borrowed(row(self.applied))
        } else {
            Cow::Owned(self.to_string())
        }
    }

    fn of(applied: Result<Applied, Reason>) -> Self {
        Self { applied, writes_as_input: false, missing: Missing::default(), from: None }
    }
}

impl Quote {
    /// Which row it is, or why there is none: `default-region price`.
    pub fn said(&self) -> &'static str {
        row(self.applied)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.applied, self.from) {
            (Ok(Applied::Nothing), Some(from)) => {
                write!(f, "prices of guardrail units from {}", day_of(from))?
            }
            (applied, None) => f.write_str(row(applied))?,
            (applied, Some(from)) => write!(f, "{} from {}", row(applied), day_of(from))?,
        }
        if self.writes_as_input {
            f.write_str("; cache writes as plain input")?;
        }
        if self.applied.is_ok() {
            for counter in self.missing.counters() {
                write!(f, "; no price for {}", counter.member())?;
            }
        }
        if self.missing.guardrail {
            f.write_str("; no price for guardrail units")?;
        }
        Ok(())
    }
}

/// The name of a guardrail unit in the list.
pub(crate) fn guardrail_member(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::GuardrailContent => Some("contentPolicyUnits"),
        Unit::GuardrailTopic => Some("topicPolicyUnits"),
        Unit::GuardrailWord => Some("wordPolicyUnits"),
        Unit::GuardrailSensitive => Some("sensitiveInformationPolicyUnits"),
        Unit::GuardrailSensitiveFree => Some("sensitiveInformationPolicyFreeUnits"),
        Unit::GuardrailGrounding => Some("contextualGroundingPolicyUnits"),
        Unit::GuardrailReasoning => Some("automatedReasoningPolicyUnits"),
        Unit::GuardrailImage => Some("contentPolicyImageUnits"),
        _ => None,
    }
}
