//! Nodes that keep to the words of [`bedplate_core::budget`], on ledgers whose answers are lost, or late.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::budget::{Draw, Return, Sums, Window};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids as _;
use bedplate_core::ports::{Budgets as _, Calls, Ledger as _};
use bedplate_store::Journal;
use bedplate_testkit::{Cue, FaultyLedger, SeededIds};
use tokio::runtime::Handle;

use super::{on_every_ledger, on_memory};
use crate::bed::{Bed, clock};
use crate::draws::{LEASE, NOW, all, charge, draw, exactly, give_back, node, only, spending, sums, window};
use crate::outcomes::shared;

on_every_ledger!(
    a_lost_answer_is_learnt_with_the_next,
    what_comes_late_does_no_harm,
    no_fault_makes_nodes_spend_more_than_the_limit,
    records_written_twice_are_charged_once,
);

on_memory!(
    a_lost_answer_is_learnt_with_the_next,
    what_comes_late_does_no_harm,
    no_fault_makes_nodes_spend_more_than_the_limit,
    records_written_twice_are_charged_once,
);

async fn a_lost_answer_is_learnt_with_the_next(bed: &Bed) {
    let (faulty, w) = (FaultyLedger::new(bed.ledger.clone()), window("", 5));
    faulty.cue(&[Cue::Before, Cue::After]);
    let wish = exactly(&w, 1, 100, 60);
    assert!(faulty.draw(&wish, NOW).await.is_err());
    assert_eq!(all(&*bed.ledger).await, [], "nothing was done");
    assert!(faulty.draw(&wish, NOW).await.is_err());
    assert_eq!(only(&*bed.ledger).await.granted, 60, "it stands in the ledger");
    // the same again does not fit beside it, and says so
    assert_eq!(faulty.draw(&wish, NOW).await.unwrap().sums(), sums(60, 0, 0, 0));
    // what could not be given back is said again, with more
    faulty.cue(&[Cue::Before, Cue::After]);
    assert!(faulty.give_back(&node(1), &give_back(&w, 10)).await.is_err());
    assert!(faulty.give_back(&node(1), &give_back(&w, 15)).await.is_err());
    faulty.give_back(&node(1), &give_back(&w, 15)).await.unwrap();
    assert_eq!(only(&*bed.ledger).await, sums(60, 15, 0, 0));
    assert_eq!(faulty.renew(&node(1), LEASE).await.unwrap()[0].sums, sums(60, 15, 0, 0));
    faulty.ping().await.unwrap();
}

async fn what_comes_late_does_no_harm(bed: &Bed) {
    let (faulty, w) = (FaultyLedger::new(bed.ledger.clone()), window("", 5));
    faulty.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
    faulty.cue(&[Cue::Late, Cue::Late, Cue::Late]);
    // the node thinks: 20 less; the ledger has not heard it when the node asks for more
    assert!(faulty.give_back(&node(1), &give_back(&w, 20)).await.is_err());
    assert!(faulty.draw(&exactly(&w, 1, 100, 10), NOW).await.is_err());
    assert!(faulty.renew(&node(1), Timestamp(1)).await.is_err());
    let told = faulty.draw(&exactly(&w, 1, 100, 30), NOW).await.unwrap().sums();
    assert_eq!(told, sums(80, 0, 0, 0));
    // it may spend 80 - 20; whatever arrives now, that is there
    assert_eq!(faulty.deliver().await, 3);
    assert_eq!(only(&*bed.ledger).await, sums(90, 20, 0, 0));
    assert_eq!(all(&*bed.ledger).await[0].lease_until, LEASE);
    assert_eq!(faulty.deliver().await, 0);
}

/// What a node remembers of its slice.
struct Node {
    ledger: FaultyLedger,
    n: u32,
    told: Sums,
    returned: i64,
    spent: i64,
    unwritten: Vec<Arc<bedplate_core::record::Outcome>>,
}

impl Node {
    fn free(&self) -> i64 {
        self.told.granted - self.returned - self.spent
    }

    fn learn(&mut self, told: Sums) {
        self.told = Sums {
            granted: self.told.granted.max(told.granted),
            settled: self.told.settled.max(told.settled),
            ..told
        };
        self.returned = self.returned.max(told.returned);
    }

    async fn draw(&mut self, w: &Window, limit: i64, worst: i64) {
        let missing = (worst - self.free()).max(0);
        let wish = Draw { want: missing + 40, share: 2, ..draw(w, self.n, limit, missing) };
        if let Ok(drawn) = self.ledger.draw(&wish, NOW).await {
            self.learn(drawn.sums());
        }
    }

    async fn give_back(&mut self, w: &Window, amount: i64) {
        self.returned += amount;
        let total = self.returned;
        let _ = self.ledger.give_back(&node(self.n), &[Return { window: w.clone(), total }]).await;
    }

