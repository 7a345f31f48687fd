//! What [`Live`](super::Live) shows: plain data for the console and the admin API.

use bedplate_core::clock::Timestamp;
use bedplate_core::money::Cost;
use bedplate_core::record::Ending;
use bedplate_core::refusal::Code;
use serde::Serialize;

use super::latency::Quantiles;
use super::sums::{Spend, Sums};

/// This process, now.
#[derive(Clone, Debug, Serialize)]
pub struct Picture {
    #[serde(serialize_with = "text")]
    pub at: Timestamp,
    /// When the process began to count.
    #[serde(serialize_with = "text")]
    pub since: Timestamp,
    pub in_flight: u64,
    /// Calls that came too fast to be shown here; the ledger has them all the same.
    pub missed: u64,
    /// Of 1, 5 and 60 minutes.
    pub windows: Vec<Window>,
    /// The last 61 minutes one by one, oldest first, the last one still running.
    pub minutes: Vec<Minute>,
}

/// What the calls of the last minutes came to.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    pub minutes: u32,
    /// How many seconds the window really holds: more than its minutes by the running slot, fewer
    /// when the process is younger.
    pub seconds: u64,
    pub calls: u64,
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
    pub cut: u64,
    pub abandoned: u64,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub cost: Cost,
    /// Dearest first.
    pub features: Vec<SpendLine>,
    /// Dearest first.
    pub models: Vec<SpendLine>,
    /// Most frequent first.
    pub codes: Vec<CodeLine>,
    /// Calls that reached an upstream, from start to end.
    pub total: Quantiles,
    /// Streams, until their first token.
    pub first_token: Quantiles,
    /// What bedplate itself added.
    pub overhead: Quantiles,
    /// How many calls took how long, between each two of [`EDGES`].
    #[serde(skip)]
    pub spread: Vec<u64>,
}

/// What one feature or model cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpendLine {
    /// `team/feature`, or a model; `(others)` for all names beyond the first 64.
    pub name: String,
    pub calls: u64,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub cost: Cost,
    /// Calls whose cost is not fully known.
    pub unpriced: u64,
}

/// How often a code was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeLine {
    pub code: Code,
    pub summary: &'static str,
    pub calls: u64,
}

/// One minute of the clock.
#[derive(Clone, Debug, Serialize)]
pub struct Minute {
    #[serde(serialize_with = "text")]
    pub at: Timestamp,
    pub calls: u64,
    /// Refused, failed or cut.
    pub bad: u64,
    pub cost: Cost,
    pub total: Quantiles,
}

/// Edges of the distribution that the console draws, in microseconds: six to a decade, from a
/// millisecond to five minutes.
pub(crate) const EDGES: [u64; 34] = [
    1_000,
    1_500,
    2_200,
    3_200,
    4_600,
    6_800,
    10_000,
    15_000,
    22_000,
    32_000,
    46_000,
    68_000,
    100_000,
    150_000,
    220_000,
    320_000,
    460_000,
    680_000,
    1_000_000,
    1_500_000,
    2_200_000,
    3_200_000,
    4_600_000,
    6_800_000,
    10_000_000,
    15_000_000,
    22_000_000,
    32_000_000,
    46_000_000,
    68_000_000,
    100_000_000,
    150_000_000,
    220_000_000,
    320_000_000,
];

impl Picture {
    /// The window of so many minutes, else the shortest.
    pub fn window(&self, minutes: u32) -> Option<&Window> {
        self.windows.iter().find(|w| w.minutes == minutes).or(self.windows.first())
    }
}

impl Window {
    /// A window in which nothing happened.
    pub(crate) fn empty() -> Self {
        Self::of(0, 0, &Sums::default())
    }

    pub(super) fn of(minutes: u32, seconds: u64, sums: &Sums) -> Self {
        let who = |(team, feature): &(std::sync::Arc<str>, std::sync::Arc<str>)| match &**feature {
            "" => team.to_string(),
            feature => format!("{team}/{feature}"),
        };
        let mut codes: Vec<CodeLine> = sums
            .codes
            .iter()
            .map(|(code, calls)| CodeLine { code: *code, summary: code.summary(), calls: *calls })
            .collect();
        codes.sort_by_key(|c| (std::cmp::Reverse(c.calls), c.code.number()));
        Self {
            minutes,
            seconds,
            calls: sums.calls,
            answered: sums.ended(Ending::Answered),
            refused: sums.ended(Ending::Refused),
            failed: sums.ended(Ending::Failed),
            cut: sums.ended(Ending::Cut),
            abandoned: sums.ended(Ending::Abandoned),
            prompt_tokens: sums.spend.prompt,
            output_tokens: sums.spend.output,
            cost: sums.spend.cost(),
            features: lines(sums.who.iter().map(|(k, s)| (who(k), s))),
            models: lines(sums.models.iter().map(|(k, s)| (k.to_string(), s))),
            codes,
            total: sums.total.quantiles(),
            first_token: sums.first_token.quantiles(),
            overhead: sums.overhead.quantiles(),
            spread: sums.total.bins(&EDGES),
        }
    }
}

impl Minute {
    pub(super) fn of(at: Timestamp, sums: Option<&Sums>) -> Self {
        let Some(sums) = sums else {
            return Self { at, calls: 0, bad: 0, cost: Cost::FREE, total: Quantiles::default() };
        };
        Self {
            at,
            calls: sums.calls,
            bad: [Ending::Refused, Ending::Failed, Ending::Cut].into_iter().map(|e| sums.ended(e)).sum(),
            cost: sums.spend.cost(),
            total: sums.total.quantiles(),
        }
    }
}

fn lines<'a>(all: impl Iterator<Item = (String, &'a Spend)>) -> Vec<SpendLine> {
    let mut lines: Vec<SpendLine> = all
        .map(|(name, spend)| SpendLine {
            name,
            calls: spend.calls,
            prompt_tokens: spend.prompt,
            output_tokens: spend.output,
            cost: spend.cost(),
            unpriced: spend.unpriced,
        })
        .collect();
    lines.sort_by(|a, b| {
        (b.cost.priced(), b.calls).cmp(&(a.cost.priced(), a.calls)).then_with(|| a.name.cmp(&b.name))
    });
    lines
}

fn text<S: serde::Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(at)
}
