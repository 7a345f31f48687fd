//! Random operations on paused time, with faults before and after the effect, against a model that is
//! a set of ids. The seed is printed when a run fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::ids::Ids as _;
use bedplate_core::record::Outcome;
use bedplate_store::Ticket;
use bedplate_testkit::SeededIds;

use super::Desk;
use crate::faulty::Cue;

/// Chance from a seed.
struct Dice(SeededIds);

impl Dice {
    fn below(&self, n: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % n
    }
}

const PLACES: u64 = 40;

#[test]
fn whatever_happens_each_settled_row_is_written_once_and_no_place_is_lost() {
    for seed in 0..400 {
        let outcome = std::panic::catch_unwind(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_time().start_paused(true).build().unwrap().block_on(simulate(seed));
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

async fn simulate(seed: u64) {
    let dice = Dice(SeededIds::new(seed));
    let desk = Desk::new(u32::try_from(PLACES).unwrap(), vec![]);
    let mut held: Vec<Ticket> = Vec::new();
    let mut settled: BTreeMap<_, Arc<Outcome>> = BTreeMap::new();
    for _ in 0..120 {
        match dice.below(12) {
            0..=3 => held.extend(desk.journal.reserve(Duration::from_millis(dice.below(400))).await),
            4..=6 => {
                for ticket in held.drain(..held.len() / 2) {
                    let outcome = desk.outcome();
                    settled.insert(outcome.call.id, outcome.clone());
                    ticket.settle(outcome);
                }
            }
            7 => drop(held.pop()),
            8 => {
                let cues = [Cue::Before, Cue::After, Cue::Full, Cue::Succeed];
                let cues: Vec<_> = (0..dice.below(6)).map(|_| cues[dice.below(4) as usize]).collect();
                desk.faulty.cue(&cues);
            }
            9 => {
                let _ =
                    tokio::time::timeout(Duration::from_millis(dice.below(300)), desk.journal.flush()).await;
            }
            _ => tokio::time::sleep(Duration::from_millis(dice.below(200))).await,
        }
        let health = desk.journal.health();
        assert!(health.taken <= PLACES && health.pending <= health.taken, "{health:?}");
        assert!(held.len() as u64 + health.pending <= health.taken, "{health:?}");
        assert!(desk.memory.calls.lock().keys().all(|id| settled.contains_key(id)), "made up");
        assert_eq!(health.rejected, 0);
    }
    desk.faulty.heal();
    desk.journal.flush().await;
    let stored: BTreeSet<_> = desk.memory.calls.lock().keys().copied().collect();
    assert_eq!(stored, settled.keys().copied().collect());
    drop(held);
    let health = desk.journal.health();
    assert_eq!((health.taken, health.pending), (0, 0));
    assert_eq!(health.written, settled.len() as u64);
}
