//! What goes into one request, by CloudWatch's limits.

use std::collections::VecDeque;

/// Events in one request.
pub(crate) const EVENTS: usize = 10_000;
/// Bytes in one request: of each event its text and [`OVERHEAD`].
pub(crate) const BYTES: usize = 1_048_576;
/// What an event counts besides its text, bytes.
pub(crate) const OVERHEAD: usize = 26;
/// The largest event with its overhead. AWS says 1 MB by now; not all that answers for it does.
pub(crate) const EVENT_BYTES: usize = 256 * 1024;
/// The longest time between two events of one request, milliseconds.
pub(crate) const SPAN: i64 = 24 * 60 * 60 * 1_000;

/// A line and when it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) line: String,
}

impl Event {
    /// Bytes, as CloudWatch counts them.
    pub(crate) fn size(&self) -> usize {
        self.line.len() + OVERHEAD
    }
}

/// One request's events, in the order of their time.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    /// A limit ended it: there is more to send at once.
    pub(crate) full: bool,
}

impl Batch {
    /// Takes from the front of `waiting` what one request may hold.
    pub(crate) fn take(waiting: &mut VecDeque<Event>) -> Self {
        let mut batch = Self::default();
        let (mut bytes, mut first, mut last) = (0, i64::MAX, i64::MIN);
        while let Some(next) = waiting.front() {
            bytes += next.size();
            first = first.min(next.at);
            last = last.max(next.at);
            let fits = batch.events.len() < EVENTS && bytes <= BYTES && last.saturating_sub(first) <= SPAN;
            // one alone always fits: larger ones are not let in
            if !fits && !batch.events.is_empty() {
                batch.full = true;
                break;
            }
            batch.events.extend(waiting.pop_front());
        }
        // lines of one moment stay as they came
        batch.events.sort_by_key(|event| event.at);
        batch
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn event(at: i64, bytes: usize) -> Event {
        Event { at, line: "x".repeat(bytes) }
    }

    fn all(mut waiting: VecDeque<Event>) -> Vec<Batch> {
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            batches.push(Batch::take(&mut waiting));
        }
        batches
    }

    fn sizes(batches: &[Batch]) -> Vec<usize> {
        batches.iter().map(|b| b.events.len()).collect()
    }

    #[test]
    fn ten_thousand_events_are_one_request() {
        let batches = all((0..25_000).map(|n| event(n, 1)).collect());
        assert_eq!(sizes(&batches), [10_000, 10_000, 5_000]);
        assert_eq!(batches.iter().map(|b| b.full).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn the_overhead_counts() {
        // four of a quarter each are the limit to the byte
        let quarter = BYTES / 4 - OVERHEAD;
        assert_eq!(sizes(&all((0..5).map(|n| event(n, quarter)).collect())), [4, 1]);
        assert_eq!(sizes(&all((0..5).map(|n| event(n, quarter + 1)).collect())), [3, 2]);
    }

    #[test]
    fn a_day_is_the_longest_span() {
        assert_eq!(sizes(&all([event(0, 1), event(SPAN, 1)].into())), [2]);
        assert_eq!(sizes(&all([event(0, 1), event(SPAN + 1, 1)].into())), [1, 1]);
        // also when a clock was put back
        assert_eq!(sizes(&all([event(SPAN + 1, 1), event(0, 1)].into())), [1, 1]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_limit_is_passed(
            events in vec((0..3 * SPAN, 0..EVENT_BYTES - OVERHEAD), 0..60),
        ) {
            let events: VecDeque<Event> = events.into_iter().map(|(at, bytes)| event(at, bytes)).collect();
            let batches = all(events.clone());
            for batch in &batches {
                let times: Vec<i64> = batch.events.iter().map(|e| e.at).collect();
                prop_assert!(!times.is_empty() && times.is_sorted());
                prop_assert!(times[times.len() - 1] - times[0] <= SPAN);
                prop_assert!(batch.events.len() <= EVENTS);
                prop_assert!(batch.events.iter().map(Event::size).sum::<usize>() <= BYTES);
            }
            let mut sent: Vec<Event> = batches.into_iter().flat_map(|b| b.events).collect();
            let mut given: Vec<Event> = events.into();
            sent.sort_by_key(|e| (e.at, e.line.len()));
            given.sort_by_key(|e| (e.at, e.line.len()));
            prop_assert!(sent == given);
        }
    }
}
