//! Browser sessions: in memory, by the hash of their cookie.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use bedplate_core::clock::{Clock, Tick};
use bedplate_core::ids::{self, Ids};
use bedplate_core::secret::Secret;
use parking_lot::Mutex;

use super::sha256;

/// How long a session lasts.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3_600);
/// How many sessions there may be; the oldest makes room.
const MOST: usize = 256;

pub(super) struct Sessions {
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
    /// Signs the tokens of login forms; new in each process.
    forms: hmac::Key,
    open: Mutex<HashMap<[u8; 32], Open>>,
}

struct Open {
    until: Tick,
    csrf: Arc<str>,
}

/// A session that a request belongs to.
#[derive(Clone)]
pub(crate) struct Session {
    hash: [u8; 32],
    /// What a form of this session must bring back.
    pub(crate) csrf: Arc<str>,
}

impl Sessions {
    pub(super) fn new(ids: Arc<dyn Ids>, clock: Arc<dyn Clock>) -> Self {
        let mut key = [0; 32];
        ids.fill(&mut key);
        Self { ids, clock, forms: hmac::Key::new(hmac::HMAC_SHA256, &key), open: Mutex::default() }
    }

    pub(super) fn open(&self) -> Secret {
        let id = self.word();
        let now = self.clock.tick();
        let until = Tick(now.0 + u64::try_from(LASTS.as_nanos()).unwrap_or(0));
        let mut open = self.open.lock();
        open.retain(|_, s| s.until > now);
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, s)| s.until).map(|(hash, _)| *hash)
        {
            open.remove(&oldest);
        }
        open.insert(sha256(id.as_bytes()), Open { until, csrf: self.word().into() });
        Secret::new(id)
    }

    /// Found by hash: how long it takes says nothing about ids that exist.
    pub(super) fn find(&self, id: &str) -> Option<Session> {
        let hash = sha256(id.as_bytes());
        let open = self.open.lock();
        let found = open.get(&hash).filter(|s| s.until > self.clock.tick())?;
        Some(Session { hash, csrf: Arc::clone(&found.csrf) })
    }

    pub(super) fn close(&self, session: &Session) {
        self.open.lock().remove(&session.hash);
    }

    pub(super) fn login_token(&self, nonce: &str) -> String {
        let tag = hmac::sign(&self.forms, nonce.as_bytes());
        tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// 43 letters and digits that nobody can guess: 256 bits.
    pub(super) fn word(&self) -> String {
        const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        ids::text(&*self.ids, WORD, 43)
    }
}

#[cfg(test)]
mod tests {
    use bedplate_testkit::{ManualClock, SeededIds};

    use super::*;

    fn sessions(clock: &ManualClock) -> Sessions {
        Sessions::new(Arc::new(SeededIds::new(1)), Arc::new(clock.clone()))
    }

    #[test]
    fn a_session_ends_after_twelve_hours_or_when_it_is_closed() {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let sessions = sessions(&clock);
        let id = sessions.open();
        clock.advance(LASTS - Duration::from_millis(1));
        let session = sessions.find(id.expose()).unwrap();
        clock.advance(Duration::from_millis(1));
        assert!(sessions.find(id.expose()).is_none());
        let other = sessions.open();
        assert_ne!(sessions.find(other.expose()).unwrap().csrf, session.csrf);
        sessions.close(&sessions.find(other.expose()).unwrap());
        assert!(sessions.find(other.expose()).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_makes_room() {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let sessions = sessions(&clock);
        let first = sessions.open();
        for _ in 0..MOST {
            clock.advance(Duration::from_millis(1));
            sessions.open();
        }
        assert_eq!(sessions.open.lock().len(), MOST);
        assert!(sessions.find(first.expose()).is_none());
    }

    #[test]
    fn ids_are_kept_as_hashes_only() {
        let sessions = sessions(&ManualClock::at("2026-11-22T12:00:00Z"));
        let id = sessions.open();
        assert_eq!(sessions.open.lock().keys().next(), Some(&sha256(id.expose().as_bytes())));
    }
}
