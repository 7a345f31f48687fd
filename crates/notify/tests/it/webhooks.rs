//! What receivers get.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bedplate_core::notice::Notices;
use bedplate_notify::dead::DeadLetters;
use bedplate_notify::send_once;

use super::receiver::{Answer, Authority, Receiver};
use super::*;

#[test]
fn a_webhook_is_signed_json() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::http([]);
    let mut config = webhook(folder.path(), &receiver.url());
    config.headers.insert("authorization".into(), secret(folder.path(), "header", "Bearer of-bad-news"));
    let notifier = start(folder.path(), vec![config]);
    let notice = notice("support is at 80%").dedup("support/2026-11/80");
    notifier.notify(notice.clone());
    assert!(notifier.close(LONG));

    let requests = receiver.requests();
    let (parts, body) = &requests[0];
    assert_eq!((requests.len(), parts.method.as_str(), parts.uri.path()), (1, "POST", "/hooks/bedplate"));
    let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("authorization"), "Bearer of-bad-news");
    assert!(header("user-agent").starts_with("bedplate/"));
    assert_eq!(header("webhook-id"), notice.id.0);
    let at = header("webhook-timestamp");
    assert!((at.parse::<i64>().unwrap() - notice.at.secs()).abs() < 60);
    let key = BASE64_STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = [format!("{}.{at}.", notice.id.0).as_bytes(), body].concat();
    let signature = BASE64_STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&key, &signed, &signature).unwrap();

    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["kind"], "budget");
    assert_eq!(body["severity"], "warning");
    assert_eq!(body["subject"], "support is at 80%");
    assert_eq!(body["fields"]["spent"], "$8.00");
    assert_eq!(body["dedup"], "support/2026-11/80");
    assert_eq!(body["at"], notice.at.to_string());
}

#[test]
fn a_slack_message_goes_where_the_secret_says() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::http([]);
    let url = format!("http://{}/services/T0/B0/secret", receiver.address);
    let config = Config {
        url_from: Some(secret(folder.path(), "slack", &url)),
        ..Config::named("slack", config::Kind::Slack)
    };
    let notifier = start(folder.path(), vec![config]);
    notifier.notify(notice("support is at 80%"));
    assert!(notifier.close(LONG));
    assert_eq!(receiver.requests()[0].0.uri.path(), "/services/T0/B0/secret");
    let body = &receiver.bodies()[0];
    assert_eq!(body["text"], ":warning: support is at 80%");
    assert_eq!(body["blocks"][0]["type"], "header");
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let right = Authority::new(folder.path(), "right");
    let wrong = Authority::new(folder.path(), "wrong");
    let receiver = Receiver::https(&right);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let send = |host: &str, ca_file: Option<&Path>| {
        let url = format!("https://{host}:{}/", receiver.address.port());
        let config = Config {
            ca_file: ca_file.map(Path::to_owned),
            timeout: Span::secs(20),
            ..webhook(folder.path(), &url)
        };
        runtime.block_on(send_once(&config, &SystemClock::shared(), &notice("over TLS")))
    };
    assert_eq!(send("localhost", Some(&right.ca_file)), Ok(()));
    assert_eq!(receiver.requests().len(), 1);
    for (host, ca_file) in
        [("localhost", None), ("localhost", Some(&*wrong.ca_file)), ("127.0.0.1", Some(&*right.ca_file))]
    {
        let said = send(host, ca_file).unwrap_err();
        assert!(said.contains("certificate"), "{host} {ca_file:?}: {said}");
    }
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn a_redirect_is_not_followed_and_its_secret_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Receiver::http([]);
    let to = format!("http://{}/stolen?token=t0p", elsewhere.address);
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::http([Answer::Status(status, vec![("location", to.clone())], "moved")]);
        let place = tempfile::tempdir().unwrap();
        let notifier = start(place.path(), vec![webhook(folder.path(), &receiver.url())]);
        notifier.notify(notice("one"));
        let dead = DeadLetters::of(&place.path().join("notices"));
        until("a dead letter", || dead.list().unwrap().len() == 1);
        let letter = dead.list().unwrap().remove(0);
        assert!(letter.why.contains("redirects to the host `127.0.0.1`"), "{}", letter.why);
        assert!(!letter.why.contains("t0p") && letter.tries == 1, "{letter:?}");
        assert!(notifier.close(LONG));
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn the_words_of_a_refusal_are_kept_without_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let words = "no hook at /services/T0/B0/secret\u{1b}[31m\n";
    let receiver = Receiver::http([Answer::Status(404, vec![], words)]);
    let url = format!("http://{}/services/T0/B0/secret", receiver.address);
    let config = Config {
        url_from: Some(secret(folder.path(), "slack", &url)),
        ..Config::named("slack", config::Kind::Slack)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let said = runtime.block_on(send_once(&config, &SystemClock::shared(), &notice("one"))).unwrap_err();
    assert_eq!(said, "404 Not Found: no hook at … [31m");
}

#[test]
fn secrets_that_are_missing_or_weak_are_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let try_start = |config: Config| {
        let parts = Parts {
            targets: vec![config],
            folder: folder.path().join("notices"),
            clock: SystemClock::shared(),
            ids: SystemIds::shared(),
            claims: None,
        };
        Notifier::start(parts).map(|_| ()).unwrap_err().to_string()
    };
    let mut config = webhook(folder.path(), "http://127.0.0.1:1/");
    config.secret = Some(secret(folder.path(), "weak", "hunter2"));
    let said = try_start(config.clone());
    assert!(said.contains("`hook`") && said.contains("shorter") && !said.contains("hunter2"), "{said}");
    config.secret = Some(SecretRef::File(folder.path().join("none")));
    assert!(try_start(config).contains("cannot be read"));
}