    async fn renew(&mut self) {
        if let Ok(slices) = self.ledger.renew(&node(self.n), LEASE).await {
            match slices.first() {
                Some(slice) => self.learn(slice.sums),
                None => self.returned = self.returned.max(self.told.granted - self.spent),
            }
        }
    }

    async fn write(&mut self) {
        if self.ledger.append(&self.unwritten).await.is_ok() {
            self.unwritten.clear();
        }
    }
}

/// Nodes draw, spend, give back and write, and one in three questions goes wrong. Whatever a node thinks it may
/// spend is granted to it; in the end the ledger's sum is what was spent, and nothing is held for nobody.
async fn no_fault_makes_nodes_spend_more_than_the_limit(bed: &Bed) {
    const LIMIT: i64 = 1_000;
    for seed in 0..8 {
        let (ids, w) = (SeededIds::new(seed), window(&format!("run={seed}"), 5));
        let below = |n: i64| {
            let mut bytes = [0; 8];
            ids.fill(&mut bytes);
            i64::from_le_bytes(bytes).rem_euclid(n)
        };
        let mut nodes: Vec<Node> = (0..4)
            .map(|n| Node {
                ledger: FaultyLedger::new(bed.ledger.clone()),
                n,
                told: Sums::default(),
                returned: 0,
                spent: 0,
                unwritten: Vec::new(),
            })
            .collect();
        for _ in 0..250 {
            let me = &mut nodes[usize::try_from(below(4)).unwrap()];
            if below(3) == 0 {
                let cues = [Cue::Before, Cue::After, Cue::Late];
                me.ledger.cue(&[cues[usize::try_from(below(3)).unwrap()]]);
            }
            let worst = below(30) + 1;
            match below(10) {
                0..=3 => me.draw(&w, LIMIT, worst).await,
                4..=6 if me.free() >= worst => {
                    let cost = below(worst + 1);
                    me.spent += cost;
                    me.unwritten.push(Arc::new(spending(&ids, vec![charge(&w, me.n, cost)])));
                }
                7 if me.free() > 0 => me.give_back(&w, below(me.free()) + 1).await,
                8 => me.write().await,
                9 => me.renew().await,
                _ => drop(me.ledger.deliver().await),
            }
            check(bed, &w, &nodes, LIMIT).await;
        }
        for me in &mut nodes {
            me.ledger.heal();
            me.ledger.deliver().await;
            // what came late is learnt, what is free given back, what is unwritten written
            me.draw(&w, LIMIT, 0).await;
            let free = me.free();
            me.give_back(&w, free).await;
            me.write().await;
        }
        let slices: Vec<_> = all(&*bed.ledger).await.into_iter().filter(|s| s.window == w).collect();
        let settled: i64 = slices.iter().map(|s| s.sums.settled).sum();
        assert_eq!(settled, nodes.iter().map(|n| n.spent).sum::<i64>());
        assert!(slices.iter().all(|s| s.sums.open() == 0), "seed {seed}: {slices:?}");
        assert!(settled > LIMIT / 4, "seed {seed}: only {settled} spent");
    }
}

async fn check(bed: &Bed, w: &Window, nodes: &[Node], limit: i64) {
    let slices = all(&*bed.ledger).await;
    let mine = || slices.iter().filter(|s| s.window == *w);
    assert!(mine().map(|s| s.sums.taken()).sum::<i64>() <= limit, "{slices:?}");
    for me in nodes {
        let held = mine().find(|s| s.node == node(me.n)).map_or(0, |s| s.sums.granted - s.sums.returned);
        let thinks = me.told.granted - me.returned;
        assert!(thinks <= held, "node {} thinks {thinks} and holds {held}", me.n);
        assert!(me.free() >= 0);
    }
}

/// The journal writes again whatever failed, before or after the effect.
async fn records_written_twice_are_charged_once(bed: &Bed) {
    let faulty = Arc::new(FaultyLedger::new(bed.ledger.clone()));
    faulty.cue(&[Cue::After, Cue::Before, Cue::After, Cue::Succeed, Cue::Late, Cue::After]);
    let calls: Arc<dyn Calls> = faulty.clone();
    let journal = Journal::start(calls, 10_000, Duration::from_millis(10), clock(), &Handle::current());
    let (w, ids) = (window("", 5), SeededIds::new(1));
    for _ in 0..2_000 {
        let ticket = journal.reserve(Duration::from_secs(20)).await.unwrap();
        ticket.settle(Arc::new(spending(&ids, vec![charge(&w, 1, 3), charge(&w, 1, 4)])));
    }
    tokio::time::timeout(Duration::from_secs(30), journal.close()).await.unwrap();
    faulty.deliver().await;
    assert_eq!(only(&*bed.ledger).await.settled, 2_000 * 7);
    let again = spending(&ids, vec![charge(&w, 1, 1)]);
    bed.ledger.append(&shared([again])).await.unwrap();
    assert_eq!(only(&*bed.ledger).await.settled, 14_001);
}
