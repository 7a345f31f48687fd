//! Seeded schedules of targets that fail in every way and runs that are killed: whatever was written down is
//! delivered or a dead letter, to each target; of a key there is one notice.

use std::collections::BTreeMap;

use bedplate_core::ids::Ids;

use super::*;

const SEEDS: u64 = 150;

struct Chance(SeededIds);

impl Chance {
    fn below(&self, n: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % n
    }
}

fn script(seed: u64, never: bool) -> Arc<Script> {
    let chance = Chance(SeededIds::new(seed));
    Script::new(move |_, _| match chance.below(12) {
        0..=2 => Act::Takes,
        3 => Act::Slowly(secs(chance.below(9))),
        4 => Act::Slowly(secs(20)),
        5 => Act::Hangs,
        6 => Act::Fails(Again::After(secs(chance.below(200)))),
        7 if never => Act::Fails(Again::Never),
        _ => Act::Fails(Again::Soon),
    })
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_whatever_fails() {
    let (mut delivered, mut dead) = (0, 0);
    for seed in 0..SEEDS {
        let (d, g) = schedule(seed).await;
        delivered += d;
        dead += g;
    }
    // the schedules are neither all sunshine nor all rain
    assert!(delivered > 500 && dead > 50, "{delivered} delivered, {dead} dead");
}

/// How many were delivered, and how many were not.
async fn schedule(seed: u64) -> (usize, usize) {
    let (place, chance) = (Place::new(seed), Chance(SeededIds::new(seed ^ 0xabcd)));
    let scripts = [script(seed * 3, true), script(seed * 3 + 1, false)];
    let short = Config { deadline: Span::secs(120), ..target("short") };
    let targets = [(target("long"), &scripts[0]), (short, &scripts[1])];
    let (mut written, mut keys): (BTreeSet<NoticeId>, BTreeMap<String, BTreeSet<NoticeId>>) =
        Default::default();
    for _ in 0..chance.below(4) + 1 {
        let run = place.run(&targets, None);
        for _ in 0..chance.below(6) {
            let mut notice = place.notice("one");
            if chance.below(3) == 0 {
                let key = format!("key {}", chance.below(2));
                keys.entry(key.clone()).or_default().insert(notice.id.clone());
                notice = notice.dedup(key);
            }
            written.insert(notice.id.clone());
            run.notifier.notify(notice);
            tokio::time::sleep(Duration::from_millis(1 + chance.below(40_000))).await;
        }
        match chance.below(2) {
            0 => drop(run),
            _ => run.end().await,
        }
    }
    // the last run has all the time it needs
    let run = place.run(&targets, None);
    let waiting = |name: &str| run.count("bedplate_notices_waiting", &format!("target=\"{name}\""));
    tokio::time::sleep(secs(1)).await;
    until("an empty queue", || waiting("long") + waiting("short") == 0).await;
    run.end().await;

    let dead = place.dead();
    let mut sent = BTreeSet::new();
    for (name, script) in ["long", "short"].into_iter().zip(&scripts) {
        let took: BTreeSet<NoticeId> = script.took().into_iter().collect();
        let given_up: BTreeSet<NoticeId> =
            dead.iter().filter(|letter| letter.target == name).map(|l| l.notice.id.clone()).collect();
        let both: BTreeSet<NoticeId> = &took | &given_up;
        sent.extend(both.iter().cloned());
        for id in &written {
            let key = keys.values().find(|ids| ids.contains(id));
            match key {
                None => assert!(both.contains(id), "seed {seed}: {id} to {name} is gone"),
                Some(ids) => assert_eq!((ids & &both).len(), 1, "seed {seed}: {ids:?} to {name}"),
            }
        }
        assert!(both.is_subset(&written), "seed {seed}");
    }
    let took = scripts.iter().map(|script| script.took().len()).sum();
    (took, dead.len())
}
