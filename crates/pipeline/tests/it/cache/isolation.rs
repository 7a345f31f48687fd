//! No answer crosses a boundary: random callers, rights, models, prompts and policies against a small reference.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::{Cache, Fingerprint, Mark, Purge};
use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::key::Key;
use bedplate_pipeline::{Call, InForce, Pipeline};
use proptest::prelude::*;

use super::hall::{Hall, rule};
use crate::house::{Plain, call_as};

/// Everything that decides who may have which answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Identity {
    team: usize,
    environment: usize,
    feature: usize,
    risk_profile: usize,
    /// The key's list of models, and of features.
    rights: (usize, usize),
    operation: usize,
    model: usize,
    in_force: usize,
    prompt: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Identity),
    Wait(u64),
    Purge(usize, usize),
}

const TEAMS: [&str; 3] = ["a", "b", "ab"];
const ENVIRONMENTS: [&str; 2] = ["b", "prod"];
const FEATURES: [&str; 2] = ["x", "bx"];
const PROFILES: [&str; 2] = ["internal", "public-chat"];
const MODELS: [&str; 2] = ["us.amazon.nova-lite-v1:0", "us.amazon.nova-micro-v1:0"];
const LISTS: [&[&str]; 3] = [&[], &["us.amazon.*"], &["us.*", "us.amazon.*"]];
const MAY_NAME: [&[&str]; 2] = [&[], &["us.amazon.*"]];
const OPERATIONS: [Operation; 2] = [Operation::Converse, Operation::ConverseStream];
const PROMPTS: [&str; 3] = ["a", "b", "ab"];

impl Identity {
    fn call(&self) -> Call {
        let names = |list: &[&str]| list.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
        let mut call = call_as(OPERATIONS[self.operation], |key: &mut Key| {
            key.principal.team = TEAMS[self.team].into();
            key.principal.environment = ENVIRONMENTS[self.environment].into();
            key.principal.feature = FEATURES[self.feature].into();
            key.principal.risk_profile = PROFILES[self.risk_profile].into();
            key.models = names(LISTS[self.rights.0]);
            key.features = names(MAY_NAME[self.rights.1]);
        });
        call.name = MODELS[self.model].to_owned();
        call.body = Arc::new(Plain(Content::new(PROMPTS[self.prompt].into())));
        call
    }

    fn is_purged(&self, what: &Purge) -> bool {
        match what {
            Purge::All => true,
            Purge::Team(team) => TEAMS[self.team] == team,
            Purge::Feature(feature) => FEATURES[self.feature] == feature,
            Purge::Model(model) => MODELS[self.model] == model,
        }
    }
}

/// None, and one for each slot.
fn in_force() -> [InForce; 5] {
    let (one, two) = (Fingerprint::of("1", []), Fingerprint::of("2", []));
    [
        InForce::default(),
        InForce { prompt: one, ..InForce::default() },
        InForce { guard: one, ..InForce::default() },
        InForce { policy: one, ..InForce::default() },
        InForce { policy: two, ..InForce::default() },
    ]
}

fn identity() -> impl Strategy<Value = Identity> {
    let who = (0..TEAMS.len(), 0..ENVIRONMENTS.len(), 0..FEATURES.len(), 0..PROFILES.len());
    let rights = (0..LISTS.len(), 0..MAY_NAME.len());
    let what = (0..OPERATIONS.len(), 0..MODELS.len(), 0usize..5, 0..PROMPTS.len());
    (who, rights, what).prop_map(|(who, rights, what)| {
        let (team, environment, feature, risk_profile) = who;
        let (operation, model, in_force, prompt) = what;
        Identity { team, environment, feature, risk_profile, rights, operation, model, in_force, prompt }
    })
}

/// Few callers in each run, so that they meet; neighbours that differ in one thing alone.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let callers = proptest::collection::vec(identity(), 2..12);
    callers.prop_flat_map(|callers| {
        let near = (0..callers.len(), identity(), 0usize..10).prop_map({
            let callers = callers.clone();
            move |(n, other, what)| {
                let mut near = callers[n].clone();
                match what {
                    0 => near.team = other.team,
                    1 => near.environment = other.environment,
                    2 => near.feature = other.feature,
                    3 => near.risk_profile = other.risk_profile,
                    4 => near.rights = other.rights,
                    5 => near.operation = other.operation,
                    6 => near.model = other.model,
                    7 => near.in_force = other.in_force,
                    8 => near.prompt = other.prompt,
                    _ => {}
                }
                Step::Ask(near)
            }
        });
        let step = prop_oneof![
            60 => near,
            1 => (0u64..500).prop_map(Step::Wait),
            1 => (0usize..4, 0usize..3).prop_map(|(kind, which)| Step::Purge(kind, which)),
        ];
        proptest::collection::vec(step, 500)
    })
}

fn purge(kind: usize, which: usize) -> Purge {
    match kind {
        0 => Purge::All,
        1 => Purge::Team(TEAMS[which].into()),
        2 => Purge::Feature(FEATURES[which % 2].into()),
        _ => Purge::Model(MODELS[which % 2].into()),
    }
}

/// What each identity was answered last, and when.
type Reference = HashMap<Identity, (String, u64)>;

async fn play(steps: &[Step]) -> (usize, usize) {
    let hall = Hall::at(rule(), &[], Duration::ZERO);
    let pipelines: Vec<Pipeline> = in_force().into_iter().map(|in_force| hall.under(in_force)).collect();
    let (mut known, mut now, mut hits, mut asked) = (Reference::new(), 0, 0, 0);
    for step in steps {
        match step {
            Step::Wait(secs) => {
                hall.house.clock.advance(Duration::from_secs(*secs));
                now += secs;
            }
            Step::Purge(kind, which) => {
                let what = purge(*kind, *which);
                known.retain(|identity, _| !identity.is_purged(&what));
                hall.single.purge(&what).await.unwrap();
            }
            Step::Ask(identity) => {
                asked += 1;
                let got = hall.ask_in(&pipelines[identity.in_force], identity.call()).await.unwrap();
                let fresh = known.get(identity).filter(|(_, made)| now - made < 600);
                match fresh {
                    Some((body, _)) => {
                        hits += 1;
                        assert_eq!((got.mark, &got.body), (Some(Mark::Hit), body), "{identity:?}");
                    }
                    None => {
                        assert_eq!(got.mark, Some(Mark::Miss), "{identity:?} got {}", got.body);
                        known.insert(identity.clone(), (got.body, now));
                    }
                }
            }
        }
    }
    (asked, hits)
}

#[test]
fn no_answer_crosses_a_boundary_in_a_hundred_thousand_lookups() {
    use proptest::test_runner::{Config, TestRunner};
    let config = Config { cases: 220, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let sums = std::sync::Mutex::new((0, 0));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let played = runner.run(&steps(), |steps| {
        let (asked, hits) = runtime.block_on(play(&steps));
        let mut sums = sums.lock().unwrap();
        *sums = (sums.0 + asked, sums.1 + hits);
        Ok(())
    });
    played.unwrap_or_else(|e| panic!("{e}"));
    let (asked, hits) = sums.into_inner().unwrap();
    assert!(asked >= 100_000, "{asked} lookups");
    assert!(hits * 4 > asked, "{hits} of {asked}: callers hardly met");
}
