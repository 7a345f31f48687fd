//! `[[model.rule]]`.

use bedplate_core::route::When;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{ModelProblem, Named, TargetConfig, problems_of_targets};

/// Other targets of an alias, for some of its calls. All else is the alias's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRuleConfig {
    /// For which calls: those that are all of what is said here.
    pub when: When,
    /// What is called for them, in place of the alias's own targets.
    pub targets: Vec<TargetConfig>,
}

/// What is wrong with the rules of an alias.
pub(super) fn problems_of_rules(rules: &[ModelRuleConfig], providers: &[Named<'_>]) -> Vec<ModelProblem> {
    let mut wrong = Vec::new();
    for (n, rule) in rules.iter().enumerate() {
        let mut add = |member: String, said: String| wrong.push(ModelProblem { member, said });
        let at = format!("rule.{n}.when");
        // one without a condition is a mistake by itself, and no second one of those after it
        let covers = |before: &ModelRuleConfig| !before.when.is_empty() && before.when.covers(&rule.when);
        let before = rules.iter().take(n).position(covers);
        let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        if rule.when.is_empty() {
            let said = "a rule needs a condition: without one its targets are those of the alias";
            // a size that could not be read is no second mistake
            add(format!("{at}.input"), said.into());
        } else if [&rule.when.feature, &rule.when.team, &rule.when.environment].into_iter().any(empty) {
            add(at, "a condition that is empty fits no call".into());
        } else if let Some(before) = before {
            add(at, format!("nothing is left for it: every call it is for is one of `rule.{before}`"));
        }
        wrong.extend(problems_of_targets(&format!("rule.{n}.targets"), &rule.targets, providers));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(toml: &str) -> Vec<(String, String)> {
        #[derive(Deserialize)]
        struct Rules {
            rule: Vec<ModelRuleConfig>,
        }
        let Rules { rule } = toml::from_str(toml).unwrap();
        problems_of_rules(&rule, &[Named { name: "use1", bedrocks: true }])
            .into_iter()
            .map(|p| (p.member, p.said))
            .collect()
    }

    #[test]
    fn rules_that_cannot_be_are_named_with_their_place() {
        let one = |toml: &str| problems(toml).remove(0);
        let good = "[[rule]]\nwhen = { team = 'ops' }\ntargets = ['use1/x.y']\n";
        assert_eq!(problems(good), []);
        let (place, said) = one("[[rule]]\nwhen = {}\ntargets = ['use1/x.y']");
        assert!(place == "rule.0.when.input" && said.contains("needs a condition"), "{said}");
        assert_eq!(problems(&format!("[[rule]]\nwhen = {{}}\ntargets = ['use1/x.y']\n{good}")).len(), 1);
        assert_eq!(one("[[rule]]\nwhen = { feature = '' }\ntargets = ['use1/x.y']").0, "rule.0.when");
        assert_eq!(one("[[rule]]\nwhen = { team = 'a' }\ntargets = []").0, "rule.0.targets");
        let weightless = "[[rule]]\nwhen = { team = 'a' }\ntargets = [{ target = 'use1/x.y', weight = 0 }]";
        assert_eq!(one(weightless).0, "rule.0.targets");
        let (place, said) = one("[[rule]]\nwhen = { team = 'a' }\ntargets = ['use1/x.y', 'use1/other']");
        assert!(place == "rule.0.targets.1" && said.contains("not to aliases"), "{said}");
        let after = "[[rule]]\nwhen = { team = 'ops', input = '> 1KiB' }\ntargets = ['use1/x.y']";
        let (place, said) = one(&format!("{good}{after}"));
        assert!(place == "rule.1.when" && said.contains("`rule.0`"), "{said}");
        assert_eq!(problems(&format!("{after}\n{good}")), []);
    }
}
