//! Where the answer to a call lies: made of everything that decides it, and of who may have it.

use bedplate_core::cache::{CacheKey, Canonical, Fingerprint, KeyParts, Place, Tags};
use bedplate_core::key::Key;
use bedplate_core::principal::Principal;
use bedplate_cost::named;

use super::InForce;
use crate::admit::Admitted;
use crate::compose::Aim;

pub(super) fn place(admitted: &Admitted, aim: &Aim, request: &Canonical, in_force: &InForce) -> Place {
    let call = &admitted.call;
    let who = &admitted.principal;
    let facts = aim.provider.facts();
    let key = CacheKey::of(&KeyParts {
        tenant: [&who.team, &who.environment, &who.feature],
        rights: rights(&call.key, who),
        operation: call.operation,
        provider: [&facts.name, &facts.region, &facts.account],
        target: &aim.target,
        family: request.family,
        prompt: in_force.prompt,
        guard: in_force.guard,
        policy: in_force.policy,
        request: Fingerprint::of("request 1", [&request.request.bytes()[..], call.query.as_bytes()]),
    });
    // a model is purged by whichever of its names
    let model = named(&call.name).unwrap_or(&call.name).into();
    Place { key, tags: Tags { team: who.team.clone(), feature: who.feature.clone(), model } }
}

/// What a key may do: two keys of a team share answers only when they have the same rights.
fn rights(key: &Key, who: &Principal) -> Fingerprint {
    let sorted = |names: &[std::sync::Arc<str>]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (models, features) = (sorted(&key.models), sorted(&key.features));
    let count = (models.len() as u64).to_be_bytes();
    let names = models.iter().chain(&features).map(|name| name.as_bytes());
    Fingerprint::of("rights 1", [who.risk_profile.as_bytes(), &count].into_iter().chain(names))
}
