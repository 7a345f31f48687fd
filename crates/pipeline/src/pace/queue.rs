//! Calls that wait for room, the best class first and in it who came first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bedplate_core::pace::Class;
use tokio::sync::Notify;

/// Where a call stands among all that wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Turn {
    pub(super) class: Class,
    /// Who came first has the smaller.
    pub(super) number: u64,
}

impl Turn {
    /// That of a call of this class which comes now and does not wait yet.
    pub(super) fn last(class: Class) -> Self {
        Self { class, number: u64::MAX }
    }
}

/// A call that waits, maybe in several queues.
pub(super) struct Waiter {
    pub(super) turn: Turn,
    pub(super) tokens: u64,
    pub(super) woken: Notify,
    displaced: AtomicBool,
}

impl Waiter {
    pub(super) fn new(turn: Turn, tokens: u64) -> Arc<Self> {
        Arc::new(Self { turn, tokens, woken: Notify::new(), displaced: AtomicBool::new(false) })
    }

    /// Whether it had to make place for a better one.
    pub(super) fn displaced(&self) -> bool {
        self.displaced.load(Ordering::Acquire)
    }
}

/// Who waits at one place.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Turn, Arc<Waiter>>,
    /// By class: how many, and the tokens that they want.
    of: [(u32, u64); 3],
}

impl Queue {
    /// Lets a call wait, unless so many do whose turn comes before its own.
    pub(super) fn join(&mut self, waiter: &Arc<Waiter>, most: usize) -> bool {
        if self.waiting.len() >= most {
            let Some((&last, _)) = self.waiting.last_key_value() else { return false };
            // of one class who waits keeps its place
            if last.class <= waiter.turn.class {
                return false;
            }
            if let Some(out) = self.leave(last) {
                out.displaced.store(true, Ordering::Release);
                out.woken.notify_one();
            }
        }
        if self.waiting.insert(waiter.turn, Arc::clone(waiter)).is_none() {
            let (calls, tokens) = &mut self.of[waiter.turn.class.index()];
            (*calls, *tokens) = (*calls + 1, tokens.saturating_add(waiter.tokens));
        }
        true
    }

    pub(super) fn leave(&mut self, turn: Turn) -> Option<Arc<Waiter>> {
        let out = self.waiting.remove(&turn)?;
        let (calls, tokens) = &mut self.of[turn.class.index()];
        (*calls, *tokens) = (calls.saturating_sub(1), tokens.saturating_sub(out.tokens));
        Some(out)
    }

    /// Wakes who is first: it looks whether there is room for it now.
    pub(super) fn wake(&self) {
        if let Some((_, first)) = self.waiting.first_key_value() {
            first.woken.notify_one();
        }
    }

    /// Calls and tokens whose turn comes before this one's. Of its own class everything counts but itself, as those are
    /// few who came later.
    pub(super) fn before(&self, turn: Turn) -> (u32, u64) {
        let first = self.waiting.first_key_value().map(|(first, _)| *first);
        if first.is_none_or(|first| first >= turn) {
            return (0, 0);
        }
        if turn.number == u64::MAX {
            let better = self.of.iter().take(turn.class.index() + 1);
            return better.fold((0, 0), |(c, t), (calls, tokens)| (c + calls, t.saturating_add(*tokens)));
        }
        self.waiting.range(..turn).fold((0, 0), |(c, t), (_, w)| (c + 1, t.saturating_add(w.tokens)))
    }

    pub(super) fn lengths(&self) -> [u32; 3] {
        self.of.map(|(calls, _)| calls)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(class: Class, number: u64) -> Arc<Waiter> {
        Waiter::new(Turn { class, number }, 100)
    }

    #[test]
    fn better_classes_and_earlier_calls_come_first() {
        let mut queue = Queue::default();
        let [slow, first, second] =
            [waiter(Class::Background, 1), waiter(Class::Interactive, 2), waiter(Class::Interactive, 3)];
        for one in [&slow, &second, &first] {
            assert!(queue.join(one, 10));
        }
        assert_eq!(queue.before(first.turn), (0, 0));
        assert_eq!(queue.before(second.turn), (1, 100));
        assert_eq!(queue.before(slow.turn), (2, 200));
        assert_eq!(queue.before(Turn::last(Class::Batch)), (2, 200));
        assert_eq!(queue.before(Turn::last(Class::Background)), (3, 300));
        assert!(queue.leave(first.turn).is_some() && queue.leave(first.turn).is_none());
        assert_eq!(queue.lengths(), [1, 0, 1]);
    }

    #[test]
    fn a_full_queue_lets_go_of_the_last_of_a_worse_class() {
        let mut queue = Queue::default();
        let (one, two) = (waiter(Class::Background, 1), waiter(Class::Background, 2));
        assert!(queue.join(&one, 2) && queue.join(&two, 2));
        assert!(!queue.join(&waiter(Class::Background, 3), 2), "none of the same class");
        assert!(queue.join(&waiter(Class::Batch, 4), 2));
        assert!(two.displaced() && !one.displaced());
        assert_eq!(queue.lengths(), [0, 1, 1]);
    }
}
