//! `hedge` of `[[model]]`.

use std::fmt;
use std::str::FromStr;

use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{ModelConfig, RungConfig, TargetConfig};
use crate::invoke::deadline::Timeouts;

/// `hedge = { after = "2s", most = "5%" }`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeConfig {
    /// How long the first request may take until another target is asked as well: until the first event of a stream, or
    /// the whole answer. Both may be billed.
    pub after: Span,
    /// Of how many calls at most, in percent.
    pub most: Share,
}

/// A whole number of percent: `5%`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share(pub u8);

const MOST: u8 = 50;

impl HedgeConfig {
    /// Everything that is wrong, each with its member; `base` is `[timeout]`.
    pub(super) fn problems(self, alias: &ModelConfig, base: Timeouts) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let Self { after, most } = self;
        if !(1..=MOST).contains(&most.0) {
            wrong.push(("hedge.most", format!("`{most}` is not within 1% and {MOST}%")));
        }
        let own = &alias.timeout;
        let first_token = own.first_token.map_or(base.first_token, |span| span.0);
        let total = own.total.map_or(base.total, |span| span.0);
        let (name, deadline) =
            if first_token <= total { ("first_token", first_token) } else { ("total", total) };
        if after.0 >= deadline {
            let said = format!("`{after}` does not come before `{name}`, {}", Span(deadline));
            wrong.push(("hedge.after", said));
        }
        if after.0.is_zero() {
            wrong.push(("hedge.after", format!("`{after}` leaves the first request no time")));
        }
        let others = |targets: &[TargetConfig]| targets.len() > 1;
        if !others(&alias.targets) && !alias.rule.iter().any(|rule| others(&rule.targets)) {
            wrong.push(("hedge", "there is no other target that could be asked".into()));
        }
        let lighter = alias.fallback.iter().filter(|rung| matches!(rung, RungConfig::Target(_))).count();
        if (alias.attempts as usize) < lighter + 2 {
            let said = format!("`attempts`, {}, leaves no second request for the targets", alias.attempts);
            wrong.push(("hedge", said));
        }
        wrong
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let percent = s.strip_suffix('%').and_then(|n| n.parse().ok());
        percent.map(Self).ok_or_else(|| format!("not a share of calls: `{s}`; write whole percent: `5%`"))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+%$", "examples": ["5%"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::Named;

    fn problems(more: &str) -> Vec<(String, String)> {
        let alias = format!("name = 'a'\ntargets = ['use1/x.y', 'usw2/x.y']\n{more}");
        let base = crate::TimeoutConfig::default().build();
        let found = toml::from_str::<ModelConfig>(&alias)
            .unwrap()
            .problems(&["use1", "usw2"].map(|name| Named { name, bedrocks: true }), base);
        found.into_iter().map(|p| (p.member, p.said)).collect()
    }

    #[test]
    fn what_cannot_be_is_named_with_its_place() {
        assert_eq!(problems("hedge = { after = '2s', most = '5%' }"), []);
        for (more, member, said) in [
            ("hedge = { after = '2s', most = '0%' }", "hedge.most", "within 1% and 50%"),
            ("hedge = { after = '2s', most = '51%' }", "hedge.most", "within 1% and 50%"),
            ("hedge = { after = '120s', most = '5%' }", "hedge.after", "`first_token`, 2m"),
            (
                "timeout = { first_token = '2s' }\nhedge = { after = '2s', most = '5%' }",
                "hedge.after",
                "`first_token`, 2s",
            ),
            (
                "timeout = { total = '2s', first_token = '2s', idle = '1s' }\nhedge = { after = '3s', most = '5%' }",
                "hedge.after",
                "does not come before",
            ),
            ("hedge = { after = '0s', most = '5%' }", "hedge.after", "no time"),
            ("attempts = 1\nhedge = { after = '2s', most = '5%' }", "hedge", "`attempts`, 1"),
            (
                "attempts = 2\nfallback = [{ target = 'use1/x.z' }]\nhedge = { after = '2s', most = '5%' }",
                "hedge",
                "`attempts`, 2",
            ),
        ] {
            let found = problems(more);
            assert!(
                found.len() == 1 && found[0].0 == member && found[0].1.contains(said),
                "{more}: {found:?}"
            );
        }
        let one = "name = 'a'\ntargets = ['use1/x.y']\nhedge = { after = '2s', most = '5%' }";
        let base = crate::TimeoutConfig::default().build();
        let found = toml::from_str::<ModelConfig>(one)
            .unwrap()
            .problems(&[Named { name: "use1", bedrocks: true }], base);
        assert!(found[0].member == "hedge" && found[0].said.contains("no other target"));
    }

    #[test]
    fn a_share_is_whole_percent() {
        assert_eq!("5%".parse(), Ok(Share(5)));
        for wrong in ["5", "0.5%", "-1%", "300%", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
