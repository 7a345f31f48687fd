//! How long the answers of an alias are, and so how long one may be of which the caller does not say it.
//!
//! Bedrock reserves the longest answer of a model for a call that says no `maxTokens`, thousands of tokens of quota that
//! nobody will use. A ceiling that hardly any answer touches gives them back.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bedplate_core::route::RightSizing;

/// What was learned of the answers of one alias.
pub(crate) struct Outputs {
    /// Answers by length: the widths grow by a quarter of a power of two.
    lengths: [AtomicU32; LENGTHS],
    answers: AtomicU32,
    bounded: AtomicU64,
    cut: AtomicU64,
    regained: AtomicU64,
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            lengths: [const { AtomicU32::new(0) }; LENGTHS],
            answers: AtomicU32::new(0),
            bounded: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            regained: AtomicU64::new(0),
        }
    }
}

/// Up to 2²⁰ tokens.
const LENGTHS: usize = 80;
/// Before so many answers nothing is said.
const ENOUGH: u32 = 200;
/// From so many on older ones count half: it follows when an application changes.
const MANY: u32 = 4_096;
/// No answer is bounded below this.
const LEAST: u64 = 256;

impl Outputs {
    /// An answer had so many tokens; `bound` is what we bounded it to, and when it went that far it would have been longer.
    pub(crate) fn learn(&self, tokens: u64, bound: Option<u64>) {
        let cut = bound.is_some_and(|bound| tokens >= bound);
        self.cut.fetch_add(u64::from(cut), Ordering::Relaxed);
        let length = if cut { tokens.saturating_mul(2) } else { tokens };
        self.lengths[at(length)].fetch_add(1, Ordering::Relaxed);
        if self.answers.fetch_add(1, Ordering::Relaxed) + 1 >= MANY {
            self.halve();
        }
    }

    /// What 99 of 100 answers do not exceed, and half as much again; `None` before enough were seen.
    pub(crate) fn ceiling(&self) -> Option<u64> {
        let answers = self.answers.load(Ordering::Relaxed);
        if answers < ENOUGH {
            return None;
        }
        let longer = answers / 100;
        let mut above = 0;
        for (n, length) in self.lengths.iter().enumerate().rev() {
            above += length.load(Ordering::Relaxed);
            if above > longer {
                let most = end(n);
                return Some((most + most / 2).max(LEAST));
            }
        }
        None
    }

    /// A call was bounded that might have had `longest` tokens.
    pub(crate) fn bounded(&self, ceiling: u64, longest: u64) {
        self.bounded.fetch_add(1, Ordering::Relaxed);
        self.regained.fetch_add(longest.saturating_sub(ceiling), Ordering::Relaxed);
    }

    pub(crate) fn stand(&self) -> RightSizing {
        RightSizing {
            ceiling: self.ceiling(),
            answers: self.answers.load(Ordering::Relaxed),
            bounded: self.bounded.load(Ordering::Relaxed),
            cut: self.cut.load(Ordering::Relaxed),
            regained: self.regained.load(Ordering::Relaxed),
        }
    }

    /// Two at once may halve twice: nothing depends on it.
    fn halve(&self) {
        let mut left = 0;
        for length in &self.lengths {
            let half = length.load(Ordering::Relaxed) / 2;
            length.store(half, Ordering::Relaxed);
            left += half;
        }
        self.answers.store(left, Ordering::Relaxed);
    }
}

/// The place of a length: the first whose end it does not exceed.
fn at(tokens: u64) -> usize {
    (0..LENGTHS).find(|n| tokens <= end(*n)).unwrap_or(LENGTHS - 1)
}

/// 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 … tokens.
fn end(n: usize) -> u64 {
    let (power, quarter) = (n / 4, (n % 4) as u64);
    let base = 1u64 << power;
    (base + base * (quarter + 1) / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_grow_by_quarters() {
        assert!((1..LENGTHS).all(|n| end(n) >= end(n - 1)));
        assert_eq!([7, 11, 15, 43].map(end), [4, 8, 16, 2_048]);
        assert_eq!(end(at(500)), 512);
        assert_eq!(at(u64::MAX), LENGTHS - 1);
    }

    #[test]
    fn the_ceiling_lies_above_what_hardly_any_answer_exceeds() {
        let outputs = Outputs::default();
        (0..199).for_each(|_| outputs.learn(500, None));
        assert_eq!(outputs.ceiling(), None);
        outputs.learn(500, None);
        assert_eq!(outputs.ceiling(), Some(768));
        // one in a hundred may be longer
        (0..2).for_each(|_| outputs.learn(50_000, None));
        assert_eq!(outputs.ceiling(), Some(768));
        (0..2).for_each(|_| outputs.learn(50_000, None));
        assert!(outputs.ceiling().unwrap() > 50_000);
    }

    #[test]
    fn answers_that_are_cut_raise_it() {
        let outputs = Outputs::default();
        (0..300).for_each(|_| outputs.learn(500, None));
        let before = outputs.ceiling().unwrap();
        (0..10).for_each(|_| outputs.learn(before, Some(before)));
        assert!(outputs.ceiling().unwrap() >= before * 2);
        assert_eq!(outputs.stand().cut, 10);
    }

    #[test]
    fn it_follows_an_application_that_changes() {
        let outputs = Outputs::default();
        (0..3_000).for_each(|_| outputs.learn(20_000, None));
        (0..40_000).for_each(|_| outputs.learn(100, None));
        assert_eq!(outputs.ceiling(), Some(256));
    }
}
