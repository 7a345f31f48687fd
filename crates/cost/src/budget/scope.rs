//! Whom a budget concerns, or a throttle.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named;

/// Every dimension that is named must match.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// A team, or `"*"`: each team by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Dimension>,
    /// A feature, or `"*"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<Dimension>,
    /// An environment, or `"*"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Dimension>,
    /// A key's id, or `"*"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Dimension>,
    /// The model's name as callers use it: an alias, a model id or an ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<Dimension>,
}

/// A value, or `*`: each value by itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Dimension(pub Arc<str>);

impl Dimension {
    pub fn each(&self) -> bool {
        &*self.0 == "*"
    }
}

/// The dimensions of a call.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    pub team: &'a str,
    pub feature: &'a str,
    pub environment: &'a str,
    pub key: &'a str,
    /// The model as the caller named it, or the id that its ARN says.
    pub alias: &'a str,
    /// The model behind that, where it is another: of an application inference profile.
    pub model: &'a str,
}

impl Scope {
    /// # Errors
    /// Names a value that no call can have: what it is the scope of would never bind.
    pub fn check(&self) -> Result<(), String> {
        let nobody = Who { team: "", feature: "", environment: "", key: "", alias: "", model: "" };
        for (name, dimension, _) in self.pairs(&nobody) {
            let Some(Dimension(value)) = dimension else { continue };
            if value.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(format!("no {name} is called `{value}`: names have no spaces and are not empty"));
            }
            if value.contains('*') && &**value != "*" {
                return Err(format!(
                    "`{value}` is no {name}: write a name, or `*` for each {name} by itself"
                ));
            }
        }
        Ok(())
    }

    /// With the model's id in place of an ARN that says it: whoever calls the one calls the other.
    pub fn by_id(&self) -> Self {
        let id = |d: &Dimension| Dimension(named(&d.0).map_or_else(|| Arc::clone(&d.0), Arc::from));
        Self { alias: self.alias.as_ref().map(id), ..self.clone() }
    }

    /// Whether the budget or throttle concerns a call.
    pub fn concerns(&self, who: &Who<'_>) -> bool {
        self.pairs(who).into_iter().all(|(name, dimension, value)| {
            dimension.is_none_or(|dimension| {
                dimension.each() || &*dimension.0 == value || (name == "alias" && *dimension.0 == *who.model)
            })
        })
    }

    /// The part of the budget or throttle that a call is counted on: `team=support,key=key_a` for the dimensions that are
    /// counted each by itself, empty when there are none; `None` when it does not concern the call.
    pub fn of(&self, who: &Who<'_>) -> Option<Arc<str>> {
        if !self.concerns(who) {
            return None;
        }
        let pairs = self.pairs(who);
        let counted = pairs.iter().filter(|(_, dimension, _)| dimension.is_some_and(Dimension::each));
        let mut of =
            String::with_capacity(counted.map(|(name, _, value)| name.len() + value.len() + 2).sum());
        for (name, dimension, value) in pairs {
            if dimension.is_some_and(Dimension::each) {
                if !of.is_empty() {
                    of.push(',');
                }
                of.push_str(name);
                of.push('=');
                of.push_str(value);
            }
        }
        Some(of.into())
    }

    /// For people: `team support, each key`; `everything` when nothing is named.
    pub fn describe(&self) -> String {
        let nobody = Who { team: "", feature: "", environment: "", key: "", alias: "", model: "" };
        let said: Vec<String> = self
            .pairs(&nobody)
            .into_iter()
            .filter_map(|(name, dimension, _)| {
                dimension.map(|d| if d.each() { format!("each {name}") } else { format!("{name} {}", d.0) })
            })
            .collect();
        if said.is_empty() { "everything".into() } else { said.join(", ") }
    }

    fn pairs<'a>(&'a self, who: &Who<'a>) -> [(&'static str, Option<&'a Dimension>, &'a str); 5] {
        [
            ("team", self.team.as_ref(), who.team),
            ("feature", self.feature.as_ref(), who.feature),
            ("environment", self.environment.as_ref(), who.environment),
            ("key", self.key.as_ref(), who.key),
            ("alias", self.alias.as_ref(), who.alias),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Who<'_> = Who {
        team: "support",
        feature: "triage",
        environment: "prod",
        key: "key_a",
        alias: "small",
        model: "small",
    };

    fn scope(toml: &str) -> Scope {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn every_dimension_that_is_named_must_match() {
        assert_eq!(scope("").of(&WHO).as_deref(), Some(""));
        assert_eq!(scope("team = 'support'\nfeature = 'triage'").of(&WHO).as_deref(), Some(""));
        assert_eq!(scope("team = 'support'\nfeature = 'other'").of(&WHO), None);
        assert!(scope("").concerns(&WHO) && scope("team = '*'\nkey = 'key_a'").concerns(&WHO));
        assert!(!scope("team = '*'\nkey = 'key_b'").concerns(&WHO));
        let behind = Who { model: "behind", ..WHO };
        assert!(scope("alias = 'behind'").concerns(&behind) && scope("alias = 'small'").concerns(&behind));
        assert!(!scope("alias = 'behind'").concerns(&WHO) && !scope("team = 'behind'").concerns(&behind));
    }

    #[test]
    fn a_star_counts_each_by_itself() {
        let scope = scope("team = '*'\nkey = '*'\nenvironment = 'prod'");
        assert_eq!(scope.of(&WHO).as_deref(), Some("team=support,key=key_a"));
        assert_eq!(scope.describe(), "each team, environment prod, each key");
    }
}
