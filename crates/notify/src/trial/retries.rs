//! When a notice is tried again, and when it is given up.

use super::*;

#[tokio::test(start_paused = true)]
async fn waits_grow_and_the_notice_arrives() {
    let place = Place::new(1);
    let script = Script::new(|_, before| if before < 6 { Act::Fails(Again::Soon) } else { Act::Takes });
    let run = place.run(&[(target("ops"), &script)], None);
    let notice = place.notice("one");
    run.notifier.notify(notice.clone());
    until("delivered", || !script.took().is_empty()).await;
    let tries = script.tries();
    assert_eq!((tries.len(), script.took()), (7, vec![notice.id]));
    for (n, pair) in tries.windows(2).enumerate() {
        // a millisecond is the grain of tokio's timers
        assert!(pair[1] - pair[0] <= secs(1 << n) + Duration::from_millis(2), "{n}: {tries:?}");
    }
    assert_eq!(run.count("bedplate_notices_failures_total", "target=\"ops\""), 6);
    assert_eq!(run.count("bedplate_notices_delivered_total", "target=\"ops\""), 1);
    assert_eq!(run.count("bedplate_notices_waiting", "target=\"ops\""), 0);
    assert_eq!(place.dead(), []);
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_it_is_a_dead_letter() {
    let place = Place::new(2);
    let script = Script::new(|_, _| Act::Fails(Again::Soon));
    let run = place.run(&[(target("ops"), &script)], None);
    let notice = place.notice("one");
    run.notifier.notify(notice.clone());
    until("dead", || run.count("bedplate_notices_dead_total", "target=\"ops\"") == 1).await;
    let (tries, dead) = (script.tries(), place.dead());
    let last = *tries.last().unwrap();
    assert!(last >= secs(3_600) && last < secs(3_602), "tried once more at the deadline: {last:?}");
    assert!((15..60).contains(&tries.len()), "{}", tries.len());
    assert_eq!((dead.len(), dead[0].tries as usize), (1, tries.len()));
    assert_eq!((&dead[0].notice, dead[0].target.as_str()), (&notice, "ops"));
    assert_eq!(dead[0].why, "as the script says");
    assert_eq!(run.count("bedplate_notices_waiting", "target=\"ops\""), 0);
    run.end().await;
    // nothing is left for the next run
    let script = Script::new(|_, _| Act::Takes);
    place.run(&[(target("ops"), &script)], None).end().await;
    assert_eq!(script.took(), []);
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_taken_is_given_up_at_once_and_the_next_goes_on() {
    let place = Place::new(3);
    let script = Script::new(|n, _| if n.subject == "bad" { Act::Fails(Again::Never) } else { Act::Takes });
    let run = place.run(&[(target("ops"), &script)], None);
    run.notifier.notify(place.notice("bad"));
    run.notifier.notify(place.notice("good"));
    until("delivered", || script.took().len() == 1).await;
    assert_eq!(script.tries().len(), 2);
    assert_eq!(place.dead()[0].notice.subject, "bad");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_asks_for_a_rest_is_left_alone() {
    let place = Place::new(4);
    let script =
        Script::new(|_, before| if before == 0 { Act::Fails(Again::After(secs(90))) } else { Act::Takes });
    let run = place.run(&[(target("ops"), &script)], None);
    run.notifier.notify(place.notice("first"));
    tokio::time::sleep(secs(5)).await;
    run.notifier.notify(place.notice("second"));
    until("both", || script.took().len() == 2).await;
    let tries = script.tries();
    assert!(tries[1] - tries[0] >= secs(90) && tries[1] - tries[0] < secs(95), "{tries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rest_beyond_the_deadline_is_a_dead_letter_and_no_silence_for_ever() {
    let place = Place::new(5);
    let year = secs(365 * 86_400);
    let script =
        Script::new(move |_, before| if before == 0 { Act::Fails(Again::After(year)) } else { Act::Takes });
    let run = place.run(&[(target("ops"), &script)], None);
    run.notifier.notify(place.notice("first"));
    until("dead", || place.dead().len() == 1).await;
    assert_eq!(script.tries().len(), 1);
    tokio::time::sleep(secs(60)).await;
    run.notifier.notify(place.notice("second"));
    until("delivered", || script.took().len() == 1).await;
    let tries = script.tries();
    assert!(tries[1] >= secs(3_600) && tries[1] < secs(3_605), "{tries:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_over_and_over_holds_up_no_other() {
    let place = Place::new(6);
    let script = Script::new(|n, _| if n.subject == "bad" { Act::Fails(Again::Soon) } else { Act::Takes });
    let run = place.run(&[(target("ops"), &script)], None);
    run.notifier.notify(place.notice("bad"));
    tokio::time::sleep(secs(600)).await;
    for n in 0..20 {
        run.notifier.notify(place.notice("good"));
        tokio::time::sleep(secs(1)).await;
        assert_eq!(script.took().len(), n + 1);
    }
    assert_eq!(run.count("bedplate_notices_waiting", "target=\"ops\""), 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hangs_holds_up_no_other() {
    let place = Place::new(7);
    let (hangs, works) = (Script::new(|_, _| Act::Hangs), Script::new(|_, _| Act::Takes));
    let run = place.run(&[(target("hangs"), &hangs), (target("works"), &works)], None);
    (0..50).for_each(|_| run.notifier.notify(place.notice("one")));
    tokio::time::sleep(secs(1)).await;
    assert_eq!((works.took().len(), hangs.tries().len()), (50, 1));
    tokio::time::sleep(secs(25)).await;
    // ten seconds each
    assert_eq!(hangs.tries().len(), 3);
    assert_eq!(run.count("bedplate_notices_waiting", "target=\"hangs\""), 50);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_place_in_a_queue_is_a_dead_letter() {
    let place = Place::new(8);
    let script = Script::new(|_, _| Act::Hangs);
    let run = place.run(&[(Config { queue: 3, ..target("ops") }, &script)], None);
    let notices: Vec<Notice> = (0..10).map(|n| place.notice(&n.to_string())).collect();
    notices.iter().for_each(|notice| run.notifier.notify(notice.clone()));
    until("seven dead", || place.dead().len() == 7).await;
    let subjects: Vec<String> = place.dead().into_iter().map(|letter| letter.notice.subject).collect();
    assert_eq!(subjects, ["3", "4", "5", "6", "7", "8", "9"]);
    assert!(place.dead()[0].why.contains("3 notices wait"), "{}", place.dead()[0].why);
}

#[tokio::test(start_paused = true)]
async fn deadlines_and_timeouts_are_the_targets_own() {
    let place = Place::new(9);
    let script = Script::new(|_, _| Act::Hangs);
    let config = Config { timeout: Span::secs(3), deadline: Span::secs(20), ..target("ops") };
    let run = place.run(&[(config, &script)], None);
    run.notifier.notify(place.notice("one"));
    until("dead", || place.dead().len() == 1).await;
    let tries = script.tries();
    assert!(tries[1] >= secs(3) && *tries.last().unwrap() <= secs(21), "{tries:?}");
    assert_eq!(place.dead()[0].why, "no answer within 3s");
    drop(run);
}
