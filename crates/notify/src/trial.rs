//! Delivery on a clock that tests turn: what targets answer is a script, everything else is real.

mod retries;
mod runs;
mod schedules;
mod sharing;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::clock::{Clock, Tick, Timestamp};
use bedplate_core::notice::{Claims, Kind, Notice, NoticeId, Notices, Severity};
use bedplate_core::setting::Span;
use bedplate_testkit::SeededIds;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::{self, Config};
use crate::dead::{DeadLetter, DeadLetters};
use crate::notifier::{Notifier, Parts, Phase};
use crate::target::{Again, Target, Trouble};

/// What a target does with a try.
#[derive(Clone, Copy, Debug)]
enum Act {
    Takes,
    /// Takes it after a while.
    Slowly(Duration),
    Fails(Again),
    /// Never answers.
    Hangs,
}

type Part = dyn Fn(&Notice, usize) -> Act + Send + Sync;

/// A target that plays a part. It keeps what it took, and when it was tried.
struct Script {
    act: Box<Part>,
    tries: Mutex<Vec<(Duration, NoticeId)>>,
    took: Mutex<Vec<NoticeId>>,
    began: Instant,
}

impl Script {
    /// `act` is given the number of tries before.
    fn new(act: impl Fn(&Notice, usize) -> Act + Send + Sync + 'static) -> Arc<Self> {
        let began = Instant::now();
        Arc::new(Self { act: Box::new(act), tries: Mutex::default(), took: Mutex::default(), began })
    }

    fn took(&self) -> Vec<NoticeId> {
        self.took.lock().clone()
    }

    fn tries(&self) -> Vec<Duration> {
        self.tries.lock().iter().map(|(at, _)| *at).collect()
    }
}

impl Target for Script {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let before = {
                let mut tries = self.tries.lock();
                tries.push((self.began.elapsed(), notice.id.clone()));
                tries.len() - 1
            };
            match (self.act)(notice, before) {
                Act::Takes => {}
                Act::Slowly(wait) => tokio::time::sleep(wait).await,
                Act::Fails(again) => return Err(Trouble { why: "as the script says".into(), again }),
                Act::Hangs => std::future::pending().await,
            }
            self.took.lock().push(notice.id.clone());
            Ok(())
        })
    }
}

/// A clock that goes as tokio's does.
struct Turned(Instant);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_348_803).plus(self.0.elapsed())
    }

    fn tick(&self) -> Tick {
        Tick(u64::try_from(self.0.elapsed().as_nanos()).unwrap())
    }
}

/// One place of a bedplate: what it keeps stays over its runs.
struct Place {
    folder: tempfile::TempDir,
    clock: Arc<Turned>,
    ids: Arc<SeededIds>,
}

impl Place {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, clock: Arc::new(Turned(Instant::now())), ids: Arc::new(SeededIds::new(seed)) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notices")
    }

    fn dead(&self) -> Vec<DeadLetter> {
        DeadLetters::of(&self.path()).list().unwrap()
    }

    fn notice(&self, subject: &str) -> Notice {
        Notice::new(&*self.ids, self.clock.now(), Kind::Budget, Severity::Warning, subject)
    }

    /// A run with targets as they are named.
    fn run(&self, targets: &[(Config, &Arc<Script>)], claims: Option<Arc<dyn Claims>>) -> Run {
        let parts = Parts {
            targets: Vec::new(),
            folder: self.path(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ids: Arc::clone(&self.ids) as Arc<dyn bedplate_core::ids::Ids>,
            claims,
        };
        let targets =
            targets.iter().map(|(config, script)| (config.clone(), Arc::clone(script) as _)).collect();
        let (notifier, desk) = Notifier::assemble(parts, targets).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        let _ = tasks.spawn(desk.run());
        Run { notifier, tasks }
    }
}

/// A run; dropped, it is as if the process had been killed.
struct Run {
    notifier: Arc<Notifier>,
    tasks: tokio::task::JoinSet<()>,
}

impl Run {
    /// Ends as a process does that is asked to.
    async fn end(mut self) {
        self.notifier.advance(Phase::Ended);
        while self.tasks.join_next().await.is_some() {}
    }

    fn count(&self, family: &str, label: &str) -> u64 {
        let page = self.notifier.metrics();
        let start = if label.is_empty() { format!("{family} ") } else { format!("{family}{{{label}}} ") };
        page.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
    }
}

fn target(name: &str) -> Config {
    Config::named(name, config::Kind::Log)
}

/// Lets time pass until `met`, a second at a time.
async fn until(what: &str, met: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("not in a day: {what}");
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
