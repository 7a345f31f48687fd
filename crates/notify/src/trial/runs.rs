//! Ends and beginnings: what is not delivered goes on in the next run.

use super::*;

#[tokio::test(start_paused = true)]
async fn nothing_that_hangs_holds_up_whoever_notifies() {
    let place = Place::new(1);
    let scripts: Vec<Arc<Script>> = (0..3).map(|_| Script::new(|_, _| Act::Hangs)).collect();
    let targets: Vec<(Config, &Arc<Script>)> =
        scripts.iter().enumerate().map(|(n, script)| (target(&format!("t{n}")), script)).collect();
    let run = place.run(&targets, None);
    tokio::time::sleep(secs(1)).await;
    let before = Instant::now();
    // no await: the desk does not even run meanwhile
    (0..5_000).for_each(|n| run.notifier.notify(place.notice(&n.to_string())));
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(run.count("bedplate_notices_dropped_total", "place=\"inbox\""), 5_000 - 1_024);
    // whoever comes later finds room again
    tokio::time::sleep(secs(1)).await;
    run.notifier.notify(place.notice("later"));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(run.count("bedplate_notices_dropped_total", "place=\"inbox\""), 5_000 - 1_024);
    assert!(scripts.iter().all(|script| script.tries().len() == 1));
}

#[tokio::test(start_paused = true)]
async fn an_end_while_retrying_does_not_wait_and_the_next_run_delivers() {
    let place = Place::new(2);
    let fails = Script::new(|_, _| Act::Fails(Again::Soon));
    let works = Script::new(|_, _| Act::Takes);
    let run = place.run(&[(target("fails"), &fails), (target("works"), &works)], None);
    let notice = place.notice("one");
    run.notifier.notify(notice.clone());
    tokio::time::sleep(secs(300)).await;
    let before = Instant::now();
    run.end().await;
    assert!(before.elapsed() < secs(1));
    let later = Script::new(|_, _| Act::Takes);
    let run = place.run(&[(target("fails"), &later), (target("works"), &works)], None);
    until("delivered", || !later.took().is_empty()).await;
    assert_eq!((later.took(), works.took()), (vec![notice.id.clone()], vec![notice.id]));
    drop(run);
}

#[tokio::test(start_paused = true)]
async fn the_last_notices_before_the_end_are_tried() {
    let place = Place::new(3);
    let script = Script::new(|_, _| Act::Slowly(Duration::from_millis(10)));
    let run = place.run(&[(target("ops"), &script)], None);
    let notices: Vec<Notice> = (0..200).map(|n| place.notice(&n.to_string())).collect();
    notices.iter().for_each(|notice| run.notifier.notify(notice.clone()));
    run.end().await;
    assert_eq!(script.took(), notices.into_iter().map(|notice| notice.id).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_run_was_sending_is_sent_again() {
    let place = Place::new(4);
    let script = Script::new(|_, _| Act::Hangs);
    let run = place.run(&[(target("ops"), &script)], None);
    let notice = place.notice("one");
    run.notifier.notify(notice.clone());
    tokio::time::sleep(secs(5)).await;
    drop(run);
    let script = Script::new(|_, _| Act::Takes);
    place.run(&[(target("ops"), &script)], None).end().await;
    assert_eq!(script.took(), [notice.id]);
}

#[tokio::test(start_paused = true)]
async fn time_between_runs_counts_but_one_try_is_always_made() {
    let place = Place::new(5);
    let script = Script::new(|_, _| Act::Fails(Again::Soon));
    let run = place.run(&[(target("ops"), &script)], None);
    run.notifier.notify(place.notice("one"));
    tokio::time::sleep(secs(60)).await;
    drop(run);
    tokio::time::sleep(secs(86_400)).await;
    let fails = Script::new(|_, _| Act::Fails(Again::Soon));
    let run = place.run(&[(target("ops"), &fails)], None);
    until("dead", || place.dead().len() == 1).await;
    assert_eq!(fails.tries().len(), 1);
    drop(run);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_taken_out_leaves_dead_letters() {
    let place = Place::new(6);
    let script = Script::new(|_, _| Act::Fails(Again::Soon));
    let run = place.run(&[(target("old"), &script)], None);
    run.notifier.notify(place.notice("one"));
    tokio::time::sleep(secs(60)).await;
    run.end().await;
    let script = Script::new(|_, _| Act::Takes);
    place.run(&[(target("new"), &script)], None).end().await;
    assert_eq!((script.took(), place.dead().len()), (vec![], 1));
    assert_eq!(place.dead()[0].target, "old");
}

#[tokio::test(start_paused = true)]
async fn targets_are_told_what_they_want() {
    let place = Place::new(7);
    let (all, grave, tests) =
        (Script::new(|_, _| Act::Takes), Script::new(|_, _| Act::Takes), Script::new(|_, _| Act::Takes));
    let targets = [
        (target("all"), &all),
        (Config { on: vec![Kind::Budget], severity: Severity::Critical, ..target("grave") }, &grave),
        (Config { on: vec![Kind::Test], ..target("tests") }, &tests),
    ];
    let run = place.run(&targets, None);
    for severity in Severity::ALL {
        run.notifier.notify(Notice { severity: *severity, ..place.notice("one") });
    }
    run.notifier.notify(Notice { kind: Kind::Test, severity: Severity::Info, ..place.notice("test") });
    run.end().await;
    assert_eq!((all.took().len(), grave.took().len(), tests.took().len()), (4, 2, 1));
}
