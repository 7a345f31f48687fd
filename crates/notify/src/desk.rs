//! The desk: takes notices from the inbox, leaves out what was sent already, writes the rest down and hands it to
//! the lanes.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::notice::{Claims, Notice};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::config::Config;
use crate::journal::Taken;
use crate::lane::{Lane, Parcel, Queue, Shared};
use crate::notifier::Phase;
use crate::once::Once;

/// Notices that are written down together.
const AT_ONCE: usize = 64;
/// How long other nodes are asked whether a notice was sent; then it is sent.
const CLAIM: Duration = Duration::from_secs(2);

pub(crate) struct Desk {
    pub(crate) inbox: mpsc::Receiver<Notice>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) routes: Vec<Route>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) claims: Option<Arc<dyn Claims>>,
    pub(crate) said: Once,
}

/// Who wants what, and where it waits.
pub(crate) struct Route {
    pub(crate) config: Config,
    pub(crate) queue: Arc<Queue>,
}

impl Desk {
    /// Until no more notices come and the lanes have ended.
    pub(crate) async fn run(mut self) {
        let (ending, ended) = watch::channel(Phase::Open);
        let mut lanes = JoinSet::new();
        self.resume();
        for lane in std::mem::take(&mut self.lanes) {
            lanes.spawn(lane.run(ended.clone()));
        }
        let mut phase = self.phase.clone();
        loop {
            let mut batch = Vec::with_capacity(AT_ONCE);
            tokio::select! {
                biased;
                n = self.inbox.recv_many(&mut batch, AT_ONCE) => if n == 0 { break },
                // what is in the inbox still comes
                _ = phase.wait_for(|now| *now >= Phase::Ended), if !self.inbox.is_closed() => self.inbox.close(),
            }
            self.take(batch).await;
        }
        ending.send_replace(Phase::Ended);
        while lanes.join_next().await.is_some() {}
    }

    /// Goes on with what an earlier process left.
    fn resume(&self) {
        let pending = self.shared.journal.lock().pending();
        if !pending.is_empty() {
            tracing::info!("{} notices of an earlier run are sent now", pending.len());
        }
        let now = self.shared.clock.now();
        for taken in pending {
            // 0 when the clock was put back
            let age = Duration::from_micros(u64::try_from(now.0.saturating_sub(taken.at.0)).unwrap_or(0));
            self.hand_over(&taken, age);
        }
    }

    async fn take(&self, batch: Vec<Notice>) {
        let mut new = Vec::new();
        for notice in batch {
            let wants = self.routes.iter().filter(|route| route.config.wants(&notice));
            let to: Vec<String> = wants.map(|route| route.config.name.clone()).collect();
            if to.is_empty() {
                continue;
            }
            let in_batch = |key: &String| new.iter().any(|t: &Taken| t.notice.dedup.as_ref() == Some(key));
            let mine = match &notice.dedup {
                Some(key) => !in_batch(key) && self.is_mine(key).await,
                None => true,
            };
            if mine {
                new.push(Taken { at: self.shared.clock.now(), notice: Arc::new(notice), to });
            } else {
                self.shared.counts.repeated.add(1);
            }
        }
        self.shared.journal.lock().take(new.clone());
        new.iter().for_each(|taken| self.hand_over(taken, Duration::ZERO));
    }

    /// Whether nobody sent what `key` stands for: not an earlier run, and no other node.
    async fn is_mine(&self, key: &str) -> bool {
        let owner = {
            let journal = self.shared.journal.lock();
            if journal.knows(key) {
                return false;
            }
            journal.owner().to_owned()
        };
        let Some(claims) = &self.claims else { return true };
        let claimed = match tokio::time::timeout(CLAIM, claims.claim(key, &owner)).await {
            Ok(claimed) => claimed.map_err(|e| e.to_string()),
            Err(_) => Err(format!("no answer within {CLAIM:?}")),
        };
        match claimed {
            Ok(mine) => {
                self.said.well(|| "other nodes can be asked again whether they sent a notice".into());
                if !mine {
                    self.shared.journal.lock().key(key, self.shared.clock.now());
                }
                mine
            }
            Err(why) => {
                let said =
                    || format!("notices may be sent by many nodes, for they cannot ask one another: {why}");
                self.said.ill(said);
                true
            }
        }
    }

    /// To the lane of each target that does not have it.
    fn hand_over(&self, taken: &Taken, age: Duration) {
        for name in &taken.to {
            let Some(route) = self.routes.iter().find(|route| route.config.name == *name) else {
                self.shared.bury(name, &taken.notice, 0, "there is no target of this name any more");
                continue;
            };
            let left = route.config.deadline.0.saturating_sub(age);
            let parcel =
                Parcel { notice: Arc::clone(&taken.notice), tries: 0, give_up: Instant::now() + left };
            if route.queue.put(parcel).is_err() {
                let why = format!("{} notices wait for this target already", route.config.queue);
                self.shared.bury(name, &taken.notice, 0, &why);
            }
        }
    }
}
