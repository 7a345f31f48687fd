//! Which role signs a caller's calls, and which inference profiles they name: found by looking up each shape of entry,
//! however many entries there are.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bedplate_core::principal::Principal;
use bedplate_pipeline::Tenancy;

use crate::tenancy::{TenantConfig, members};

#[derive(Default)]
pub(super) struct Tenants {
    entries: Vec<Entry>,
    /// Which members entries name, and the entries that name just those.
    shapes: Vec<([bool; 4], ByHash)>,
    /// Every profile that is somebody's.
    owned: HashSet<Arc<str>>,
    hashes: RandomState,
}

/// Places of entries, by the hash of what they name.
type ByHash = HashMap<u64, Vec<usize>>;

struct Entry {
    scope: [Option<Box<str>>; 4],
    role: Option<Arc<str>>,
    profiles: HashMap<Box<str>, Arc<str>>,
}

impl Tenants {
    pub(super) fn new(all: &[TenantConfig]) -> Self {
        let mut tenants = Self::default();
        for (at, config) in all.iter().enumerate() {
            let scope = config.scope();
            let shape = scope.map(|name| name.is_some());
            let hash = tenants.hashes.hash_one(scope.map(|name| name.unwrap_or_default()));
            let of_shape = match tenants.shapes.iter().position(|(other, _)| *other == shape) {
                Some(n) => tenants.shapes.get_mut(n),
                None => {
                    tenants.shapes.push((shape, HashMap::new()));
                    tenants.shapes.last_mut()
                }
            };
            if let Some((_, entries)) = of_shape {
                entries.entry(hash).or_default().push(at);
            }
            let profiles: HashMap<Box<str>, Arc<str>> = config
                .profiles
                .iter()
                .map(|(model, arn)| (model.as_str().into(), arn.as_str().into()))
                .collect();
            tenants.owned.extend(profiles.values().map(Arc::clone));
            tenants.entries.push(Entry {
                scope: scope.map(|name| name.map(Box::from)),
                role: config.role_arn.as_deref().map(Arc::from),
                profiles,
            });
        }
        tenants
    }

    /// The role of the first entry that fits the caller and names one.
    pub(super) fn role(&self, who: &Principal) -> Option<&Arc<str>> {
        self.first(who, |entry| entry.role.as_ref())
    }

    /// What the caller's tenant makes of a name: `model` is the id in it.
    pub(super) fn choice(&self, who: &Principal, name: &str, model: Option<&str>) -> Tenancy {
        if self.owned.is_empty() {
            return Tenancy::AsNamed;
        }
        if self.owned.contains(name) {
            let own = |entry: &Entry| entry.profiles.values().any(|arn| **arn == *name).then_some(());
            return if self.first(who, |entry| own(entry).as_ref().map(|_| entry)).is_some() {
                Tenancy::AsNamed
            } else {
                Tenancy::Foreign
            };
        }
        match model.and_then(|model| self.first(who, |entry| entry.profiles.get(model))) {
            Some(arn) => Tenancy::Profile(Arc::clone(arn)),
            None => Tenancy::AsNamed,
        }
    }

    /// What the first entry, in the order of configuration, has that fits the caller and has it.
    fn first<'a, T>(&'a self, who: &Principal, has: impl Fn(&'a Entry) -> Option<&'a T>) -> Option<&'a T> {
        let names = members(who);
        let mut found: Option<(usize, &T)> = None;
        for (shape, entries) in &self.shapes {
            let mut scope = names;
            for (name, named) in scope.iter_mut().zip(shape) {
                if !named {
                    *name = "";
                }
            }
            for at in entries.get(&self.hashes.hash_one(scope)).into_iter().flatten() {
                let Some(entry) = self.entries.get(*at).filter(|entry| entry.fits(&names)) else { continue };
                if let Some(thing) = has(entry)
                    && found.is_none_or(|(before, _)| *at < before)
                {
                    found = Some((*at, thing));
                }
            }
        }
        found.map(|(_, thing)| thing)
    }
}

