//! A session of a role for each tenant, so that AWS's own reports know who called.
//!
//! A session is found without a lock. The first call of a tenant makes it and waits for AWS; calls that come meanwhile
//! wait for the same answer. It is renewed before it expires, in the background, as long as it is used; it is signed
//! with until it expires, however renewal fares, and never after. It is found by everything that is said of its tenant,
//! so none is ever somebody else's.

mod assume;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bedplate_core::clock::{Clock, Tick};
use bedplate_core::principal::Principal;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use self::assume::{Asked, Assume, Assumed, Sts};
use super::credentials::Credentials;
use super::credentials::renewal::Pace;
use super::sign::Signer;
use crate::config::Config;
use crate::tenancy::template::{Template, session_name, tag_value};
use crate::tenancy::{SessionsConfig, members};

/// The sessions of one provider.
pub struct Sessions {
    assume: Arc<dyn Assume>,
    name: Template,
    tags: Vec<(String, Template)>,
    transitive: Arc<[String]>,
    lifetime: Duration,
    most: usize,
    /// Which members of a principal tell sessions apart: those that name and tags use.
    uses: [bool; 4],
    /// Whether the provider's own role is assumed for callers whom no entry gives one.
    own: Option<Arc<str>>,
    region: String,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    kept: ArcSwap<HashMap<Who, Arc<Session>>>,
    /// Held by whoever adds or drops.
    turn: Mutex<()>,
    counts: Arc<Counts>,
}

/// Whose a session is. Members that are not used are empty.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Who {
    role: Arc<str>,
    members: [Arc<str>; 4],
}

pub(super) struct Session {
    pub(super) signer: Signer,
    pub(super) credentials: Credentials,
    /// For people: the session's name and role.
    pub(super) said: String,
    /// The tick at which it was used last, to the second.
    used: AtomicU64,
}

#[derive(Default)]
struct Counts {
    assumed: AtomicU64,
    failed: AtomicU64,
    evicted: AtomicU64,
}

/// What became of sessions, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SessionCounts {
    pub kept: u64,
    /// Answers of AWS with credentials, first ones and renewals.
    pub assumed: u64,
    pub failed: u64,
    /// Dropped for another one, because as many were kept as may be.
    pub evicted: u64,
}

/// How finely it is noted when a session was used.
const GRAIN: u64 = 1_000_000_000;

