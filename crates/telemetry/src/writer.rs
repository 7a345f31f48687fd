//! A thread that takes what waits in an [`Inbox`] and writes it somewhere.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bedplate_core::record::Outcome;
use parking_lot::{Condvar, Mutex};

use crate::cloudwatch::Delivery;
use crate::inbox::Inbox;

/// What a writer does with what it takes.
pub(crate) trait Work: Send + 'static {
    /// Called every turn, also when nothing waits. Empties `batch`.
    fn turn(&mut self, batch: &mut Vec<Arc<Outcome>>);

    /// The last call: everything must be where it belongs when this returns.
    fn close(&mut self);
}

/// The thread. Dropping it lets the thread write what it has and end.
pub(crate) struct Writer {
    inbox: Arc<Inbox>,
    ended: Arc<(Mutex<bool>, Condvar)>,
}

impl Writer {
    /// Starts a thread that takes a turn every `every`.
    pub(crate) fn spawn(
        name: &str,
        inbox: Arc<Inbox>,
        every: Duration,
        mut work: impl Work,
    ) -> io::Result<Self> {
        let ended: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let (of_thread, at_end) = (Arc::clone(&inbox), End(Arc::clone(&ended)));
        let thread = thread::Builder::new().name(format!("bedplate-{name}")).spawn(move || {
            let _at_end = at_end;
            let mut batch = Vec::new();
            loop {
                let closing = of_thread.closing.load(Ordering::Acquire);
                of_thread.take(&mut batch);
                work.turn(&mut batch);
                if closing {
                    return work.close();
                }
                thread::park_timeout(every);
            }
        })?;
        // nobody else sets it
        let _ = inbox.writer.set(thread.thread().clone());
        Ok(Self { inbox, ended })
    }

    /// Writes what waits and ends the thread; `false` when that took longer than `within`. With a
    /// delivery, which ends after the thread: until that has delivered too.
    pub(crate) fn close(&self, delivery: Option<&Delivery>, within: Duration) -> bool {
        self.ask_to_end();
        if let Some(delivery) = delivery {
            return delivery.ended(within);
        }
        let (ended, bell) = &*self.ended;
        let mut ended = ended.lock();
        if !*ended {
            bell.wait_for(&mut ended, within);
        }
        *ended
    }

    fn ask_to_end(&self) {
        self.inbox.closing.store(true, Ordering::Release);
        self.inbox.wake();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ask_to_end();
    }
}

/// Says that the thread has ended, however it ended.
struct End(Arc<(Mutex<bool>, Condvar)>);

impl Drop for End {
    fn drop(&mut self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }
}
