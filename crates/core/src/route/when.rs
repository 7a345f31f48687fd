//! Which calls a rule of an alias is for.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Size;

/// What a call must be for a rule to be its rule: all of what is said.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// It counts on this feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Its key is of this team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Its key is of this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How large its request body is: `"> 32KiB"`, `"<= 4KiB"`, or both ends, `"> 4KiB, <= 32KiB"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
}

/// What rules look at of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    pub feature: &'a str,
    pub team: &'a str,
    pub environment: &'a str,
    /// Bytes of the body; no size is asked for of a call that says none.
    pub input: Option<u64>,
}

impl When {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn fits(&self, seen: Seen<'_>) -> bool {
        let is = |want: &Option<String>, has: &str| want.as_ref().is_none_or(|want| want == has);
        is(&self.feature, seen.feature)
            && is(&self.team, seen.team)
            && is(&self.environment, seen.environment)
            && self.input.as_ref().is_none_or(|input| seen.input.is_some_and(|bytes| input.holds(bytes)))
    }

    /// Whether every call that `other` is for is one that this is for.
    pub fn covers(&self, other: &Self) -> bool {
        let at_least = |ours: &Option<String>, theirs: &Option<String>| ours.is_none() || ours == theirs;
        let sizes = match (&self.input, &other.input) {
            (None, _) => true,
            (Some(ours), Some(theirs)) => ours.least <= theirs.least && theirs.most <= ours.most,
            (Some(ours), None) => ours.least == 0 && ours.most == u64::MAX,
        };
        sizes
            && at_least(&self.feature, &other.feature)
            && at_least(&self.team, &other.team)
            && at_least(&self.environment, &other.environment)
    }
}

/// For people: `feature search, input > 32KiB`.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("feature", &self.feature), ("team", &self.team), ("environment", &self.environment)];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let input = self.input.as_ref().map(|input| ("input", &*input.said));
        for (n, (name, value)) in named.chain(input).enumerate() {
            write!(f, "{}{name} {value}", if n > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Sizes of bodies, from one number of bytes to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("examples" = ["> 32KiB"]))]
pub struct Input {
    /// As it was written.
    said: String,
    least: u64,
    most: u64,
}

impl Input {
    fn holds(&self, bytes: u64) -> bool {
        (self.least..=self.most).contains(&bytes)
    }
}

impl FromStr for Input {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (mut least, mut most) = (None, None);
        for part in s.split(',') {
            let part = part.trim();
            let marks = part.len() - part.trim_start_matches(['<', '>', '=']).len();
            let (mark, size) = part.split_at(marks);
            let wrong = || {
                format!("not a condition on sizes: `{s}`; write `> 32KiB`, `<= 4KiB` or `> 4KiB, <= 32KiB`")
            };
            let Size(bytes) = size.trim().parse().map_err(|_| wrong())?;
            let (end, bound) = match mark {
                ">" => (&mut least, bytes.checked_add(1)),
                ">=" => (&mut least, Some(bytes)),
                "<" => (&mut most, bytes.checked_sub(1)),
                "<=" => (&mut most, Some(bytes)),
                _ => return Err(wrong()),
            };
            let bound = bound.ok_or_else(|| format!("`{s}` contradicts itself: no size is `{part}`"))?;
            if end.replace(bound).is_some() {
                return Err(format!("`{s}` bounds the same end twice"));
            }
        }
        let (least, most) = (least.unwrap_or(0), most.unwrap_or(u64::MAX));
        if least > most {
            return Err(format!("`{s}` contradicts itself: no size is both"));
        }
        Ok(Self { said: s.to_owned(), least, most })
    }
}

impl TryFrom<String> for Input {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Input> for String {
    fn from(input: Input) -> Self {
        input.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(feature: Option<&str>, input: Option<&str>) -> When {
        let input = input.map(|s| s.parse().unwrap());
        When { feature: feature.map(str::to_owned), input, ..When::default() }
    }

    #[test]
    fn a_call_must_be_all_of_what_is_said() {
        let rule = when(Some("search"), Some("> 4KiB, <= 32KiB"));
        let seen = |feature, input| Seen { feature, input, ..Seen::default() };
        assert!(rule.fits(seen("search", Some(4_097))) && rule.fits(seen("search", Some(32_768))));
        assert!(!rule.fits(seen("search", Some(4_096))) && !rule.fits(seen("search", Some(32_769))));
        assert!(!rule.fits(seen("search", None)) && !rule.fits(seen("chat", Some(5_000))));
        assert_eq!(rule.to_string(), "feature search, input > 4KiB, <= 32KiB");
        assert!(When::default().is_empty() && !rule.is_empty());
    }

    #[test]
    fn sizes_that_contradict_themselves_are_none() {
        for (text, said) in [
            ("> 32KiB, <= 4KiB", "no size is both"),
            ("< 0B", "no size is `< 0B`"),
            ("> 1KiB, > 2KiB", "twice"),
            ("32KiB", "not a condition"),
            ("> many", "not a condition"),
            ("", "not a condition"),
        ] {
            let error = text.parse::<Input>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!("<= 0B".parse::<Input>().unwrap().holds(0));
    }

    #[test]
    fn a_wider_rule_covers_a_narrower_one() {
        let (all, search) = (when(None, Some("> 1KiB")), when(Some("search"), Some("> 2KiB")));
        assert!(all.covers(&search) && !search.covers(&all));
        assert!(when(None, Some(">= 0B")).covers(&When::default()));
        assert!(!when(None, Some("<= 1KiB")).covers(&When::default()));
        assert!(!when(Some("chat"), None).covers(&search));
    }
}
