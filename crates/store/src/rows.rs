//! Outcomes as rows: columns for what is asked by, JSON for the rest.
//!
//! The rest is read leniently: members that are missing have their defaults and members that a newer
//! version wrote are skipped, so that two versions can share one database.

mod call;
mod text;

pub(crate) use call::{CALL_COLUMNS, CallColumns, StoredCall};
pub(crate) use text::{bounded, clean, shared};

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::refusal::Code;
use bedplate_core::usage::{Unit, Usage};

/// Counters as the database holds them: what does not fit is the largest number that does.
pub(crate) fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn uncount(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn cost(nanos: i64, known: bool) -> Cost {
    if known { Cost::Known(Nanos(nanos)) } else { Cost::Unknown(Nanos(nanos)) }
}

/// Token columns, in the order of the tables.
struct Tokens {
    input: i64,
    cache_read: i64,
    cache_write_5m: i64,
    cache_write_1h: i64,
    output: i64,
    reasoning: Option<i64>,
}

impl Tokens {
    fn usage(self, units: Vec<(Unit, u64)>) -> Usage {
        Usage {
            input: uncount(self.input),
            cache_read: uncount(self.cache_read),
            cache_write_5m: uncount(self.cache_write_5m),
            cache_write_1h: uncount(self.cache_write_1h),
            output: uncount(self.output),
            reasoning: self.reasoning.map(uncount),
            units,
        }
    }
}

/// Reads a code; an unknown number means that a newer version wrote it.
fn code(number: Option<i64>) -> Result<Option<Code>, sqlx::Error> {
    number
        .map(|n| {
            let known = u16::try_from(n).ok().and_then(Code::from_number);
            known.ok_or_else(|| sqlx::Error::Decode(format!("no such code: `{n}`").into()))
        })
        .transpose()
}

fn to_json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|e| sqlx::Error::Decode(e.into()))
}
