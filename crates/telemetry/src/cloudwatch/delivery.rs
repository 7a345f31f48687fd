//! The thread that sends.

use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use bedplate_core::ids::Ids;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Runtime};

use crate::cloudwatch::batch::Batch;
use crate::cloudwatch::client::{Client, Trouble};
use crate::cloudwatch::queue::{Phase, Queue, Sender};
use crate::cloudwatch::{CloudWatchConfig, CloudWatchError};
use crate::inbox::Losses;
use crate::once::Once;

/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// The longest wait once no more lines come: somebody waits for the end.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Lines of one log on their way to one log group.
pub(crate) struct Delivery {
    queue: Arc<Queue>,
    ended: Arc<(Mutex<bool>, Condvar)>,
    losses: Arc<Losses>,
}

impl CloudWatchConfig {
    /// Both ends of a delivery to `group`; `None` without one. `log` names it for people.
    ///
    /// # Errors
    /// When a setting cannot be used, or the thread cannot be made.
    pub(crate) fn build(
        &self,
        log: &'static str,
        group: Option<&String>,
        ids: &Arc<dyn Ids>,
    ) -> Result<Option<(Sender, Delivery)>, CloudWatchError> {
        let Some(group) = group else { return Ok(None) };
        if let Some((_, said)) = self.problems().into_iter().next() {
            return Err(CloudWatchError::Setting(said));
        }
        // it may ask for credentials and a region for seconds: off the ready path
        let client = Client::load(self.clone(), group.clone());
        Ok(Some(self.deliver_by(client, log, ids)?))
    }

    /// Both ends of a delivery by `client`.
    pub(super) fn deliver_by(
        &self,
        client: impl Future<Output = Client> + Send + 'static,
        log: &'static str,
        ids: &Arc<dyn Ids>,
    ) -> io::Result<(Sender, Delivery)> {
        let losses: Arc<Losses> = Arc::default();
        let room = usize::try_from(self.queue.0).unwrap_or(usize::MAX);
        let queue = Arc::new(Queue::new(room, Arc::clone(&losses)));
        let ended: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let pump = Pump {
            queue: Arc::clone(&queue),
            hand: Batch::default(),
            create: self.create,
            flush: self.flush.0,
            ids: Arc::clone(ids),
            losses: Arc::clone(&losses),
            said: Once::default(),
            log,
        };
        pump.spawn(client, Arc::clone(&ended))?;
        Ok((Sender(Arc::clone(&queue)), Delivery { queue, ended, losses }))
    }
}

impl Delivery {
    /// Waits for the end of what the log still hands over; `false` when that took longer than
    /// `within`: then what is left is dropped and counted.
    pub(crate) fn ended(&self, within: Duration) -> bool {
        let in_time = self.wait(within);
        if !in_time {
            self.queue.advance(Phase::Abandoned);
            self.wait(Duration::from_secs(1));
        }
        in_time
    }

    fn wait(&self, within: Duration) -> bool {
        let (ended, bell) = &*self.ended;
        let mut ended = ended.lock();
        if !*ended {
            bell.wait_for(&mut ended, within);
        }
        *ended
    }

    /// Lines that were not delivered.
    pub(crate) fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.losses)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.queue.advance(Phase::Abandoned);
    }
}

/// The thread's side.
struct Pump {
    queue: Arc<Queue>,
    /// Taken from the queue and not delivered yet.
    hand: Batch,
    create: bool,
    flush: Duration,
    ids: Arc<dyn Ids>,
    losses: Arc<Losses>,
    said: Once,
    log: &'static str,
}

