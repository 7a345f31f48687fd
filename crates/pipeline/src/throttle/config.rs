//! `[[throttle]]`.

use std::collections::HashSet;
use std::sync::Arc;

use bedplate_core::pace::Class;
use bedplate_core::rate::HIGHEST;
use bedplate_cost::budget::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much callers may ask at a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThrottleConfig {
    /// 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// Whom it concerns: `{ team = "support", feature = "triage" }`; `"*"` counts each by itself: `{ key = "*" }`.
    /// Without a scope all calls are counted together.
    #[serde(default)]
    pub scope: Scope,
    /// Requests a minute, kept answers too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// Prompt and output tokens a minute; what is read from the prompt cache does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u64>,
    /// Calls at a time that go to a model: one more waits as long as calls of its class may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The best class that these calls have, whatever they say: `interactive`, `batch`, `background`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Class>,
}

/// A throttle, compiled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Throttle {
    pub name: Arc<str>,
    pub scope: Scope,
    /// What its counts are found by: they are the same as long as this is.
    pub(super) counted: Arc<str>,
    pub rpm: Option<u64>,
    pub tpm: Option<u64>,
    pub concurrency: Option<u32>,
    pub priority: Option<Class>,
}

/// What is wrong with a throttle, and with which of its members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThrottleProblem {
    /// Empty when it is what the throttle lacks: any of `rpm`, `tpm`, `concurrency` and `priority`.
    pub member: &'static str,
    pub said: String,
}

impl ThrottleConfig {
    /// Everything that is wrong with this one alone.
    fn problems(&self) -> Vec<ThrottleProblem> {
        let mut found = Vec::new();
        let mut bad = |member, said: String| {
            found.push(ThrottleProblem { member, said: format!("`[[throttle]]` `{}`: {said}", self.name) });
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(plain) {
            bad("name", "a name has 1 to 64 of `a-z`, `0-9`, `-` and `_`".into());
        }
        if let Err(said) = self.scope.check() {
            bad("scope", said);
        }
        let slots = self.concurrency.map(u64::from);
        for (member, limit) in [("rpm", self.rpm), ("tpm", self.tpm), ("concurrency", slots)] {
            match limit {
                Some(0) => {
                    bad(member, format!("`{member} = 0` lets no call through: disable the keys instead"))
                }
                Some(limit) if limit > HIGHEST => {
                    bad(member, format!("`{member}` is {HIGHEST} at most"));
                }
                _ => {}
            }
        }
        if self.rpm.is_none() && self.tpm.is_none() && slots.is_none() && self.priority.is_none() {
            bad("", "it limits nothing: set `rpm`, `tpm`, `concurrency` or `priority`".into());
        }
        found
    }

    fn build(&self) -> Throttle {
        let scope = self.scope.by_id();
        let counted = format!("{}[{}]", self.name, scope.describe()).into();
        Throttle {
            name: self.name.as_str().into(),
            scope,
            counted,
            rpm: self.rpm,
            tpm: self.tpm,
            concurrency: self.concurrency,
            priority: self.priority,
        }
    }
}

/// Compiles all throttles.
///
/// # Errors
/// The place in the list and what is wrong, for each throttle that is.
pub fn all(configs: &[ThrottleConfig]) -> Result<Vec<Throttle>, Vec<(usize, ThrottleProblem)>> {
    let (mut names, mut wrong) = (HashSet::new(), Vec::new());
    for (at, config) in configs.iter().enumerate() {
        wrong.extend(config.problems().into_iter().map(|problem| (at, problem)));
        if !names.insert(&config.name) {
            let said = format!("`[[throttle]]`: two are named `{}`", config.name);
            wrong.push((at, ThrottleProblem { member: "name", said }));
        }
    }
    if wrong.is_empty() { Ok(configs.iter().map(ThrottleConfig::build).collect()) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttles(toml: &str) -> Result<Vec<Throttle>, Vec<(usize, ThrottleProblem)>> {
        #[derive(Deserialize)]
        struct File {
            throttle: Vec<ThrottleConfig>,
        }
        all(&toml::from_str::<File>(toml).unwrap().throttle)
    }

    #[test]
    fn counts_are_found_by_name_and_scope() {
        let counted = |more: &str| {
            let toml = format!("[[throttle]]\nname = 'keys'\n{more}");
            throttles(&toml).unwrap()[0].counted.to_string()
        };
        assert_eq!(counted("rpm = 60\nscope = { key = '*', team = 'a' }"), "keys[team a, each key]");
        assert_eq!(counted("rpm = 70\ntpm = 9\nscope = { key = '*', team = 'a' }"), "keys[team a, each key]");
        assert_ne!(counted("rpm = 60"), counted("rpm = 60\nscope = { key = '*' }"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |more: &str| {
            let toml = format!("[[throttle]]\nname = 'a'\nrpm = 1\n[[throttle]]\n{more}");
            let wrong = throttles(&toml).unwrap_err();
            assert_eq!((wrong.len(), wrong[0].0), (1, 1), "{wrong:?}");
            (wrong[0].1.member, wrong[0].1.said.clone())
        };
        assert_eq!(said("name = 'a'\nrpm = 1").1, "`[[throttle]]`: two are named `a`");
        assert_eq!(said("name = 'B c'\nrpm = 1").0, "name");
        assert_eq!(
            said("name = 'b'").1,
            "`[[throttle]]` `b`: it limits nothing: set `rpm`, `tpm`, `concurrency` or `priority`"
        );
        assert_eq!(said("name = 'b'\nrpm = 0").0, "rpm");
        assert_eq!(said("name = 'b'\ntpm = 0").0, "tpm");
        assert_eq!(said("name = 'b'\ntpm = 10000000001").0, "tpm");
        assert_eq!(said("name = 'b'\nrpm = 1\nscope = { team = 'a b' }").0, "scope");
        assert_eq!(said("name = 'b'\nrpm = 1\nscope = { team = 'sup*' }").0, "scope");
    }
}
