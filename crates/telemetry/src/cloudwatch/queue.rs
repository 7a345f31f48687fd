//! Lines on their way from a log's thread to the delivery's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::cloudwatch::batch::{BYTES, Batch, EVENT_BYTES, EVENTS, Event};
use crate::inbox::Losses;

/// How far the queue is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    Open,
    /// No more lines come.
    Ended,
    /// Nobody waits for the lines any more.
    Abandoned,
}

/// Bounded by bytes; the newest lines are dropped when it is full.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Rings when a whole batch waits.
    bell: Notify,
    phase: watch::Sender<Phase>,
    /// Bytes that may wait.
    room: usize,
    losses: Arc<Losses>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn new(room: usize, losses: Arc<Losses>) -> Self {
        let (phase, _) = watch::channel(Phase::Open);
        Self { waiting: Mutex::default(), bell: Notify::new(), phase, room, losses }
    }

    fn put(&self, event: Event) {
        let size = event.size();
        let mut waiting = self.waiting.lock();
        if size > EVENT_BYTES || waiting.bytes + size > self.room {
            drop(waiting);
            return self.losses.add(1);
        }
        let was_whole = waiting.is_whole();
        waiting.bytes += size;
        waiting.events.push_back(event);
        if !was_whole && waiting.is_whole() {
            self.bell.notify_one();
        }
    }

    /// What one request may hold of what waits.
    pub(crate) fn take(&self) -> Batch {
        let mut waiting = self.waiting.lock();
        let batch = Batch::take(&mut waiting.events);
        waiting.bytes -= batch.events.iter().map(Event::size).sum::<usize>();
        batch
    }

    /// Waits until a batch is worth sending: a whole one waits, or `flush` has passed, or no more
    /// lines come.
    pub(crate) async fn ripe(&self, flush: Duration) {
        if self.waiting.lock().is_whole() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(flush) => {}
            () = self.bell.notified() => {}
            () = self.reached(Phase::Ended) => {}
        }
    }

    /// Waits until the queue is in `phase`, or past it.
    pub(crate) async fn reached(&self, phase: Phase) {
        // the sender is our own: this ends by the phase alone
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.phase.borrow() >= Phase::Ended
    }

    /// A phase that has passed does not come back.
    pub(crate) fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|now| {
            let later = to > *now;
            *now = to.max(*now);
            later
        });
    }

    /// Lines that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().events.len()
    }
}

impl Waiting {
    fn is_whole(&self) -> bool {
        self.bytes >= BYTES || self.events.len() >= EVENTS
    }
}

/// The log's end of the queue. Dropping it says that no more lines come.
pub(crate) struct Sender(pub(crate) Arc<Queue>);

impl Sender {
    /// Hands a line over, or counts it as lost when there is no room. Never waits.
    pub(crate) fn put(&self, at: Timestamp, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // it was written as text: nothing is replaced
        self.0.put(Event { at: at.millis(), line: String::from_utf8_lossy(line).into_owned() });
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.advance(Phase::Ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::batch::OVERHEAD;

    fn queue(room: usize) -> (Sender, Arc<Losses>) {
        let losses: Arc<Losses> = Arc::default();
        (Sender(Arc::new(Queue::new(room, Arc::clone(&losses)))), losses)
    }

    #[test]
    fn what_finds_no_room_is_counted_and_room_comes_back() {
        let (sender, losses) = queue(3 * (OVERHEAD + 4));
        let at = Timestamp::from_secs(1);
        (0..5).for_each(|n| sender.put(at, format!("000{n}\n").as_bytes()));
        assert_eq!((sender.0.len(), losses.count()), (3, 2));
        let lines: Vec<String> = sender.0.take().events.into_iter().map(|e| e.line).collect();
        assert_eq!(lines, ["0000", "0001", "0002"]);
        sender.put(at, b"0005\n");
        assert_eq!((sender.0.len(), losses.count()), (1, 2));
    }

    #[test]
    fn a_line_that_no_request_may_hold_is_counted() {
        let (sender, losses) = queue(16 << 20);
        sender.put(Timestamp::from_secs(1), &vec![b'x'; EVENT_BYTES - OVERHEAD]);
        sender.put(Timestamp::from_secs(1), &vec![b'x'; EVENT_BYTES - OVERHEAD + 1]);
        assert_eq!((sender.0.len(), losses.count()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_batch_does_not_wait_for_the_flush_and_neither_does_the_end() {
        let (sender, _) = queue(16 << 20);
        let hour = Duration::from_secs(3_600);
        let began = tokio::time::Instant::now();
        sender.put(Timestamp::from_secs(1), b"one");
        let queue = Arc::clone(&sender.0);
        queue.ripe(hour).await;
        assert_eq!(began.elapsed(), hour);
        (0..EVENTS).for_each(|_| sender.put(Timestamp::from_secs(1), b"more"));
        queue.ripe(hour).await;
        assert!(queue.take().full);
        drop(sender);
        // the bell may have rung for the batch that is taken
        queue.ripe(hour).await;
        queue.ripe(hour).await;
        assert_eq!(began.elapsed(), hour);
        assert!(queue.has_ended());
        queue.advance(Phase::Open);
        assert!(queue.has_ended());
    }
}
