//! What calls came to, summed by what they have in common: the vocabulary of cost reports.
//!
//! An *entry* is what is summed: each upstream request of a call, and a call without any by itself. A call's own sums
//! belong to its entries, the first of which has what the others do not say; so entries always come to what calls
//! come to, whatever they are summed by.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;

macro_rules! dimensions {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)*) => {
        /// What entries can have in common.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Dimension { $($(#[doc = $doc])+ $name),* }

        impl Dimension {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// For people.
            pub fn said(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),* }
            }
        }
    };
}

dimensions! {
    /// The team that pays.
    Team = "team";
    /// The feature that called.
    Feature = "feature";
    /// The environment.
    Environment = "environment";
    /// The key's id.
    Key = "key";
    /// The user that the caller named.
    User = "user";
    /// The chain that the caller named.
    Chain = "chain";
    /// The released prompt that the call was made from, and its version: triage@3.
    Prompt = "prompt";
    /// The model as the caller named it.
    Alias = "alias";
    /// The model that was called: what an ARN led to, where that is known.
    Model = "model";
    /// The operation: Converse, InvokeModel, …
    Operation = "operation";
    /// The provider that was called.
    Provider = "provider";
    /// The AWS region that was called.
    Region = "region";
    /// The AWS account that was called.
    Account = "account";
    /// The service tier that Bedrock echoed.
    Tier = "tier";
    /// How the call ended: answered, refused, failed, cut, abandoned.
    Outcome = "outcome";
    /// The error code: BP1402.
    Code = "code";
    /// The version of the prices.
    Prices = "prices";
    /// Which part of spending it is: first, retry, abandoned, units, unpriced, cached, none.
    Class = "class";
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Dimension {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|dimension| dimension.name() == s).ok_or(())
    }
}

/// Which part of spending an entry is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// The first request of a call, all of its price known.
    First,
    /// Of those, one that also used what is not counted in tokens.
    Units,
    /// Of those, one whose caller hung up.
    Abandoned,
    /// The first request of a call, part of its price unknown.
    Unpriced,
    /// A request after the first.
    Retry,
    /// A call that was answered by a kept answer.
    Cached,
    /// A call that asked no upstream: refused.
    None,
}

impl Class {
    pub const ALL: [Self; 7] =
        [Self::First, Self::Units, Self::Abandoned, Self::Unpriced, Self::Retry, Self::Cached, Self::None];

    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Units => "units",
            Self::Abandoned => "abandoned",
            Self::Unpriced => "unpriced",
            Self::Retry => "retry",
            Self::Cached => "cached",
            Self::None => "none",
        }
    }
}

impl FromStr for Class {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|class| class.name() == s).ok_or(())
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpendAsk {
    /// Stretches of time by admission, each from its first moment until before its second, in order and apart. Each
    /// is summed by itself.
    pub slots: Vec<(Timestamp, Timestamp)>,
    pub by: Vec<Dimension>,
    /// Only entries that have these values.
    pub only: Vec<(Dimension, String)>,
    /// How many combinations of what is summed by have lines of their own: the dearest over all slots, then those that
    /// avoided most, then those of most calls, then by name. All others are summed in one line.
    pub top: u32,
}

impl SpendAsk {
    /// Whether it sums by, or only takes, something of that kind.
    pub fn asks(&self, of: impl Fn(Dimension) -> bool) -> bool {
        self.by.iter().chain(self.only.iter().map(|(of, _)| of)).any(|d| of(*d))
    }
}

/// What entries of one slot came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpendLine {
    /// The place in [`SpendAsk::slots`].
    pub slot: usize,
    /// The values of [`SpendAsk::by`], empty where an entry has none; `None` for all that have no line of their own.
    pub names: Option<Vec<String>>,
    pub sums: SpendSums,
}

/// Sums of entries. Money is in nano-dollars.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpendSums {
    /// Calls, at their first entry.
    pub calls: u64,
    /// Upstream requests.
    pub requests: u64,
    /// Of them, those after the first of a call.
    pub retries: u64,
    /// Calls whose caller hung up.
    pub abandoned: u64,
    /// Calls that were answered by a kept answer.
    pub cached: u64,
    /// Entries whose cost is not fully known.
    pub unpriced: u64,
    /// Entries whose usage is an estimate.
    pub estimated: u64,
    /// Entries that were not metered.
    pub unmetered: u64,
    /// Of the kept answers, those whose avoided cost is not fully known.
    pub avoided_unpriced: u64,
    pub input: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub output: u64,
    /// What is known of the cost.
    pub spent: i128,
    /// Of it, what requests after the first cost.
    pub spent_retries: i128,
    /// Of it, what first requests cost whose caller hung up.
    pub spent_abandoned: i128,
    /// Of it, what rests on an estimate of usage.
    pub spent_estimated: i128,
    /// What kept answers spared, as far as known. No part of what was spent.
    pub avoided: i128,
}

impl SpendSums {
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.requests += other.requests;
        self.retries += other.retries;
        self.abandoned += other.abandoned;
        self.cached += other.cached;
        self.unpriced += other.unpriced;
        self.estimated += other.estimated;
        self.unmetered += other.unmetered;
        self.avoided_unpriced += other.avoided_unpriced;
        self.input += other.input;
        self.cache_read += other.cache_read;
        self.cache_write_5m += other.cache_write_5m;
        self.cache_write_1h += other.cache_write_1h;
        self.output += other.output;
        self.spent += other.spent;
        self.spent_retries += other.spent_retries;
        self.spent_abandoned += other.spent_abandoned;
        self.spent_estimated += other.spent_estimated;
        self.avoided += other.avoided;
    }

    /// All tokens of prompts, cached or not.
    pub fn prompt(&self) -> u64 {
        self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for dimension in Dimension::ALL {
            assert_eq!(dimension.name().parse(), Ok(*dimension));
            assert!(!dimension.said().is_empty());
        }
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        assert_eq!("cost".parse::<Dimension>(), Err(()));
    }
}
