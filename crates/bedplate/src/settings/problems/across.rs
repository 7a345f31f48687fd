//! What sections say of each other that cannot be.

use std::collections::HashMap;

use bedplate_core::route::is_bedrocks;
use bedplate_cost::budget::Scope;

use super::Found;
use crate::settings::{Settings, nearest};

impl Settings {
    /// Why a name leads nowhere; `None` when it is an alias, or a name of Bedrock's, which Bedrock judges.
    pub(super) fn no_alias(&self, name: &str) -> Option<String> {
        if is_bedrocks(name) || self.model.iter().any(|model| model.name == name) {
            return None;
        }
        let near = nearest::of(name, self.model.iter().map(|model| model.name.as_str()));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        Some(format!("there is no `[[model]]` named `{name}`{hint}"))
    }

    /// A budget or a throttle of an alias that nobody can call would never bind.
    pub(super) fn scope_problems(&self, found: &mut Found<'_>) {
        // a server's own names of models may look like an alias
        if !self.provider.iter().all(bedplate_upstream::Config::names_as_bedrock) {
            return;
        }
        let alias = |scope: &Scope| {
            let alias = scope.alias.as_ref().filter(|alias| !alias.each())?;
            // one that can be no name at all is said already
            self.no_alias(&alias.0).filter(|_| scope.check().is_ok())
        };
        for (n, budget) in self.budget.iter().enumerate() {
            if let Some(said) = alias(&budget.scope) {
                let said = format!("`[[budget]]` `{}`: `scope`: {said}", budget.name);
                found.add(&[&format!("budget.{n}.scope.alias")], said);
            }
        }
        for (n, throttle) in self.throttle.iter().enumerate() {
            if let Some(said) = alias(&throttle.scope) {
                let said = format!("`[[throttle]]` `{}`: `scope`: {said}", throttle.name);
                found.add(&[&format!("throttle.{n}.scope.alias")], said);
            }
        }
    }

    /// AWS counts a quota by account and region, and so do we: two sections that say different things of one cannot
    /// both be right.
    pub(super) fn place_problems(&self, found: &mut Found<'_>) {
        let mut places = HashMap::new();
        for (n, provider) in self.provider.iter().enumerate() {
            let Some(quota) = provider.quota.as_ref().filter(|_| !provider.account.is_empty()) else {
                continue;
            };
            let (first, said) =
                *places.entry((&provider.account, &provider.region)).or_insert((&provider.name, quota));
            if said != quota {
                let said = format!(
                    "`[[provider]] quota` of `{}`: `{first}` is of the same account and region, which have one quota: \
                     say the same of both",
                    provider.name
                );
                found.add(&[&format!("provider.{n}.quota")], said);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::Settings;

    fn problems(text: &str) -> Vec<String> {
        Settings::examine(text, Path::new(".")).err().unwrap_or_default()
    }

    const PROVIDER: &str = "[[provider]]\nname = 'use1'\nkind = 'bedrock'\n";

    #[test]
    fn scopes_of_aliases_that_are_not_there_are_named() {
        let model = format!("{PROVIDER}[[model]]\nname = 'triage'\ntargets = ['use1/x.y']\n");
        let with = |section: &str| problems(&format!("{model}{section}"));
        let throttle = |alias: &str| {
            with(&format!("[[throttle]]\nname = 't'\nrpm = 1\nscope = {{ alias = '{alias}' }}"))
        };
        let [said] = &throttle("triag")[..] else { panic!("one") };
        assert!(said.starts_with("10:19: ") && said.contains("did you mean `triage`?"), "{said}");
        for good in ["triage", "us.amazon.nova-lite-v1:0", "*"] {
            assert_eq!(throttle(good), [""; 0], "{good}");
        }
        assert_eq!(throttle("a b").len(), 1);
        let budget = "[[budget]]\nname = 'b'\nlimit = '5 USD'\nperiod = 'month'\nscope = { alias = 'x' }";
        assert!(
            with(budget).iter().any(|said| said.contains("no `[[model]]` named `x`")),
            "{:?}",
            with(budget)
        );
    }

    #[test]
    fn an_account_has_one_quota_in_a_region() {
        let two = |account: &str, rpm: u64| {
            let at = |name: &str, rpm: u64| {
                let who = format!("[[provider]]\nname = '{name}'\nkind = 'bedrock'\naccount = '{account}'\n");
                format!("{who}quota = {{ from = 'config', rpm = {rpm} }}\n")
            };
            problems(&format!("{}{}", at("a", 1), at("b", rpm)))
        };
        assert_eq!(two("123456789012", 1), [""; 0]);
        assert_eq!(two("", 2), [""; 0], "an account that is not known may be another");
        let [said] = &two("123456789012", 2)[..] else { panic!("one") };
        assert!(said.starts_with("10:9: ") && said.contains("`a` is of the same account"), "{said}");
    }

    #[test]
    fn one_mistake_is_not_said_as_two() {
        let said = problems("[[throttle]]\nname = 't'\ntpm = '200k'\n");
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].ends_with("expected a whole number"), "{said:?}");
        let quota = format!("{PROVIDER}quota = {{ from = 'config', rpm = -1 }}\n");
        assert_eq!(problems(&quota).len(), 1, "{:?}", problems(&quota));
        assert_eq!(problems(&format!("{PROVIDER}quota = {{ from = 'config' }}\n")).len(), 1);
        assert_eq!(problems("[timeout]\nconnect = '10s'\ntotal = '5s'\n").len(), 1);
        assert_eq!(problems("[timeout]\ntotal = '0s'\n").len(), 1);
    }
}
