//! Calls that come at random, more than the quota allows, the same on both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use bedplate_core::pace::Class;
use bedplate_upstream::Bedrock;
use tokio::task::JoinSet;

use super::call::{Fate, Question, make};

/// When each call is due, and what it asks.
pub(super) struct Schedule(Vec<(Duration, Question)>);

/// Tokens of a prompt and of an answer.
const PROMPT: (f64, f64) = (150.0, 450.0);
const WRITES: (f64, f64) = (20.0, 60.0);
const MOST: u64 = 100;
/// What a call settles to on average.
const EACH: f64 = 340.0;

impl Schedule {
    /// So many tokens of the quota a minute, for so long.
    pub(super) fn new(tokens_per_minute: f64, lasts: Duration, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut calls = Vec::new();
        let mut at = Duration::ZERO;
        loop {
            let gap = -(1.0 - dice.roll()).max(1e-9).ln() * 60.0 * EACH / tokens_per_minute;
            at += Duration::from_secs_f64(gap);
            if at >= lasts {
                return Self(calls);
            }
            let class = match dice.roll() {
                r if r < 0.25 => Class::Interactive,
                r if r < 0.5 => Class::Batch,
                _ => Class::Background,
            };
            let (prompt, writes) = (dice.among(PROMPT), dice.among(WRITES));
            calls.push((at, Question { class, prompt, writes, most: MOST, chance: dice.roll() }));
        }
    }

    pub(super) fn calls(&self) -> usize {
        self.0.len()
    }

    /// Makes the calls when they are due, and waits for all of them: what became of each, and how long it took. `done`
    /// counts those that ended.
    pub(super) async fn run(
        &self,
        provider: &Arc<Bedrock>,
        model: &'static str,
        clock: &Arc<dyn Clock>,
        done: &Arc<AtomicUsize>,
    ) -> (Vec<Fate>, Duration) {
        let began = clock.tick();
        let mut under_way = JoinSet::new();
        for (at, question) in self.0.iter().copied() {
            let due = Tick(began.0 + u64::try_from(at.as_nanos()).unwrap_or_default());
            tokio::time::sleep(due.since(clock.tick())).await;
            let (provider, done, clock) = (Arc::clone(provider), Arc::clone(done), Arc::clone(clock));
            under_way.spawn(async move {
                let fate = make(&provider, model, question, due, &clock).await;
                done.fetch_add(1, Ordering::Relaxed);
                fate
            });
        }
        let fates = under_way.join_all().await;
        (fates, clock.tick().since(began))
    }
}

/// One call that uses up nearly all of what an idle quota lets through at once.
pub(super) fn first(quota: u32) -> Question {
    let prompt = usize::try_from(quota).unwrap_or_default() * 95 / 100;
    Question { class: Class::Interactive, prompt, writes: 4, most: 8, chance: 0.0 }
}

/// Random numbers, the same each time.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hundreds")]
    fn among(&mut self, (from, to): (f64, f64)) -> usize {
        (from + self.roll() * (to - from)) as usize
    }
}
