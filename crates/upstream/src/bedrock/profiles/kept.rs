//! What was found out, kept; and who is asking now, so that many calls make one question.
//!
//! A call waits only for the first answer of a target. When that is old, calls go on with it while it is asked
//! anew. What a profile leads to cannot be changed at AWS, so an answer that was good stays good until AWS says that
//! the profile is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bedplate_core::BoxFuture;
use bedplate_core::clock::{Clock, Tick};
use bedplate_pipeline::{Lead, Leading, Targets};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Fault, Missed};

/// Targets that are kept; beyond it the one that is to be asked anew soonest goes, which is rarely a good one.
const MOST: usize = 2_048;
/// Questions at once; a caller who makes up names cannot make more.
const AT_ONCE: usize = 16;
const GOOD: Duration = Duration::from_secs(3_600);
const BAD: Duration = Duration::from_secs(300);
const PASSING: Duration = Duration::from_secs(30);

pub(in super::super) struct Leads {
    clock: Arc<dyn Clock>,
    kept: ArcSwap<HashMap<Arc<str>, Kept>>,
    asking: Mutex<HashMap<Box<str>, Told>>,
}

#[derive(Clone)]
struct Kept {
    lead: Lead,
    /// When it is asked anew.
    until: Tick,
}

type Told = watch::Receiver<Option<Lead>>;
type Asked = BoxFuture<'static, Result<Targets, Missed>>;

impl Leads {
    pub(in super::super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, kept: ArcSwap::default(), asking: Mutex::default() })
    }

    /// What is known of a target; `ask` finds it out, at most once at a time.
    pub(super) fn of(self: Arc<Self>, target: &str, ask: impl FnOnce() -> Asked) -> Leading {
        let kept = self.kept.load().get(target).cloned();
        if let Some(kept) = kept {
            if kept.until <= self.clock.tick() {
                self.told(target, ask);
            }
            return Leading::Now(kept.lead);
        }
        let Some(mut told) = self.told(target, ask) else {
            return Leading::Now(Lead::Nowhere("too many are looked up at once".into()));
        };
        Leading::Asked(Box::pin(async move {
            let lead = told.wait_for(Option::is_some).await.ok().and_then(|lead| lead.clone());
            lead.unwrap_or_else(|| Lead::Nowhere("the look-up was given up".into()))
        }))
    }

    /// Listens to whoever asks already, or asks; `None` when too many do.
    #[expect(
        clippy::disallowed_methods,
        reason = "a question outlives the call that made it, within its deadline"
    )]
    fn told(self: &Arc<Self>, target: &str, ask: impl FnOnce() -> Asked) -> Option<Told> {
        let mut asking = self.asking.lock();
        if let Some(told) = asking.get(target) {
            return Some(told.clone());
        }
        // it may have been answered since the caller looked
        if let Some(kept) = self.kept.load().get(target).filter(|kept| kept.until > self.clock.tick()) {
            return Some(watch::channel(Some(kept.lead.clone())).1);
        }
        if asking.len() >= AT_ONCE {
            return None;
        }
        let (tell, told) = watch::channel(None);
        asking.insert(target.into(), told.clone());
        let question = Question { leads: Arc::clone(self), target: target.into() };
        let answer = ask();
        tokio::spawn(async move {
            let answer = answer.await;
            let lead = question.leads.keep(&question.target, answer);
            drop(question);
            let _ = tell.send(Some(lead));
        });
        Some(told)
    }

    fn keep(&self, target: &str, answer: Result<Targets, Missed>) -> Lead {
        let before = self.kept.load().get(target).map(|kept| kept.lead.clone());
        let (lead, after) = match (answer, before) {
            (Ok(targets), _) => (Lead::To(Arc::new(targets)), GOOD),
            (Err(Missed { fault: Fault::Denied | Fault::Passing, .. }), Some(known @ Lead::To(_))) => {
                (known, BAD)
            }
            (Err(Missed { said, fault: Fault::Passing }), _) => (Lead::Nowhere(said), PASSING),
            (Err(Missed { said, fault: Fault::Absent | Fault::Denied }), _) => (Lead::Nowhere(said), BAD),
        };
        let until = Tick(self.clock.tick().0.saturating_add(nanos(after)));
        let kept = Kept { lead: lead.clone(), until };
        let target: Arc<str> = target.into();
        self.kept.rcu(|all| {
            let mut all = HashMap::clone(all);
            while all.len() >= MOST && !all.contains_key(&target) {
                let soonest = all.iter().min_by_key(|(_, kept)| kept.until).map(|(name, _)| Arc::clone(name));
                soonest.and_then(|name| all.remove(&name));
            }
            all.insert(Arc::clone(&target), kept.clone());
            all
        });
        lead
    }
}

/// A question under way; dropped, however it ends, somebody may ask again.
struct Question {
    leads: Arc<Leads>,
    target: Box<str>,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.leads.asking.lock().remove(&self.target);
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
