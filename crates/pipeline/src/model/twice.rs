//! Targets of an alias that stand there twice.

use std::collections::HashSet;

use super::config::{ModelConfig, RungConfig};

impl ModelConfig {
    /// Targets that stand among those of the same call already, with their place: of the alias, of its fallback (which
    /// comes after the alias's own), of a rule.
    pub(super) fn twice(&self) -> Vec<(String, &str)> {
        let rungs = self.fallback.iter().enumerate().filter_map(|(n, rung)| match rung {
            RungConfig::Target(target) => Some((format!("fallback.{n}"), target)),
            RungConfig::Cache(_) | RungConfig::Answer(_) => None,
        });
        let own = self.targets.iter().enumerate().map(|(n, target)| (format!("targets.{n}"), target));
        let mut lines = vec![own.chain(rungs).collect::<Vec<_>>()];
        lines.extend(self.rule.iter().enumerate().map(|(at, rule)| {
            let targets = rule.targets.iter().enumerate();
            targets.map(|(n, target)| (format!("rule.{at}.targets.{n}"), target)).collect()
        }));
        let mut twice = Vec::new();
        for line in lines {
            let mut seen = HashSet::new();
            for (place, target) in line {
                // another tier is another way to be served
                let tier = target.tier.as_deref().filter(|tier| *tier != "default");
                if !seen.insert((target.target.as_str(), tier)) {
                    twice.push((place, target.target.as_str()));
                }
            }
        }
        twice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_named_at_its_second_place() {
        let places = |toml: &str| {
            let model: ModelConfig = toml::from_str(&format!("name = 'a'\n{toml}")).unwrap();
            model.twice().into_iter().map(|(place, _)| place).collect::<Vec<_>>()
        };
        let own = "targets = ['use1/x.y']\n";
        assert_eq!(places("targets = ['use1/x.y', 'usw2/x.y', 'use1/x.y']"), ["targets.2"]);
        assert_eq!(places(&format!("{own}fallback = [{{ target = 'use1/x.y' }}]")), ["fallback.0"]);
        let tiers = "targets = ['use1/x.y', { target = 'use1/x.y', tier = 'flex' }]";
        assert_eq!(places(tiers), [""; 0], "another tier is another target");
        let plain = "targets = ['use1/x.y', { target = 'use1/x.y', tier = 'default' }]";
        assert_eq!(places(plain), ["targets.1"]);
        let rule = "[[rule]]\nwhen = { team = 'b' }\ntargets = ['use1/x.y', 'use1/x.y']";
        assert_eq!(places(&format!("{own}{rule}")), ["rule.0.targets.1"]);
    }
}
