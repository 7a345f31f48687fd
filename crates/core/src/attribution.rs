//! Whom and what a call is counted on, as AWS's own logs are told.

use serde::{Deserialize, Serialize};

/// The names of the pairs that bedplate adds to request metadata, in order of worth: of those that a call has, what
/// finds no room is left out from the end. Callers cannot use the prefix `bedplate:`.
pub const STAMPS: [&str; 9] = [
    "bedplate:call",
    "bedplate:team",
    "bedplate:feature",
    "bedplate:env",
    "bedplate:user",
    "bedplate:chain",
    "bedplate:alias",
    "bedplate:prompt",
    "bedplate:prompt-version",
];

/// The released prompt that a call was made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PromptUse {
    pub name: String,
    pub version: String,
}

/// What a call is counted on. Team, feature and environment come from the key; user and chain are the application's
/// own words.
#[derive(Clone, Copy, Debug)]
pub struct Attribution<'a> {
    pub team: &'a str,
    pub feature: &'a str,
    pub environment: &'a str,
    pub user: Option<&'a str>,
    pub chain: Option<&'a str>,
    /// The model as the caller named it.
    pub alias: &'a str,
    pub prompt: Option<&'a PromptUse>,
}

impl<'a> Attribution<'a> {
    /// The pairs of a call, in the order of [`STAMPS`]; what is not known is left out.
    pub fn pairs(&self, call: &'a str) -> impl Iterator<Item = (&'static str, &'a str)> {
        let values = [
            Some(call),
            Some(self.team),
            Some(self.feature),
            Some(self.environment),
            self.user,
            self.chain,
            Some(self.alias).filter(|alias| !alias.is_empty()),
            self.prompt.map(|prompt| &*prompt.name),
            self.prompt.map(|prompt| &*prompt.version),
        ];
        STAMPS.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?)))
    }
}

/// The most characters that AWS takes of a key or value of request metadata.
pub const CHARS: usize = 256;

/// Text as request metadata takes it: the first [`CHARS`] characters, those that AWS does not allow replaced by `_`.
/// What is left is ASCII and needs no escapes in JSON.
pub fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().take(CHARS).map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' => c,
        ':' | '_' | '@' | '$' | '#' | '=' | '/' | '+' | ',' | '-' | '.' => c,
        _ => '_',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Attribution<'_> = Attribution {
        team: "support",
        feature: "triage",
        environment: "prod",
        user: None,
        chain: None,
        alias: "us.amazon.nova-lite-v1:0",
        prompt: None,
    };

    #[test]
    fn what_is_known_stands_in_order_of_worth() {
        let names = |of: Attribution<'_>| of.pairs("id").map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(FEW), [&STAMPS[..4], &STAMPS[6..7]].concat());
        let prompt = PromptUse { name: "greeting".into(), version: "3".into() };
        let all = Attribution { user: Some("u-1"), chain: Some("run-7"), prompt: Some(&prompt), ..FEW };
        assert_eq!(names(all), STAMPS);
        assert_eq!(all.pairs("id").map(|(_, value)| value).last(), Some("3"));
    }

    #[test]
    fn text_is_made_to_fit() {
        let fitted: String = plain("a\"b\\é(1)\n").collect();
        assert_eq!(fitted, "a_b___1__");
        assert_eq!(plain(&"é".repeat(300)).count(), CHARS);
    }
}
