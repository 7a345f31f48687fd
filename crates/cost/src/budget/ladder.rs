//! What happens as a budget fills.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `{ at = "80%", do = "warn" }`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// How full: `1%` to `100%`.
    pub at: Percent,
    #[serde(rename = "do")]
    pub step: Step,
}

/// What a rung does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Tells those that `[[notify]]` names, once a period.
    Warn,
    /// Calls go to the alias's lighter model. Not in this version: `check` refuses it.
    LighterModel,
    /// Only kept answers are given, also those beyond their time that `stale_if_error` keeps; other calls are refused.
    CacheOnly,
    /// Calls are refused, unless an answer is kept that is within its time: it costs nothing.
    Block,
}

impl Rung {
    /// The amount at which the rung is reached: never nothing.
    pub fn of(&self, limit: i64) -> i64 {
        let part = i128::from(limit) * i128::from(self.at.0) / 100;
        i64::try_from(part).unwrap_or(limit).max(1)
    }
}

/// A whole number of percent, 1 to 100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percent(pub u8);

impl FromStr for Percent {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        s.strip_suffix('%')
            .and_then(|n| n.parse().ok())
            .filter(|n| (1..=100).contains(n))
            .map(Self)
            .ok_or_else(|| format!("not a part of a limit: `{s}`; write `1%` to `100%`"))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{1,3}%$", "examples": ["80%"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_is_a_whole_part_of_the_limit() {
        let rung = Rung { at: "80%".parse().unwrap(), step: Step::Warn };
        assert_eq!(rung.of(1_000_000_000), 800_000_000);
        assert_eq!(rung.of(i64::MAX), 7_378_697_629_483_820_645);
        for bad in ["80", "0%", "101%", "-1%", "8.5%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }
}