impl Entry {
    fn fits(&self, names: &[&str; 4]) -> bool {
        self.scope.iter().zip(names).all(|(own, name)| own.as_deref().is_none_or(|own| own == *name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_core::key::KeyId;

    fn who([team, feature, environment, key]: [&str; 4]) -> Principal {
        Principal {
            key: KeyId(key.into()),
            team: team.into(),
            feature: feature.into(),
            environment: environment.into(),
            risk_profile: "".into(),
        }
    }

    fn entry(scope: [&str; 4], role: &str, profiles: &[(&str, &str)]) -> TenantConfig {
        let [team, feature, environment, key] = scope.map(|name| (!name.is_empty()).then(|| name.to_owned()));
        TenantConfig {
            team,
            feature,
            environment,
            key,
            role_arn: (!role.is_empty()).then(|| role.to_owned()),
            profiles: profiles.iter().map(|(m, arn)| ((*m).to_owned(), (*arn).to_owned())).collect(),
        }
    }

    const MODEL: &str = "us.amazon.nova-lite-v1:0";

    #[test]
    fn the_first_that_fits_and_has_it_decides() {
        let tenants = Tenants::new(&[
            entry(["pay", "", "prod", ""], "", &[(MODEL, "arn:pay-prod")]),
            entry(["pay", "", "", ""], "role-pay", &[(MODEL, "arn:pay")]),
            entry(["", "", "", "key_1"], "role-key", &[]),
            entry(["", "", "", ""], "role-all", &[]),
        ]);
        let role = |names| tenants.role(&who(names)).map(|role| role.to_string());
        assert_eq!(role(["pay", "f", "prod", "key_1"]).as_deref(), Some("role-pay"));
        assert_eq!(role(["ops", "f", "prod", "key_1"]).as_deref(), Some("role-key"));
        assert_eq!(role(["ops", "f", "prod", "key_2"]).as_deref(), Some("role-all"));
        let choice = |names, name, model| tenants.choice(&who(names), name, model);
        let profile = |arn: &str| Tenancy::Profile(arn.into());
        assert_eq!(choice(["pay", "f", "prod", "k"], MODEL, Some(MODEL)), profile("arn:pay-prod"));
        assert_eq!(choice(["pay", "f", "dev", "k"], MODEL, Some(MODEL)), profile("arn:pay"));
        assert_eq!(choice(["ops", "f", "prod", "k"], MODEL, Some(MODEL)), Tenancy::AsNamed);
        assert_eq!(choice(["pay", "f", "prod", "k"], "x.y", Some("x.y")), Tenancy::AsNamed);
        // another's profile cannot be named; one's own can, also one of a wider entry
        assert_eq!(choice(["ops", "f", "prod", "k"], "arn:pay", None), Tenancy::Foreign);
        assert_eq!(choice(["pay", "f", "dev", "k"], "arn:pay-prod", None), Tenancy::Foreign);
        assert_eq!(choice(["pay", "f", "prod", "k"], "arn:pay", None), Tenancy::AsNamed);
        assert_eq!(choice(["ops", "f", "prod", "k"], "arn:nobodys", None), Tenancy::AsNamed);
    }

    #[test]
    fn it_finds_what_a_search_from_the_top_finds() {
        let names = ["", "a", "b"];
        let mut all = Vec::new();
        // 81 scopes, in an order that is none of their own
        for n in 0..81_usize {
            let n = n * 47 % 81;
            let scope = [n / 27, n / 9 % 3, n / 3 % 3, n % 3].map(|i| names[i]);
            let profile = format!("arn:{n}");
            let profiles = if n % 3 == 1 { vec![(MODEL, profile.as_str())] } else { Vec::new() };
            all.push(entry(scope, if n % 4 == 0 { &profile } else { "" }, &profiles));
        }
        let tenants = Tenants::new(&all);
        for n in 0..81_usize {
            let who = who([n / 27, n / 9 % 3, n / 3 % 3, n % 3].map(|i| ["a", "b", "c"][i]));
            let fits = |config: &&TenantConfig| {
                config.scope().iter().zip(members(&who)).all(|(own, name)| own.is_none_or(|own| own == name))
            };
            let role = all.iter().filter(fits).find_map(|config| config.role_arn.clone());
            assert_eq!(tenants.role(&who).map(|role| role.to_string()), role);
            let profile = all.iter().filter(fits).find_map(|config| config.profiles.get(MODEL));
            let expected = profile.map_or(Tenancy::AsNamed, |arn| Tenancy::Profile(arn.as_str().into()));
            assert_eq!(tenants.choice(&who, MODEL, Some(MODEL)), expected);
        }
    }
}
