//! Signing in and out, and what other sites cannot do.

use std::time::Duration;

use hyper::{Method, StatusCode};

use crate::client::Reply;
use crate::rig::{KEY, Rig};

/// A browser as far as cookies go.
struct Browser<'a> {
    rig: &'a Rig,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(rig: &'a Rig) -> Self {
        Self { rig, cookies: Vec::new() }
    }

    async fn ask(&mut self, method: Method, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let jar: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let jar = jar.join("; ");
        let mut headers = vec![("cookie", &*jar)];
        headers.extend(more);
        let reply = self.rig.plain(method, path, &headers, body).await;
        for cookie in reply.set_cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(n, _)| n != name);
            if !value.is_empty() {
                self.cookies.push((name.into(), value.into()));
            }
        }
        reply
    }

    async fn get(&mut self, path: &str) -> Reply {
        self.ask(Method::GET, path, &[], "").await
    }

    async fn submit(&mut self, path: &str, body: &str) -> Reply {
        self.ask(Method::POST, path, &[("content-type", "application/x-www-form-urlencoded")], body).await
    }

    async fn sign_in(&mut self, key: &str) -> Reply {
        let token = hidden(&self.get("/login").await.text);
        self.submit("/login", &format!("key={key}&token={token}&call=")).await
    }
}

fn hidden(page: &str) -> String {
    let rest = page.split_once("name=\"token\" value=\"").expect("a form with a token").1;
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_signs_in_looks_and_signs_out() {
    let rig = Rig::start().await;
    let mut browser = Browser::new(&rig);
    assert_eq!(browser.get("/").await.header("location"), "/login");
    let entered = browser.sign_in(KEY).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = entered.set_cookies()[0].to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains(KEY) && !cookie.contains("Secure"), "{cookie}");
    let page = browser.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(browser.get("/admin/v1/keys").await.status, StatusCode::OK);
    assert_eq!(browser.get("/login").await.header("location"), "/", "who is in is not asked again");

    let kept = browser.cookies.clone();
    let left = browser.submit("/logout", &format!("token={}", hidden(&page.text))).await;
    assert_eq!(left.header("location"), "/login");
    browser.cookies = kept;
    assert_eq!(
        browser.get("/admin/v1/keys").await.status,
        StatusCode::UNAUTHORIZED,
        "the session is gone for good"
    );
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours() {
    let rig = Rig::start().await;
    let mut browser = Browser::new(&rig);
    browser.sign_in(KEY).await;
    rig.clock.advance(Duration::from_secs(12 * 3_600 - 1));
    assert_eq!(browser.get("/fragment").await.status, StatusCode::OK);
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.get("/fragment").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_key_opens_no_session() {
    let rig = Rig::start().await;
    let mut browser = Browser::new(&rig);
    let refused = browser.sign_in("wrong").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.text.contains("That is not the admin key"));
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
    for _ in 0..30 {
        browser.sign_in("wrong").await;
    }
    assert_eq!(browser.sign_in(KEY).await.status, StatusCode::TOO_MANY_REQUESTS, "forms share the limit");
}

#[tokio::test]
async fn who_made_up_a_cookie_is_nobody() {
    let rig = Rig::start().await;
    let name = format!("bedplate-{}", rig.server.addr().port());
    for value in ["", "x", &"A".repeat(43), "../../etc/passwd"] {
        let cookie = format!("{name}={value}");
        let reply = rig.plain(Method::GET, "/admin/v1/keys", &[("cookie", &cookie)], "").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{value}");
    }
}

#[tokio::test]
async fn a_wrong_bearer_key_is_not_mended_by_a_session() {
    let rig = Rig::start().await;
    let mut browser = Browser::new(&rig);
    browser.sign_in(KEY).await;
    let reply = browser.ask(Method::GET, "/admin/v1/keys", &[("authorization", "Bearer wrong")], "").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_login_form_of_another_browser_does_not_sign_in() {
    let rig = Rig::start().await;
    let theirs = hidden(&Browser::new(&rig).get("/login").await.text);
    let mut browser = Browser::new(&rig);
    let body = format!("key={KEY}&token={theirs}&call=");
    assert_eq!(browser.submit("/login", &body).await.status, StatusCode::FORBIDDEN, "without a cookie");
    browser.get("/login").await;
    assert_eq!(
        browser.submit("/login", &body).await.status,
        StatusCode::FORBIDDEN,
        "with a cookie of its own"
    );
    assert_eq!(browser.submit("/login", "nonsense").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_changes_nothing_without_its_token() {
    let rig = Rig::start().await;
    let mut browser = Browser::new(&rig);
    browser.sign_in(KEY).await;
    let token = hidden(&browser.get("/").await.text);
    let make = r#"{"team":"a"}"#;
    for more in [vec![], vec![("x-bedplate-csrf", "wrong")], vec![("x-bedplate-csrf", "")]] {
        let reply = browser.ask(Method::POST, "/admin/v1/keys", &more, make).await;
        assert_eq!((reply.status, reply.error().0), (StatusCode::FORBIDDEN, "no_session_token".into()));
    }
    // what a form on another site can send
    let form = browser.submit("/admin/v1/keys", make).await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);
    for body in ["", "token=wrong", "token="] {
        assert_eq!(browser.submit("/logout", body).await.status, StatusCode::FORBIDDEN, "{body}");
    }
    assert_eq!(rig.get("/admin/v1/keys").await.json()["keys"].as_array().unwrap().len(), 0);
    let made = browser.ask(Method::POST, "/admin/v1/keys", &[("x-bedplate-csrf", &token)], make).await;
    assert_eq!(made.status, StatusCode::CREATED);
    // the token of one session is of no use to another
    let mut other = Browser::new(&rig);
    other.sign_in(KEY).await;
    let reply = other.ask(Method::POST, "/admin/v1/keys", &[("x-bedplate-csrf", &token)], make).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn signing_in_leads_to_the_call_that_was_asked_for_and_nowhere_else() {
    let rig = Rig::start().await;
    let call = "01939f2a-7c00-7000-8000-000000000001";
    let mut browser = Browser::new(&rig);
    let sent = browser.get(&format!("/calls/{call}")).await;
    assert_eq!(sent.header("location"), format!("/login?call={call}"));
    let form = browser.get(sent.header("location")).await.text;
    assert!(form.contains(call));
    let token = hidden(&form);
    let entered = browser.submit("/login", &format!("key={KEY}&token={token}&call={call}")).await;
    assert_eq!(entered.header("location"), format!("/calls/{call}"));
    for evil in ["https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "..%2F..%2Fx", "javascript%3Aalert(1)"] {
        let mut browser = Browser::new(&rig);
        let form = browser.get(&format!("/login?call={evil}")).await.text;
        assert!(!form.contains("evil") && !form.contains("javascript"), "{evil}");
        let body = format!("key={KEY}&token={}&call={evil}", hidden(&form));
        assert_eq!(browser.submit("/login", &body).await.header("location"), "/", "{evil}");
    }
}
