//! The running whole: the inbox on this side, a thread on the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::notice::{Claims, Notice, Notices};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use crate::NotifyError;
use crate::config::{Config, Kind};
use crate::counts::Counts;
use crate::dead::DeadLetters;
use crate::desk::{Desk, Route};
use crate::journal::Journal;
use crate::lane::{Lane, Queue, Shared};
use crate::once::Once;
use crate::target::{self, Target};

/// Notices that may wait to be written down.
const INBOX: usize = 1_024;

/// How far delivery is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    Open,
    /// No more notices come.
    Ended,
    /// Nobody waits any more.
    Abandoned,
}

/// What a notifier is made of.
pub struct Parts {
    /// `[[notify]]`, with paths that stand for themselves; empty: notices are logged.
    pub targets: Vec<Config>,
    /// Made when it is not there; one process at a time.
    pub folder: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Shared by nodes; without it each node sends what it is told once.
    pub claims: Option<Arc<dyn Claims>>,
}

/// Delivers notices until it is closed or dropped.
pub struct Notifier {
    inbox: mpsc::Sender<Notice>,
    phase: watch::Sender<Phase>,
    counts: Arc<Counts>,
    full: Once,
    ended: Arc<(Mutex<bool>, Condvar)>,
}

impl Notifier {
    /// Starts the thread, and goes on with what an earlier process left.
    ///
    /// # Errors
    /// When a target cannot be used, or the folder cannot.
    pub fn start(parts: Parts) -> Result<Arc<Self>, NotifyError> {
        let mut targets = Vec::new();
        let listed = parts.targets.iter().cloned();
        let default = parts.targets.is_empty().then(|| Config::named("log", Kind::Log));
        for config in listed.chain(default) {
            let target = target::build(&config, &parts.clock)?;
            targets.push((config, target));
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(NotifyError::Start)?;
        let (notifier, desk) = Self::assemble(parts, targets)?;
        let at_end = End(Arc::clone(&notifier.ended));
        let phase = notifier.phase.subscribe();
        let name = "bedplate-notify".to_owned();
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _at_end = at_end;
            run(runtime, desk, phase);
        });
        thread.map_err(NotifyError::Start)?;
        Ok(notifier)
    }

    /// Both ends, without the thread.
    pub(crate) fn assemble(
        parts: Parts,
        targets: Vec<(Config, Arc<dyn Target>)>,
    ) -> Result<(Arc<Self>, Desk), NotifyError> {
        let Parts { folder, clock, ids, claims, .. } = parts;
        let bad = |e| NotifyError::Folder(folder.display().to_string(), e);
        fs::create_dir_all(&folder).map_err(bad)?;
        let counts = Arc::new(Counts::new(targets.iter().map(|(config, _)| config.name.clone())));
        let shared = Arc::new(Shared {
            journal: Mutex::new(Journal::open(&folder, &*ids, clock.now()).map_err(bad)?),
            dead: DeadLetters::of(&folder),
            counts: Arc::clone(&counts),
            clock,
            ids,
        });
        let (mut routes, mut lanes) = (Vec::new(), Vec::new());
        for ((config, target), counts) in targets.into_iter().zip(&counts.targets) {
            let queue = Arc::new(Queue::new(config.queue, Arc::clone(counts)));
            let times = (config.timeout.0, config.deadline.0);
            let of = (Arc::clone(&queue), Arc::clone(&shared), Arc::clone(counts));
            lanes.push(Lane::new(target, of.0, of.1, of.2, times));
            routes.push(Route { config, queue });
        }
        let (inbox, waiting) = mpsc::channel(INBOX);
        let (phase, _) = watch::channel(Phase::Open);
        let desk = Desk {
            inbox: waiting,
            phase: phase.subscribe(),
            routes,
            lanes,
            shared,
            claims,
            said: Once::default(),
        };
        let notifier = Self { inbox, phase, counts, full: Once::default(), ended: Arc::default() };
        Ok((Arc::new(notifier), desk))
    }

    /// What `/metrics` says: whole families of OpenMetrics, without its end.
    pub fn metrics(&self) -> String {
        self.counts.render()
    }

    /// Takes no more notices, tries what is due once more, and ends the thread; `false` when that took longer
    /// than `within`. What is not delivered then stays in the journal for the next start.
    pub fn close(&self, within: Duration) -> bool {
        self.advance(Phase::Ended);
        let in_time = self.wait(within);
        if !in_time {
            self.advance(Phase::Abandoned);
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

    /// A phase that has passed does not come back.
    pub(crate) fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|now| {
            let later = to > *now;
            *now = to.max(*now);
            later
        });
    }
}

impl Notices for Notifier {
    fn notify(&self, notice: Notice) {
        match self.inbox.try_send(notice) {
            Ok(()) => self.full.well(|| "notices are taken again".into()),
            Err(e) => {
                self.counts.dropped.add(1);
                let subject = crate::words::line(&e.into_inner().subject, 200);
                let said =
                    || format!("a notice is dropped, for more come than can be written down: {subject}");
                self.full.ill(said);
            }
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.advance(Phase::Abandoned);
    }
}

/// The thread: until all is done after the end, or nobody waits for it any more.
fn run(runtime: Runtime, desk: Desk, mut phase: watch::Receiver<Phase>) {
    let counts = Arc::clone(&desk.shared.counts);
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = phase.wait_for(|now| *now >= Phase::Abandoned) => {}
            () = desk.run() => {}
        }
    });
    // a name that is still being looked up holds nobody up
    runtime.shutdown_background();
    let left: u64 = counts.targets.iter().map(|target| target.waiting.get()).sum();
    if left > 0 {
        tracing::warn!("{left} notices are not delivered yet: the next start goes on with them");
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