impl Pump {
    fn spawn(
        self,
        client: impl Future<Output = Client> + Send + 'static,
        ended: Arc<(Mutex<bool>, Condvar)>,
    ) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let name = "bedplate-logs".to_owned();
        thread::Builder::new().name(name).spawn(move || {
            let _at_end = End(ended);
            self.run(&runtime, client);
            // a name that is still being looked up holds nobody up
            runtime.shutdown_background();
        })?;
        Ok(())
    }

    /// Until all is delivered after the end, or nobody waits for it any more.
    fn run(mut self, runtime: &Runtime, client: impl Future<Output = Client>) {
        let queue = Arc::clone(&self.queue);
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = queue.reached(Phase::Abandoned) => {}
                () = async {
                    let client = client.await;
                    self.pump(&client).await;
                } => {}
            }
        });
        let left = self.hand.events.len() + self.queue.len();
        if left > 0 {
            self.losses.add(left as u64);
            tracing::warn!("{left} lines of {} were not delivered to CloudWatch Logs", self.log);
        }
    }

    async fn pump(&mut self, client: &Client) {
        loop {
            self.queue.ripe(self.flush).await;
            // read before the last look: what comes before the end is seen by it
            let ended = self.queue.has_ended();
            loop {
                self.hand = self.queue.take();
                if !self.hand.events.is_empty() {
                    self.deliver(client).await;
                }
                self.hand.events.clear();
                if !self.hand.full {
                    break;
                }
            }
            if ended {
                return;
            }
        }
    }

    /// Sends what is in the hand, again and again until it is taken or can never be.
    async fn deliver(&mut self, client: &Client) {
        let n = self.hand.events.len() as u64;
        let mut failures = 0;
        loop {
            let trouble = match client.put(&self.hand.events).await {
                Ok(0) => return self.said.well(&format!("{} goes to CloudWatch Logs again", self.log)),
                Ok(rejected) => {
                    self.losses.add(rejected);
                    return self.ill("some lines are too old or too new and were rejected", "");
                }
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Missing(said) if self.create => match client.create().await {
                    Ok(()) if failures == 0 => {
                        failures += 1;
                        continue;
                    }
                    // what was just made is not there: it takes AWS a moment
                    Ok(()) => self.ill("lines wait", &said),
                    Err(said) => self.ill("lines wait: the group or stream cannot be made", &said),
                },
                Trouble::Missing(said) | Trouble::Passing(said) => self.ill("lines wait", &said),
                Trouble::Lasting(said) => {
                    self.losses.add(n);
                    return self.ill("lines are dropped", &said);
                }
            }
            self.pause(failures).await;
            failures += 1;
        }
    }

    fn ill(&mut self, what: &str, why: &str) {
        let colon = if why.is_empty() { "" } else { ": " };
        self.said.ill(&format!("{} cannot be delivered to CloudWatch Logs, {what}{colon}{why}", self.log));
    }

    /// Waits longer after each failure, and not much when somebody waits for the end.
    async fn pause(&self, failures: u32) {
        let mut chance = [0];
        self.ids.fill(&mut chance);
        let wait = backoff(failures, chance[0]);
        if !self.queue.has_ended() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.queue.reached(Phase::Ended) => {}
            }
        } else {
            tokio::time::sleep(wait.min(LAST_WAIT)).await;
        }
    }
}

/// Twice as long each time, less up to a half by chance, so that gateways do not come back together.
fn backoff(failures: u32, chance: u8) -> Duration {
    let (first, longest) = WAITS;
    let whole = first.saturating_mul(1 << failures.min(16)).min(longest);
    whole - whole.mul_f64(f64::from(chance) / 512.0)
}

/// Says that the thread has ended, however it ended.
struct End(Arc<(Mutex<bool>, Condvar)>);

impl Drop for End {
    fn drop(&mut self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_differ() {
        assert_eq!(backoff(0, 0), Duration::from_millis(250));
        assert_eq!(backoff(3, 0), Duration::from_secs(2));
        assert_eq!(backoff(7, 0), Duration::from_secs(30));
        assert_eq!(backoff(u32::MAX, 0), Duration::from_secs(30));
        assert_eq!(backoff(3, 128), Duration::from_millis(1_500));
        assert!(backoff(3, 255) > Duration::from_secs(1));
    }
}