impl Sessions {
    /// The sessions of a provider; `None` when it has none. `own` are the provider's credentials.
    ///
    /// # Errors
    /// Says which template cannot be read.
    pub fn of(
        config: &Config,
        own: &Credentials,
        clock: &Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Result<Option<Arc<Self>>, String> {
        let some = config.sessions.is_some() || config.tenant.iter().any(|tenant| tenant.role_arn.is_some());
        if !some {
            return Ok(None);
        }
        // roles are assumed by whoever assumes the provider's own, not by that role
        let base = match &config.role_arn {
            None => own.clone(),
            Some(_) => {
                let without = Config { role_arn: None, ..config.clone() };
                Credentials::chain(&without, Arc::clone(clock), runtime)
            }
        };
        let sts = Sts::new(config, base, Arc::clone(clock));
        Self::with(config, Arc::new(sts), clock, runtime).map(Some)
    }

    fn with(
        config: &Config,
        assume: Arc<dyn Assume>,
        clock: &Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Result<Arc<Self>, String> {
        let SessionsConfig { name, tags, transitive, most, lifetime } =
            config.sessions.clone().unwrap_or_default();
        let name = Template::read(&name)?;
        let tags = tags.into_iter().map(|(key, value)| Ok((key, Template::read(&value)?)));
        let tags = tags.collect::<Result<Vec<_>, String>>()?;
        let used = tags.iter().map(|(_, value)| value.uses()).chain([name.uses()]);
        let uses = used.fold([false; 4], |all, one| std::array::from_fn(|n| all[n] || one[n]));
        Ok(Arc::new(Self {
            assume,
            name,
            tags,
            transitive: transitive.into(),
            lifetime: lifetime.0,
            most: most.max(1),
            uses,
            own: config.sessions.as_ref().and(config.role_arn.as_deref()).map(Arc::from),
            region: config.region.clone(),
            clock: Arc::clone(clock),
            runtime: runtime.clone(),
            kept: ArcSwap::default(),
            turn: Mutex::default(),
            counts: Arc::default(),
        }))
    }

    /// The session of a caller; `None` when the provider's own credentials sign its calls. `role` is that of its tenant.
    pub(super) fn of_caller(&self, role: Option<&Arc<str>>, who: &Principal) -> Option<Arc<Session>> {
        let role = role.or(self.own.as_ref())?;
        let key = self.key(role, who);
        let now = self.clock.tick();
        if let Some(session) = self.kept.load().get(&key) {
            session.touch(now);
            return Some(Arc::clone(session));
        }
        Some(self.add(key, who, now))
    }

    fn key(&self, role: &Arc<str>, who: &Principal) -> Who {
        let all = [&who.team, &who.feature, &who.environment, &who.key.0];
        let members = std::array::from_fn(|n| if self.uses[n] { Arc::clone(all[n]) } else { Arc::default() });
        Who { role: Arc::clone(role), members }
    }

    fn add(&self, key: Who, who: &Principal, now: Tick) -> Arc<Session> {
        let _turn = self.turn.lock();
        let kept = self.kept.load();
        if let Some(session) = kept.get(&key) {
            return Arc::clone(session);
        }
        let session = Arc::new(self.session(&key.role, who, now));
        let mut next = HashMap::clone(&kept);
        while next.len() >= self.most {
            let longest = next.iter().min_by_key(|(_, session)| session.used.load(Ordering::Relaxed));
            let Some(key) = longest.map(|(key, _)| key.clone()) else { break };
            next.remove(&key);
            self.counts.evicted.fetch_add(1, Ordering::Relaxed);
        }
        next.insert(key, Arc::clone(&session));
        self.kept.store(Arc::new(next));
        session
    }

    fn session(&self, role: &Arc<str>, who: &Principal, now: Tick) -> Session {
        let name = session_name(&self.name.fill(who));
        let said = format!("session `{name}` of `{role}`");
        let tags = self.tags.iter().map(|(key, value)| (key.clone(), tag_value(&value.fill(who)))).collect();
        let asked = Asked {
            role: Arc::clone(role),
            name,
            tags,
            transitive: Arc::clone(&self.transitive),
            lifetime: self.lifetime,
        };
        // sessions that began together are not renewed together
        let spread = members(who).iter().flat_map(|name| name.bytes()).map(u64::from).sum::<u64>() % 60;
        let pace = Pace { early: Duration::from_secs(300 + spread), longest: self.lifetime };
        let assumed = Assumed { assume: Arc::clone(&self.assume), asked, counts: Arc::clone(&self.counts) };
        let (clock, runtime) = (Arc::clone(&self.clock), &self.runtime);
        let credentials = Credentials::renewed(assumed, pace, format!(" for the {said}"), clock, runtime);
        Session {
            signer: Signer::new(credentials.clone(), &self.region),
            credentials,
            said,
            used: AtomicU64::new(now.0),
        }
    }

    /// Drops sessions that nobody used for as long as one lives; called now and then.
    pub(super) fn sweep(&self) {
        let now = self.clock.tick();
        let idle = |session: &Session| now.since(Tick(session.used.load(Ordering::Relaxed))) > self.lifetime;
        if !self.kept.load().values().any(|session| idle(session)) {
            return;
        }
        let _turn = self.turn.lock();
        let mut next = HashMap::clone(&self.kept.load());
        next.retain(|_, session| !idle(session));
        self.kept.store(Arc::new(next));
    }

    pub fn counts(&self) -> SessionCounts {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let Counts { assumed, failed, evicted } = &*self.counts;
        let kept = self.kept.load().len() as u64;
        SessionCounts { kept, assumed: read(assumed), failed: read(failed), evicted: read(evicted) }
    }
}

impl Session {
    fn touch(&self, now: Tick) {
        // written once a second at most: threads that share a tenant do not fight over it
        if now.0.saturating_sub(self.used.load(Ordering::Relaxed)) >= GRAIN {
            self.used.store(now.0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
