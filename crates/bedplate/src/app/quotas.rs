//! What AWS Service Quotas says of limits, asked for every hour: beside the calls, and never before they are served.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use bedplate_pipeline::{Allowed, Pace};
use bedplate_upstream::Quotas;
use tokio::task::JoinSet;

/// What was asked, by the place where the limits count.
pub(super) struct Asked {
    pace: Arc<Pace>,
    clock: Arc<dyn Clock>,
    places: HashMap<Arc<str>, Place>,
}

struct Place {
    quotas: Arc<Quotas>,
    /// When it is asked next.
    due: Tick,
    /// How long until it is asked again, after a question that failed.
    again: Duration,
    /// What was logged last: a failure that lasts is said once.
    failed: Option<String>,
    /// How many quotas were named last.
    named: Option<usize>,
    /// Models of which it was said that no quota was found.
    without: HashSet<Arc<str>>,
}

/// How often an answer is renewed; a part of it more or less, so that gateways that began together do not ask together.
const EVERY: Duration = Duration::from_secs(3_600);
const SPREAD: Duration = Duration::from_secs(600);
/// How soon a question that failed is repeated, at first; then twice as long each time.
const AGAIN: Duration = Duration::from_secs(5);
/// Names of callers may be among models without a quota: more than so many are not said.
const SAID: usize = 100;

impl Asked {
    pub(super) fn new(pace: Arc<Pace>, clock: Arc<dyn Clock>) -> Self {
        Self { pace, clock, places: HashMap::new() }
    }

    /// Asks where it is due, everywhere at once, and has lanes go by the answers.
    pub(super) async fn round(&mut self, all: &[(Arc<str>, Arc<Quotas>)]) {
        self.follow(all);
        let now = self.clock.tick();
        let mut asking = JoinSet::new();
        for (place, of) in self.places.iter().filter(|(_, of)| of.due <= now) {
            let (place, quotas) = (Arc::clone(place), Arc::clone(&of.quotas));
            asking.spawn(async move { (place, quotas.ask().await) });
        }
        while let Some(answered) = asking.join_next().await {
            if let Ok((place, answer)) = answered {
                self.take(&place, answer);
            }
        }
        for (place, of) in &mut self.places {
            of.say_without(place, self.pace.unquoted(place));
        }
    }

    /// Takes up who asks now. Whoever is new asks at once; answers of another source are forgotten.
    fn follow(&mut self, all: &[(Arc<str>, Arc<Quotas>)]) {
        let source = |place: &Arc<str>| all.iter().find(|(of, _)| of == place).map(|(_, q)| q.source());
        self.places.retain(|place, of| source(place) == Some(of.quotas.source()));
        let known: Vec<Arc<str>> = self.places.keys().cloned().collect();
        self.pace.tell_only(&known);
        for (place, quotas) in all {
            let due = self.clock.tick();
            match self.places.get_mut(place) {
                Some(of) if Arc::ptr_eq(&of.quotas, quotas) => {}
                Some(of) => (of.quotas, of.due) = (Arc::clone(quotas), due),
                None => {
                    self.places.insert(Arc::clone(place), Place::new(Arc::clone(quotas), due));
                }
            }
        }
    }

    fn take(&mut self, place: &Arc<str>, answer: Result<Allowed, String>) {
        let (now, jitter) = (self.clock.tick(), self.jitter());
        let Some(of) = self.places.get_mut(place) else { return };
        match answer {
            Ok(allowed) => {
                let named = allowed.named();
                self.pace.tell(place, Ok(allowed));
                if of.failed.take().is_some() || of.named != Some(named) {
                    tracing::info!("Service Quotas names {named} quotas of models for {place}");
                }
                (of.named, of.again) = (Some(named), AGAIN);
                of.due = after(now, EVERY.saturating_sub(SPREAD / 2) + jitter);
            }
            Err(why) => {
                self.pace.tell(place, Err(&why));
                if of.failed.as_ref() != Some(&why) {
                    let kept = match of.named {
                        Some(_) => "the limits that it gave before hold",
                        None => "until it answers only configured limits hold",
                    };
                    tracing::warn!("Service Quotas does not answer for {place}, {kept}: {why}");
                }
                of.failed = Some(why);
                of.due = after(now, of.again);
                of.again = (of.again * 2).min(EVERY);
            }
        }
    }

    fn jitter(&self) -> Duration {
        let micros = u64::try_from(self.clock.now().0).unwrap_or_default();
        Duration::from_millis(micros % u64::try_from(SPREAD.as_millis()).unwrap_or(1))
    }
}

impl Place {
    fn new(quotas: Arc<Quotas>, due: Tick) -> Self {
        Self { quotas, due, again: AGAIN, failed: None, named: None, without: HashSet::new() }
    }

    fn say_without(&mut self, place: &str, without: Vec<Arc<str>>) {
        let new: Vec<Arc<str>> = without.into_iter().filter(|name| !self.without.contains(name)).collect();
        if new.is_empty() || self.without.len() >= SAID {
            return;
        }
        tracing::warn!(
            "Service Quotas names no quota that is surely of these models at {place}, and only what is configured bounds them: {}",
            new.join(", ")
        );
        self.without.extend(new);
    }
}

fn after(now: Tick, wait: Duration) -> Tick {
    Tick(now.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
}
