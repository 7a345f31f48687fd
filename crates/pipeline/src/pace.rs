//! Pacing: a call goes to its target when there is room for it there, and not before.
//!
//! ```text
//! a call ──▶ lane of its target ── room ──▶ attempt ──▶ settled with what it used
//!              │ none there: another target of its alias that has room
//!              └ none anywhere: waits in the queues of all of them, by class; is turned away when that is hopeless
//! ```
//!
//! A [`Lane`](lane::Lane) is a model at a provider: our copy of AWS's quota for it (`quota.rs`, `learned.rs`), how many
//! calls at a time it can bear (`slots.rs`), and who waits (`queue.rs`). A [`Room`](lane::Room) is room for
//! one request; it is held until the answer ended. Nothing that waits holds room, so nobody waits for somebody who waits.

mod allowed;
mod config;
mod lane;
mod lanes;
mod learned;
mod queue;
mod quota;
mod shared;
mod slots;
mod told;
mod turnover;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bedplate_core::clock::Clock;
use bedplate_core::pace::{Class, LaneStand};
use parking_lot::Mutex;

pub use allowed::{Allowed, AwsQuota};
pub use config::{LimitConfig, PaceConfig, QuotaConfig, QuotaSource};
pub(crate) use lane::{Lane, Room};
pub(crate) use lanes::Lanes;
pub(crate) use slots::Went;
pub(crate) use wait::{NoRoom, Want};

/// All lanes of this process. They outlive configurations: a reload does not forget what is under way.
pub struct Pace {
    common: Arc<Common>,
    lanes: ArcSwap<lanes::All>,
    shared: shared::Shared,
    in_force: Mutex<lanes::InForce>,
    told: told::Tellings,
    clock: Arc<dyn Clock>,
    number: AtomicU64,
}

/// What holds for all lanes, as configured now.
struct Common {
    /// Processes among whom quotas and slots are divided.
    nodes: AtomicU32,
    queue: AtomicUsize,
    /// Percent that batch and background calls leave free.
    keep: AtomicU32,
    /// How long calls wait, by class.
    waits: ArcSwap<[Duration; 3]>,
}

impl Pace {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let config = PaceConfig::default();
        let common = Common {
            nodes: AtomicU32::new(1),
            queue: AtomicUsize::new(config.queue),
            keep: AtomicU32::new(u32::from(config.keep)),
            waits: ArcSwap::from_pointee(config.waits()),
        };
        Arc::new(Self {
            common: Arc::new(common),
            lanes: ArcSwap::default(),
            shared: shared::Shared::default(),
            in_force: Mutex::default(),
            told: told::Tellings::default(),
            clock,
            number: AtomicU64::new(0),
        })
    }

    /// Goes by another configuration from now on.
    pub fn configure(&self, config: &PaceConfig) {
        self.common.queue.store(config.queue, Ordering::Relaxed);
        self.common.keep.store(u32::from(config.keep), Ordering::Relaxed);
        self.common.waits.store(Arc::new(config.waits()));
    }

    /// So many processes share what AWS allows: each takes its part of quotas and of configured slots.
    pub fn shared_by(&self, nodes: u32) {
        self.common.nodes.store(nodes.max(1), Ordering::Relaxed);
    }

    /// How every lane stands, by place and name.
    pub fn stands(&self) -> Vec<LaneStand> {
        let now = self.clock.tick();
        let mut all = self.shared.stands(now);
        all.extend(self.lanes.load().values().map(|lane| lane.stand(now)));
        all.sort_by(|a, b| (&a.place, &a.name).cmp(&(&b.place, &b.name)));
        all
    }

    /// How the lanes of targets stand, and those slots of throttles that are used or turned somebody away: of these at
    /// most `most`, the busiest first; and how many there are besides.
    pub fn bounds(&self, most: usize) -> (Vec<LaneStand>, u64) {
        let now = self.clock.tick();
        let mut all: Vec<LaneStand> = self.lanes.load().values().map(|lane| lane.stand(now)).collect();
        all.sort_by(|a, b| (&a.place, &a.name).cmp(&(&b.place, &b.name)));
        let (slots, more) = self.shared.busiest(most, now);
        all.extend(slots);
        (all, more)
    }

    /// How long a call of this class waits for room at most.
    pub(crate) fn patience(&self, class: Class) -> Duration {
        self.common.waits.load()[class.index()]
    }

    fn number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }
}

impl Common {
    /// Our part of what all processes share.
    fn share(&self) -> f64 {
        1.0 / f64::from(self.nodes.load(Ordering::Relaxed))
    }

    /// The part that calls of this class leave free for better ones.
    fn keep(&self, class: Class) -> f64 {
        let keep = f64::from(self.keep.load(Ordering::Relaxed)) / 100.0;
        match class {
            Class::Interactive => 0.0,
            Class::Batch => keep / 2.0,
            Class::Background => keep,
        }
    }

    fn queue(&self) -> usize {
        self.queue.load(Ordering::Relaxed)
    }
}
