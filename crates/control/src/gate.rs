//! Who may pass: the local admin key, or a browser session that was opened with it.

mod cookies;
mod failures;
mod sessions;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::secret::Secret;
use subtle::ConstantTimeEq;

pub(crate) use cookies::Jar;
pub(crate) use sessions::Session;

use failures::Failures;
use sessions::Sessions;

pub(crate) struct Gate {
    /// SHA-256 of the admin key: equal lengths are compared, and nothing else can be told.
    key: [u8; 32],
    sessions: Sessions,
    failures: Failures,
    pub(crate) jar: Jar,
}

/// How somebody proved that they may pass.
#[derive(Clone)]
pub(crate) enum Pass {
    /// By the admin key itself.
    Key,
    /// By a browser session.
    Session(Session),
}

/// Why somebody may not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Barred {
    /// No admin key and no session.
    Nobody,
    /// A wrong admin key.
    Wrong,
    /// Too many wrong keys from that address; another may be tried after this long.
    Wait(Duration),
}

impl Gate {
    pub(crate) fn new(key: &Secret, ids: Arc<dyn Ids>, clock: Arc<dyn Clock>, jar: Jar) -> Self {
        Self {
            key: sha256(key.expose().as_bytes()),
            sessions: Sessions::new(ids, Arc::clone(&clock)),
            failures: Failures::new(clock),
            jar,
        }
    }

    /// Looks at a request's credentials. A bearer key counts alone: a session does not mend a wrong one.
    pub(crate) fn pass(&self, headers: &HeaderMap, from: IpAddr) -> Result<Pass, Barred> {
        if let Some(header) = headers.get(AUTHORIZATION) {
            return self.try_key(bearer(header.as_bytes()).unwrap_or_default(), from).map(|()| Pass::Key);
        }
        self.session(headers).map(Pass::Session).ok_or(Barred::Nobody)
    }

    /// Whether a request comes from a browser that is signed in.
    pub(crate) fn has_session(&self, headers: &HeaderMap) -> bool {
        self.session(headers).is_some()
    }

    fn session(&self, headers: &HeaderMap) -> Option<Session> {
        self.sessions.find(&self.jar.session(headers)?)
    }

    /// Compares a key that somebody gave with the admin key.
    pub(crate) fn try_key(&self, given: &[u8], from: IpAddr) -> Result<(), Barred> {
        if let Some(wait) = self.failures.wait(from) {
            return Err(Barred::Wait(wait));
        }
        if bool::from(sha256(given).ct_eq(&self.key)) {
            return Ok(());
        }
        if self.failures.note(from) {
            tracing::warn!("too many wrong admin keys from {from}: further ones must wait");
        }
        Err(Barred::Wrong)
    }

    /// Opens a session; gives what its cookie holds.
    pub(crate) fn open(&self) -> Secret {
        self.sessions.open()
    }

    pub(crate) fn close(&self, session: &Session) {
        self.sessions.close(session);
    }

    /// The token that a login form must bring back, for the browser that holds `nonce`.
    pub(crate) fn login_token(&self, nonce: &str) -> String {
        self.sessions.login_token(nonce)
    }

    /// A value for the cookie that ties a login form to its browser.
    pub(crate) fn nonce(&self) -> String {
        self.sessions.word()
    }
}

/// Compares two tokens without telling where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// The token of `Bearer TOKEN`; the scheme in any case.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
