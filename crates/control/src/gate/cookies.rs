//! Cookies: their names, their limits, and how they are read.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};

use super::sessions::LASTS;

/// The cookies of one listener. Browsers share cookies between the ports of a host, so that the port
/// stands in the names: two bedplates on one machine do not sign each other out.
pub(crate) struct Jar {
    session: String,
    login: String,
    secure: bool,
}

/// Cookies to set, in a reply.
pub(crate) struct Cookies(Vec<String>);

impl Jar {
    pub(crate) fn new(port: u16, secure: bool) -> Self {
        // browsers take `__Host-` only over TLS: it says that no other host can have set the cookie
        let prefix = if secure { "__Host-" } else { "" };
        Self {
            session: format!("{prefix}bedplate-{port}"),
            login: format!("{prefix}bedplate-login-{port}"),
            secure,
        }
    }

    /// What the session cookie of a request holds.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<String> {
        find(headers, &self.session)
    }

    /// What the cookie holds that ties a login form to its browser.
    pub(crate) fn login(&self, headers: &HeaderMap) -> Option<String> {
        find(headers, &self.login)
    }

    /// Signs a browser in.
    pub(crate) fn signed_in(&self, id: &str) -> Cookies {
        Cookies(vec![self.cookie(&self.session, id, LASTS.as_secs()), self.cookie(&self.login, "", 0)])
    }

    /// Signs a browser out.
    pub(crate) fn signed_out(&self) -> Cookies {
        Cookies(vec![self.cookie(&self.session, "", 0)])
    }

    /// Ties a login form to its browser for an hour.
    pub(crate) fn asked(&self, nonce: &str) -> Cookies {
        Cookies(vec![self.cookie(&self.login, nonce, 3_600)])
    }

    fn cookie(&self, name: &str, value: &str, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
    }
}

impl Cookies {
    pub(crate) fn set(self, headers: &mut HeaderMap) {
        for cookie in self.0 {
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                headers.append(SET_COOKIE, value);
            }
        }
    }
}

/// The first cookie of that name. Ours hold letters and digits only.
fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|h| h.to_str().ok())
        .flat_map(|h| h.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("xbedplate-1=no; bedplate-1=yes; bedplate-11=no"));
        assert_eq!(Jar::new(1, false).session(&headers).as_deref(), Some("yes"));
        assert_eq!(Jar::new(2, false).session(&headers), None);
    }

    #[test]
    fn cookies_are_secure_when_the_listener_is() {
        let cookies = |jar: Jar| jar.signed_in("x").0.concat();
        assert!(!cookies(Jar::new(1, false)).contains("Secure"));
        let secure = cookies(Jar::new(1, true));
        assert!(
            secure.contains("__Host-bedplate-1=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure")
        );
    }
}
