//! What concerns a call, without asking each that might.

use std::collections::HashMap;
use std::sync::Arc;

use bedplate_cost::budget::{Dimension, Scope, Who};
use foldhash::fast::FixedState;

/// Things with a scope, each under the narrowest value that its scope names: of a hundred thousand for as many keys a
/// call looks at one.
pub(crate) struct ByScope<T> {
    /// Those that name no value.
    general: Vec<T>,
    /// By key, alias, feature, team and environment: the narrowest first.
    by: [HashMap<Arc<str>, Vec<T>, FixedState>; 5],
    len: usize,
}

impl<T> Default for ByScope<T> {
    fn default() -> Self {
        Self { general: Vec::new(), by: std::array::from_fn(|_| HashMap::default()), len: 0 }
    }
}

impl<T> ByScope<T> {
    pub(crate) fn add(&mut self, scope: &Scope, thing: T) {
        self.len += 1;
        match narrowest(scope) {
            Some((at, value)) => {
                if let Some(map) = self.by.get_mut(at) {
                    map.entry(value).or_default().push(thing);
                }
            }
            None => self.general.push(thing),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All of them, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.general.iter().chain(self.by.iter().flat_map(|map| map.values().flatten()))
    }

    /// Those that may concern a call; whether they do is their scopes' to say.
    pub(crate) fn each<'a>(&'a self, who: &Who<'_>, mut f: impl FnMut(&'a T)) {
        self.general.iter().for_each(&mut f);
        let [keys, aliases, features, teams, environments] = &self.by;
        let model = if who.model == who.alias { "" } else { who.model };
        for (map, value) in [
            (keys, who.key),
            (aliases, who.alias),
            (aliases, model),
            (features, who.feature),
            (teams, who.team),
            (environments, who.environment),
        ] {
            if !map.is_empty()
                && let Some(things) = map.get(value)
            {
                things.iter().for_each(&mut f);
            }
        }
    }
}

/// The narrowest dimension that a scope gives a value for.
fn narrowest(scope: &Scope) -> Option<(usize, Arc<str>)> {
    let dimensions = [&scope.key, &scope.alias, &scope.feature, &scope.team, &scope.environment];
    let named = |d: &Option<Dimension>| d.as_ref().filter(|d| !d.each()).map(|d| Arc::clone(&d.0));
    dimensions.into_iter().enumerate().find_map(|(at, dimension)| named(dimension).map(|value| (at, value)))
}
