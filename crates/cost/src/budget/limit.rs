//! `"250 USD"`, `"5000000 tokens"`.

use std::fmt;
use std::str::FromStr;

use bedplate_core::budget::Unit;
use bedplate_core::money::{Nanos, decimal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    pub unit: Unit,
    /// Nano-dollars or tokens; above 0.
    pub amount: i64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (number, unit) = s
            .split_once(' ')
            .ok_or_else(|| format!("not a limit: `{s}`; write `250 USD` or `5000000 tokens`"))?;
        let plain = number.replace('_', "");
        let amount = match unit.trim() {
            "USD" => plain.parse::<Nanos>().ok().map(|n| (Unit::Usd, n.0)),
            "tokens" => decimal(&plain, 0).and_then(|n| i64::try_from(n).ok()).map(|n| (Unit::Tokens, n)),
            other => return Err(format!("`{other}` is not counted: a limit is in `USD` or `tokens`")),
        };
        match amount {
            None => Err(format!(
                "`{number}` is not an amount: write a number such as `250` or `0.125` (at most 9 decimals; tokens are whole)"
            )),
            Some((_, amount)) if amount <= 0 => {
                Err(format!("the limit `{s}` is not above 0: to stop all calls disable their keys"))
            }
            Some((unit, amount)) => Ok(Self { unit, amount }),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Usd => write!(f, "{} USD", Nanos(self.amount).to_string().trim_start_matches('$')),
            Unit::Tokens => write!(f, "{} tokens", self.amount),
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9_]+(\\.[0-9]+)? (USD|tokens)$", "examples": ["250 USD"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exact() {
        assert_eq!("250 USD".parse(), Ok(Limit { unit: Unit::Usd, amount: 250_000_000_000 }));
        assert_eq!("0.000000001 USD".parse(), Ok(Limit { unit: Unit::Usd, amount: 1 }));
        assert_eq!("5_000_000 tokens".parse(), Ok(Limit { unit: Unit::Tokens, amount: 5_000_000 }));
        for said in ["250.00 USD", "0.125 USD", "7 tokens"] {
            let limit: Limit = said.parse().unwrap();
            assert_eq!(limit.to_string().parse(), Ok(limit));
        }
    }

    #[test]
    fn bad_limits_say_what_is_wrong() {
        let said = |s: &str| s.parse::<Limit>().unwrap_err();
        assert!(said("25 EUR").contains("`EUR` is not counted"));
        assert!(said("0 USD").contains("not above 0"));
        assert!(said("-3 USD").contains("not above 0"));
        assert!(said("1.5 tokens").contains("tokens are whole"));
        assert!(said("0.0000000001 USD").contains("9 decimals"));
        assert!(said("9999999999999 USD").contains("not an amount"));
        assert!(said("250").contains("write `250 USD`"));
    }
}
