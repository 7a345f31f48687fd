//! Notices to receivers on loopback: real sockets, real TLS, the real thread.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod behaviour;
mod receiver;
mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::SystemClock;
use bedplate_core::ids::SystemIds;
use bedplate_core::notice::{Kind, Notice, Severity};
use bedplate_core::setting::{SecretRef, Span};
use bedplate_notify::config::{self, Config};
use bedplate_notify::{Notifier, Parts};

const LONG: Duration = Duration::from_secs(30);

fn start(folder: &Path, targets: Vec<Config>) -> Arc<Notifier> {
    let parts = Parts {
        targets,
        folder: folder.join("notices"),
        clock: SystemClock::shared(),
        ids: SystemIds::shared(),
        claims: None,
    };
    Notifier::start(parts).unwrap()
}

fn notice(subject: &str) -> Notice {
    let clock = SystemClock::shared();
    Notice::new(&*SystemIds::shared(), clock.now(), Kind::Budget, Severity::Warning, subject)
        .text("Four fifths of the budget are spent.")
        .field("budget", "support")
        .field("spent", "$8.00")
}

/// A file with a secret, in `folder`.
fn secret(folder: &Path, name: &str, text: &str) -> SecretRef {
    let path = folder.join(name);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    SecretRef::File(path)
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn webhook(folder: &Path, url: &str) -> Config {
    Config {
        url: Some(url.to_owned()),
        secret: Some(secret(folder, "secret", SECRET)),
        timeout: Span::millis(500),
        deadline: Span::secs(60),
        ..Config::named("hook", config::Kind::Webhook)
    }
}

#[track_caller]
fn until(what: &str, mut met: impl FnMut() -> bool) {
    let soon = (0..3_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        met()
    });
    assert!(soon, "not in half a minute: {what}");
}

fn count(notifier: &Notifier, sample: &str) -> u64 {
    let page = notifier.metrics();
    let start = format!("{sample} ");
    page.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or("0").parse().unwrap()
}
