//! Vendors' names of models, and what they mean here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The doors of vendors.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DoorsConfig {
    /// What vendors' names of models mean here: an alias, or a model or profile of Bedrock. A name that ends with `*` means
    /// all that begin so; of several the longest counts. Names that are not here are taken as they are.
    pub names: BTreeMap<String, String>,
}

impl DoorsConfig {
    /// What is wrong with it: the name, and why.
    pub fn problems(&self) -> impl Iterator<Item = (&str, String)> {
        self.names.iter().filter_map(|(from, to)| {
            let why = if from.trim_end_matches('*').contains('*') {
                "`*` may stand at the end only".to_owned()
            } else if from.is_empty() || to.is_empty() {
                "a name is empty".to_owned()
            } else if to.ends_with('*') {
                format!("`{to}` is no name of a model")
            } else {
                return None;
            };
            Some((from.as_str(), why))
        })
    }
}

/// The table, compiled.
#[derive(Debug, Default)]
pub struct Names {
    whole: BTreeMap<String, String>,
    /// The longest first.
    beginnings: Vec<(String, String)>,
}

impl Names {
    pub fn new(config: &DoorsConfig) -> Self {
        let mut names = Self::default();
        for (from, to) in &config.names {
            match from.strip_suffix('*') {
                Some(beginning) => names.beginnings.push((beginning.to_owned(), to.clone())),
                None => {
                    names.whole.insert(from.clone(), to.clone());
                }
            }
        }
        names.beginnings.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        names
    }

    /// What a name means; itself where the table does not say.
    pub(crate) fn of(&self, name: &str) -> String {
        let whole = self.whole.get(name);
        let found = whole.or_else(|| {
            self.beginnings.iter().find(|(beginning, _)| name.starts_with(beginning)).map(|(_, to)| to)
        });
        found.map_or(name, String::as_str).to_owned()
    }

    /// The names that stand for one model each.
    pub(crate) fn whole(&self) -> impl Iterator<Item = (&str, &str)> {
        self.whole.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(names: &[(&str, &str)]) -> DoorsConfig {
        DoorsConfig { names: names.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect() }
    }

    #[test]
    fn the_whole_name_counts_before_the_longest_beginning() {
        let names = Names::new(&config(&[("gpt-*", "any"), ("gpt-4o*", "four"), ("gpt-4o-mini", "small")]));
        for (name, to) in
            [("gpt-4o-mini", "small"), ("gpt-4o-2024", "four"), ("gpt-5", "any"), ("other", "other")]
        {
            assert_eq!(names.of(name), to);
        }
    }

    #[test]
    fn names_that_mean_nothing_are_found() {
        let config = config(&[("g*t", "a"), ("", "a"), ("ok*", "a"), ("x", "b*"), ("y", "")]);
        let wrong: Vec<&str> = config.problems().map(|(name, _)| name).collect();
        assert_eq!(wrong, ["", "g*t", "x", "y"]);
    }
}
