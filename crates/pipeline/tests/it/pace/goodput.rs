//! How much of a quota is used, and how often AWS has to say no.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::pace::Class;
use bedplate_pipeline::PaceConfig;

use super::aws::Truth;
use super::traffic::{Fate, Rig};

const TPM: f64 = 400_000.0;
const LASTS: Duration = Duration::from_secs(240);
/// What was held back while the quota was filled is let through or turned away after so long.
const SETTLES: Duration = Duration::from_secs(5);
const SAME: Truth = Truth { tpm: TPM, burndown: 1.0, others: 0.0 };
const MIX: [(Class, f64); 3] = [(Class::Interactive, 0.2), (Class::Batch, 0.3), (Class::Background, 0.5)];

struct Outcome {
    /// Part of the requests.
    throttled: f64,
    /// Part of what AWS leaves us.
    used: f64,
    fates: Vec<Fate>,
}

impl Outcome {
    /// Seconds that 99 of 100 answered calls of the class took at most, and the part that was answered.
    fn of(&self, class: Class) -> (f64, f64) {
        let all = self.fates.iter().filter(|fate| fate.class == class);
        let mut took: Vec<f64> =
            all.clone().filter(|fate| fate.answered).map(|fate| fate.took.as_secs_f64()).collect();
        took.sort_by(f64::total_cmp);
        let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or(f64::INFINITY);
        (p99, took.len() as f64 / all.count().max(1) as f64)
    }
}

/// Offers so many parts of what AWS leaves us, when the minute's worth is used up that an idle quota lets through at once.
fn run(configured: u32, truth: Truth, load: f64, seed: u64) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let pace = PaceConfig { adaptive: false, ..PaceConfig::default() };
        let rig = Arc::new(Rig::new(Some(&format!("from = 'config'\ntpm = {configured}")), pace, &[truth]));
        let ours = truth.tpm - truth.others;
        // by the rule of quotas a call settles to 1,000 tokens and 100 times the burndown
        let offered = ours * load * 1_100.0 / (1_000.0 + 100.0 * truth.burndown);
        let first = Duration::from_secs(60);
        let full = {
            let rig = Arc::clone(&rig);
            async move { rig.load(ours * 3.0, &MIX, first, seed + 1).await }
        };
        tokio::spawn(full);
        tokio::time::sleep(first + SETTLES).await;
        let before = rig.seen();
        let (fates, after) = rig.load(offered, &MIX, LASTS, seed).await;
        Outcome {
            throttled: f64::from(after.throttled - before.throttled)
                / f64::from(after.requests - before.requests),
            used: (after.tokens - before.tokens) * 60.0 / (ours * LASTS.as_secs_f64()),
            fates,
        }
    })
}

#[test]
fn what_fits_is_let_through_and_hardly_throttled() {
    let outcome = run(400_000, SAME, 0.95, 3);
    assert!(outcome.throttled <= 0.01, "{}", outcome.throttled);
    assert!(outcome.used >= 0.9, "{}", outcome.used);
}

#[test]
fn of_three_times_as_much_the_best_goes_first() {
    let outcome = run(400_000, SAME, 3.0, 3);
    assert!(outcome.throttled <= 0.01, "{}", outcome.throttled);
    assert!(outcome.used >= 0.9, "{}", outcome.used);
    let (p99, answered) = outcome.of(Class::Interactive);
    let (quiet, _) = run(400_000, SAME, 0.5, 3).of(Class::Interactive);
    assert!(p99 < quiet + 2.0 && answered == 1.0, "{p99} {quiet} {answered}");
    assert!(outcome.of(Class::Background).1 < 0.2, "what can wait is turned away");
}

#[test]
fn what_is_not_known_is_learned() {
    let hidden = Truth { tpm: TPM, burndown: 5.0, others: 100_000.0 };
    for (configured, truth) in [(280_000, SAME), (520_000, SAME), (280_000, hidden), (520_000, hidden)] {
        let outcome = run(configured, truth, 3.0, 3);
        assert!(outcome.throttled <= 0.03, "{configured}: {}", outcome.throttled);
        assert!(outcome.used >= 0.8, "{configured}: {}", outcome.used);
    }
}
