//! Receivers that fail, and a notifier that does not mind.

use bedplate_core::notice::Notices;
use bedplate_notify::dead::DeadLetters;

use super::receiver::{Answer, Receiver};
use super::*;

fn status(status: u16) -> Answer {
    Answer::Status(status, Vec::new(), "no")
}

#[test]
fn what_fails_for_a_while_is_sent_again_with_the_same_id_and_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    for failures in
        [[status(500), Answer::HangUp], [Answer::Silence, status(503)], [status(408), status(409)]]
    {
        let receiver = Receiver::http(failures);
        let place = tempfile::tempdir().unwrap();
        let notifier = start(place.path(), vec![webhook(folder.path(), &receiver.url())]);
        let notice = notice("one");
        notifier.notify(notice.clone());
        until("delivered", || count(&notifier, "bedplate_notices_delivered_total{target=\"hook\"}") == 1);
        assert_eq!(count(&notifier, "bedplate_notices_failures_total{target=\"hook\"}"), 2);
        let requests = receiver.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|(parts, _)| parts.headers["webhook-id"] == *notice.id.0));
        assert!(requests.iter().all(|(_, body)| *body == requests[0].1));
        assert!(notifier.close(LONG));
    }
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let wait = Answer::Status(429, vec![("retry-after", "2".into())], "slow down");
    let receiver = Receiver::http([wait]);
    let notifier = start(folder.path(), vec![webhook(folder.path(), &receiver.url())]);
    notifier.notify(notice("one"));
    until("delivered", || count(&notifier, "bedplate_notices_delivered_total{target=\"hook\"}") == 1);
    let at: Vec<i64> = receiver
        .requests()
        .iter()
        .map(|(parts, _)| parts.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap())
        .collect();
    assert!(at.len() == 2 && at[1] - at[0] >= 2, "{at:?}");
    assert!(notifier.close(LONG));
}

#[test]
fn whoever_notifies_returns_at_once_with_every_target_hanging_or_gone() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Receiver::http(vec![Answer::Silence; 4_000]);
    let gone = Receiver::http([]).url();
    let mut targets = Vec::new();
    for (n, url) in [silent.url(), gone].iter().cycle().take(6).enumerate() {
        let name = format!("t{n}");
        targets.push(Config { name, timeout: Span::secs(60), ..webhook(folder.path(), url) });
    }
    let notifier = start(folder.path(), targets);
    let notices: Vec<_> = (0..4_000).map(|n| notice(&n.to_string())).collect();
    let clock = SystemClock::shared();
    let mut times = Vec::with_capacity(notices.len());
    for notice in notices {
        let before = clock.tick();
        notifier.notify(notice);
        times.push(clock.tick().since(before));
    }
    times.sort();
    // the median: what the machine does to a single one says nothing
    assert!(times[times.len() / 2] < Duration::from_millis(1), "{:?}", times[times.len() / 2]);
    assert!(times.iter().sum::<Duration>() < Duration::from_secs(10), "no wait of any target is in it");
    until("the inbox is worked off", || {
        let dropped = count(&notifier, "bedplate_notices_dropped_total{place=\"inbox\"}");
        let accounted = |n: usize| {
            count(&notifier, &format!("bedplate_notices_waiting{{target=\"t{n}\"}}"))
                + count(&notifier, &format!("bedplate_notices_dead_total{{target=\"t{n}\"}}"))
        };
        (0..6).all(|n| dropped + accounted(n) == 4_000)
    });
    // an end while all hang is within its bound
    let before = clock.tick();
    assert!(!notifier.close(Duration::from_millis(300)));
    assert!(clock.tick().since(before) < Duration::from_secs(10));
}

#[test]
fn an_end_in_the_middle_leaves_all_to_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Receiver::http(vec![Answer::Silence; 100]);
    let config = Config { timeout: Span::secs(60), ..webhook(folder.path(), &silent.url()) };
    let notifier = start(folder.path(), vec![config]);
    let notices: Vec<_> = (0..5).map(|n| notice(&n.to_string())).collect();
    notices.iter().for_each(|notice| notifier.notify(notice.clone()));
    until("the first is tried", || silent.requests().len() == 1);
    assert!(!notifier.close(Duration::from_millis(100)));
    drop(notifier);

    let receiver = Receiver::http([]);
    let notifier = start(folder.path(), vec![webhook(folder.path(), &receiver.url())]);
    until("all", || receiver.requests().len() == 5);
    assert!(notifier.close(LONG));
    let subjects: Vec<_> = receiver.bodies().iter().map(|body| body["subject"].clone()).collect();
    assert_eq!(subjects, ["0", "1", "2", "3", "4"]);
    assert!(DeadLetters::of(&folder.path().join("notices")).list().unwrap().is_empty());

    let notifier = start(folder.path(), vec![webhook(folder.path(), &receiver.url())]);
    assert!(notifier.close(LONG));
    assert_eq!(receiver.requests().len(), 5, "none twice");
}

#[test]
fn a_receiver_that_is_gone_leaves_dead_letters_after_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Receiver::http([]).url();
    let config = Config { deadline: Span::millis(300), ..webhook(folder.path(), &gone) };
    let notifier = start(folder.path(), vec![config]);
    notifier.notify(notice("one"));
    let dead = DeadLetters::of(&folder.path().join("notices"));
    until("a dead letter", || dead.list().unwrap().len() == 1);
    let letter = dead.list().unwrap().remove(0);
    assert!(letter.why.contains("refused"), "{}", letter.why);
    assert_eq!(letter.notice.subject, "one");
    assert!(notifier.close(LONG));
}

#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::http([status(404)]);
    let notifier = start(folder.path(), vec![webhook(folder.path(), &receiver.url())]);
    notifier.notify(notice("one"));
    let notices = folder.path().join("notices");
    until("a dead letter", || DeadLetters::of(&notices).list().unwrap().len() == 1);
    assert!(notifier.close(LONG));
    for file in std::fs::read_dir(&notices).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}
