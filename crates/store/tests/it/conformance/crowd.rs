//! Many nodes at once.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Draw, Drawn, Window};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids as _;
use bedplate_core::ports::Ledger;
use bedplate_testkit::SeededIds;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::draws::{NOW, all, charge, draw, exactly, give_back, node, spending, window};
use crate::outcomes::shared;

on_every_ledger!(
    fifty_nodes_never_get_more_than_the_limit,
    whoever_writes_to_many_slices_waits_in_no_circle,
    a_draw_sees_what_was_granted_while_it_waited,
);

on_memory!(
    fifty_nodes_never_get_more_than_the_limit,
    whoever_writes_to_many_slices_waits_in_no_circle,
    a_draw_sees_what_was_granted_while_it_waited,
);

async fn nodes(bed: &Bed, n: usize) -> Vec<Arc<dyn Ledger>> {
    let mut nodes = vec![bed.ledger.clone()];
    for _ in 1..n {
        nodes.push(bed.another().await.unwrap());
    }
    nodes
}

/// Each draws until it comes away with nothing.
async fn fifty_nodes_never_get_more_than_the_limit(bed: &Bed) {
    const LIMIT: i64 = 5_003;
    let (ledgers, w) = (nodes(bed, 5).await, window("", 5));
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..50 {
        let ledger = Arc::clone(&ledgers[n as usize % 5]);
        let wish = Draw { want: 100, share: 3, ..draw(&w, n, LIMIT, 7) };
        crowd.spawn(async move {
            let mut got = 0;
            loop {
                match ledger.draw(&wish, NOW).await.unwrap() {
                    Drawn::Granted { amount, sums, stand } => {
                        got += amount;
                        assert_eq!(sums.granted, got);
                        assert!((7..=100).contains(&amount) && stand.taken() <= LIMIT, "{amount} {stand:?}");
                    }
                    Drawn::Short { stand, .. } => {
                        assert!(stand.taken() <= LIMIT && stand.taken() > LIMIT - 7, "{stand:?}");
                        return got;
                    }
                }
            }
        });
    }
    let got: Vec<i64> = crowd.join_all().await;
    let granted: Vec<i64> = all(&*bed.ledger).await.iter().map(|s| s.sums.granted).collect();
    assert_eq!(granted.iter().sum::<i64>(), got.iter().sum::<i64>());
    assert!((LIMIT - 6..=LIMIT).contains(&got.iter().sum()), "{got:?}");
    for ledger in &ledgers[1..] {
        ledger.close().await;
    }
}

/// Calls are charged to the slices of all nodes in any order, while these draw, give back and renew, and what is
/// over is forgotten. The deadline of a question would tell of a circle.
async fn whoever_writes_to_many_slices_waits_in_no_circle(bed: &Bed) {
    const ROUNDS: u64 = 30;
    let ledgers = nodes(bed, 4).await;
    let windows: Arc<Vec<Window>> = Arc::new((0..40).map(|n| window(&format!("team={n}"), 5)).collect());
    let mut crowd = tokio::task::JoinSet::new();
    for (seed, ledger) in (0..8).zip(ledgers.iter().cycle().cloned()) {
        let windows = Arc::clone(&windows);
        crowd.spawn(async move {
            let ids = SeededIds::new(seed);
            let below = |n: usize| {
                let mut bytes = [0; 8];
                ids.fill(&mut bytes);
                usize::try_from(u64::from_le_bytes(bytes) % n as u64).unwrap()
            };
            let n = u32::try_from(seed / 2).unwrap();
            for _ in 0..ROUNDS {
                let charges =
                    (0..30).map(|_| charge(&windows[below(40)], u32::try_from(below(4)).unwrap(), 1));
                ledger.append(&shared([spending(&ids, charges.collect())])).await.unwrap();
                let w = &windows[below(40)];
                ledger.draw(&exactly(w, n, i64::MAX, 5), NOW).await.unwrap();
                let returns: Vec<_> = (0..20).flat_map(|_| give_back(&windows[below(40)], 9)).collect();
                ledger.give_back(&node(n), &returns).await.unwrap();
                ledger.renew(&node(n), Timestamp(9_000)).await.unwrap();
                ledger.forget_slices(Timestamp(5)).await.unwrap();
            }
        });
    }
    crowd.join_all().await;
    let slices = all(&*bed.ledger).await;
    assert_eq!(slices.iter().map(|s| s.sums.settled).sum::<i64>(), 8 * 30 * ROUNDS.cast_signed());
    assert!(slices.iter().all(|s| (0..=s.sums.granted).contains(&s.sums.returned)), "{slices:?}");
    for ledger in &ledgers[1..] {
        ledger.close().await;
    }
}

/// Whatever the database's own idea of isolation is.
async fn a_draw_sees_what_was_granted_while_it_waited(bed: &Bed) {
    let w = window("", 5);
    if bed.is_postgres() {
        let url = format!("{}&options[default_transaction_isolation]=serializable", bed.postgres_url());
        let strict = bed.at(&url).await;
        race(&strict, &w).await;
        strict.close().await;
    } else {
        race(&bed.ledger, &w).await;
    }
    let granted: i64 = all(&*bed.ledger).await.iter().map(|s| s.sums.granted).sum();
    assert_eq!(granted, 60);
}

async fn race(ledger: &Arc<dyn Ledger>, w: &Window) {
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (ledger, wish) = (Arc::clone(ledger), exactly(w, n, 65, 10));
        crowd.spawn(async move { ledger.draw(&wish, NOW).await.unwrap() });
    }
    let all = tokio::time::timeout(Duration::from_secs(20), crowd.join_all()).await.unwrap();
    assert_eq!(all.iter().filter(|d| matches!(d, Drawn::Granted { .. })).count(), 6);
}
