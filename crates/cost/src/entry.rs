//! One model's rows.

use bedplate_core::clock::Timestamp;
use bedplate_core::usage::Unit;
use bedplate_core::view::Takes;

/// What can be priced of a model. The names are the members of a price in the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    Input,
    Output,
    CacheRead,
    CacheWrite5m,
    CacheWrite1h,
    Query,
    InputImage,
    OutputImage,
    InputVideoSecond,
    InputAudioSecond,
}

impl Counter {
    pub const ALL: [Self; 10] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::Query,
        Self::InputImage,
        Self::OutputImage,
        Self::InputVideoSecond,
        Self::InputAudioSecond,
    ];

    /// The member's name in the list and in an operator's file.
    pub fn member(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::Query => "usd_per_query",
            Self::InputImage => "usd_per_input_image",
            Self::OutputImage => "usd_per_output_image",
            Self::InputVideoSecond => "usd_per_input_video_second",
            Self::InputAudioSecond => "usd_per_input_audio_second",
        }
    }

    /// Decimal places between the list's unit and a pico-dollar: tokens are listed per million.
    pub fn places(self) -> u32 {
        match self {
            Self::Input | Self::Output | Self::CacheRead | Self::CacheWrite5m | Self::CacheWrite1h => 6,
            _ => 12,
        }
    }

    /// The counter that prices a unit; `None` for guardrail units, which no model prices.
    pub(crate) fn of(unit: Unit) -> Option<Self> {
        match unit {
            Unit::Query => Some(Self::Query),
            Unit::InputImage => Some(Self::InputImage),
            Unit::OutputImage => Some(Self::OutputImage),
            Unit::InputVideoSecond => Some(Self::InputVideoSecond),
            Unit::InputAudioSecond => Some(Self::InputAudioSecond),
            Unit::GuardrailContent
            | Unit::GuardrailTopic
            | Unit::GuardrailWord
            | Unit::GuardrailSensitive
            | Unit::GuardrailSensitiveFree
            | Unit::GuardrailGrounding
            | Unit::GuardrailReasoning
            | Unit::GuardrailImage => None,
        }
    }
}

/// Pico-dollars per unit, where known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates([Option<u64>; Counter::ALL.len()]);

impl Rates {
    pub fn get(&self, counter: Counter) -> Option<u64> {
        self.0[counter as usize]
    }

    pub(crate) fn set(&mut self, counter: Counter, picos: u64) {
        self.0[counter as usize] = Some(picos);
    }

    /// Pico-dollars for a cache write; without a price of its own it is plain input where `as_input` says so.
    pub(crate) fn write(&self, counter: Counter, as_input: bool) -> Option<u64> {
        let instead = if as_input { self.get(Counter::Input) } else { None };
        self.get(counter).or(instead)
    }

    /// Whether text costs the same.
    pub(crate) fn alike(&self, other: &Self) -> bool {
        [Counter::Input, Counter::Output].into_iter().all(|counter| self.get(counter) == other.get(counter))
    }

    pub(crate) fn clear(&mut self, counter: Counter) {
        self.0[counter as usize] = None;
    }
}

/// A rate for the whole request once its prompt has more than `above` tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongContext {
    pub above: u64,
    pub rates: Rates,
}

/// What the list says of one model id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    pub id: String,
    /// `bedrock-runtime` or `bedrock-mantle`.
    pub endpoint: String,
    pub provider: String,
    pub base_model_id: String,
    /// The geography of an inference profile: `us`, `eu`, `global`.
    pub geo: Option<String>,
    pub mode: String,
    /// On demand, in the default region.
    pub price: Rates,
    pub tiers: Vec<(String, Rates)>,
    pub regions: Vec<(String, Rates)>,
    /// Sorted by threshold.
    pub long_context: Vec<LongContext>,
    /// With `performanceConfig.latency` `optimized`, in the default region.
    pub optimized: Option<Rates>,
    /// The day from which these prices hold; `None` from ever.
    pub from: Option<Timestamp>,
    /// In tokens.
    pub context_window: Option<u64>,
    /// In tokens.
    pub max_output_tokens: Option<u64>,
    /// `ACTIVE`-like state in the list's own words: `unknown`, `eol-scheduled`, `eol-date-passed`; an operator's are
    /// `active` and `legacy`.
    pub lifecycle: Option<String>,
    /// The day after which the model is gone, `2027-04-08`.
    pub eol_date: Option<String>,
    /// What a request may hold; cache points of models of which the list says nothing, and of those that cache by
    /// themselves, are refused ([`Entry::settle`]).
    pub takes: Takes,
    /// The beginning of that day.
    pub ends: Option<Timestamp>,
    /// The source charges cache writes as plain input when it lists no price for them.
    pub(crate) writes_as_input: bool,
    /// The list has a row of a commercial region that is not one of the default price's, or profiles of geographies
    /// that cost differently.
    pub(crate) varies: bool,
}

impl Entry {
    /// Sets what follows from other members.
    pub(crate) fn settle(&mut self) {
        self.long_context.sort_by_key(|l| l.above);
        self.writes_as_input = self.provider == "amazon";
        // OpenAI's and xAI's models cache by themselves and refuse marks; of others some answer 400 and some pass over
        // them, and a mark left out only costs a discount that nobody promised
        let listed = !self.mode.is_empty();
        let own = matches!(&*self.provider, "openai" | "xai");
        if listed && (own || self.takes.cache_points.is_none()) {
            self.takes.cache_points = Some(false);
        }
    }

    /// Sets whether the list shows that the price varies between commercial regions.
    pub(crate) fn see_regions(&mut self) {
        self.varies =
            self.regions.iter().any(|(region, _)| is_commercial(region) && !has_default_price(region));
    }
}

/// Regions that share the list price of us-east-1.
pub(crate) fn has_default_price(region: &str) -> bool {
    matches!(region, "us-east-1" | "us-east-2" | "us-west-2")
}

/// Whether a region belongs to the commercial partition `aws`.
pub(crate) fn is_commercial(region: &str) -> bool {
    !["us-gov-", "us-iso", "cn-", "eusc-", "eu-iso"].iter().any(|p| region.starts_with(p))
}
