//! One notice of each key: in one run, over runs, and among nodes.

use std::collections::BTreeMap;

use bedplate_core::ports::StoreError;

use super::*;

/// As a ledger would keep them; may hang or fail.
#[derive(Default)]
struct Table {
    owners: Mutex<BTreeMap<String, String>>,
    trouble: Mutex<Option<Trouble>>,
    asked: Mutex<usize>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Hangs,
    Fails,
}

impl Claims for Table {
    fn claim<'a>(&'a self, key: &'a str, owner: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            *self.asked.lock() += 1;
            let trouble = *self.trouble.lock();
            match trouble {
                Some(Trouble::Hangs) => std::future::pending().await,
                Some(Trouble::Fails) => Err(StoreError::Unavailable("gone".into())),
                None => {
                    let mut owners = self.owners.lock();
                    Ok(owners.entry(key.to_owned()).or_insert_with(|| owner.to_owned()) == owner)
                }
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_sent_once_in_all_runs() {
    let place = Place::new(1);
    let script = Script::new(|_, _| Act::Takes);
    for _ in 0..3 {
        let run = place.run(&[(target("ops"), &script)], None);
        for key in ["support/2026-11/80", "support/2026-11/100"] {
            // at once, and one after the other
            (0..3).for_each(|_| run.notifier.notify(place.notice("one").dedup(key)));
            tokio::time::sleep(secs(1)).await;
            run.notifier.notify(place.notice("one").dedup(key));
        }
        tokio::time::sleep(secs(1)).await;
        drop(run);
    }
    assert_eq!(script.took().len(), 2);
    let run = place.run(&[(target("ops"), &script)], None);
    (0..4).for_each(|_| run.notifier.notify(place.notice("without a key")));
    run.notifier.notify(place.notice("one").dedup("support/2026-12/80"));
    run.notifier.notify(place.notice("one").dedup("support/2026-11/80"));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(run.count("bedplate_notices_repeated_total", ""), 1);
    run.end().await;
    assert_eq!(script.took().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn of_many_nodes_one_sends() {
    let table = Arc::new(Table::default());
    let places: Vec<Place> = (0..5).map(Place::new).collect();
    let script = Script::new(|_, _| Act::Takes);
    for _ in 0..2 {
        let runs: Vec<Run> = places
            .iter()
            .map(|place| place.run(&[(target("ops"), &script)], Some(Arc::clone(&table) as Arc<dyn Claims>)))
            .collect();
        for key in 0..20 {
            for (place, run) in places.iter().zip(&runs) {
                run.notifier.notify(place.notice("one").dedup(format!("key {key}")));
            }
        }
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(script.took().len(), 20);
    // what a node knows it does not ask again, also after a restart
    assert_eq!(*table.asked.lock(), 5 * 20);
}

#[tokio::test(start_paused = true)]
async fn who_claimed_and_was_killed_before_it_wrote_may_claim_again() {
    let (table, place) = (Arc::new(Table::default()), Place::new(1));
    let script = Script::new(|_, _| Act::Takes);
    let claims = || Some(Arc::clone(&table) as Arc<dyn Claims>);
    let journal = place.path().join("journal.jsonl");
    let run = place.run(&[(target("ops"), &script)], claims());
    let before = std::fs::read(&journal).unwrap();
    run.notifier.notify(place.notice("one").dedup("k"));
    tokio::time::sleep(secs(1)).await;
    drop(run);
    // as if the disk had not had it yet
    std::fs::write(&journal, before).unwrap();
    let run = place.run(&[(target("ops"), &script)], claims());
    run.notifier.notify(place.notice("one").dedup("k"));
    run.end().await;
    assert_eq!(script.took().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_it_is_sent() {
    for trouble in [Trouble::Hangs, Trouble::Fails] {
        let (table, place) = (Arc::new(Table::default()), Place::new(1));
        *table.trouble.lock() = Some(trouble);
        let script = Script::new(|_, _| Act::Takes);
        let run = place.run(&[(target("ops"), &script)], Some(Arc::clone(&table) as Arc<dyn Claims>));
        run.notifier.notify(place.notice("one").dedup("k"));
        tokio::time::sleep(secs(3)).await;
        assert_eq!(script.took().len(), 1);
        *table.trouble.lock() = None;
        run.notifier.notify(place.notice("one").dedup("k"));
        run.end().await;
        assert_eq!(script.took().len(), 1, "its own memory is enough");
    }
}
