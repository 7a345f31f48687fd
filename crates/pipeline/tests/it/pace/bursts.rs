//! Many calls at once, that reserve much and use little; and calls that are larger than all there is.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::pace::Class;
use bedplate_core::refusal::{Code, Retry};
use bedplate_core::setting::Span;
use bedplate_pipeline::PaceConfig;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::aws::Truth;
use super::traffic::{Fate, Rig};

const TRUTH: Truth = Truth { tpm: 60_000.0, burndown: 1.0, others: 0.0 };
/// What the price list says of the longest answer of the target.
const LONGEST: u64 = 10_000;

/// Interactive calls wait three seconds; where limits are learned, waiting calls find out whether there is more.
fn rig(learn: bool) -> Arc<Rig> {
    let pace = PaceConfig { adaptive: false, interactive: Span::secs(3), ..PaceConfig::default() };
    let quota = format!("from = 'config'\ntpm = 60000\nlearn = {learn}");
    Arc::new(Rig::new(Some(&quota), pace, &[TRUTH]))
}

/// So many at once, each of a short prompt and fifteen tokens of answer.
async fn burst(rig: &Arc<Rig>, calls: usize, says: Option<u64>) -> Vec<Fate> {
    let mut all = JoinSet::new();
    for _ in 0..calls {
        let rig = Arc::clone(rig);
        all.spawn(async move { rig.ask(Class::Interactive, 10, says, says.unwrap_or(LONGEST), 15).await });
    }
    all.join_all().await
}

fn used(rig: &Rig) -> u64 {
    rig.pace.stands()[0].tokens.unwrap().used
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_answered_as_calls_give_back_what_they_reserved() {
    let rig = rig(false);
    for _ in 0..4 {
        let fates = burst(&rig, 40, Some(3_000)).await;
        assert!(fates.iter().all(|fate| fate.answered), "{fates:?}");
        let slowest = fates.iter().map(|fate| fate.took).max().unwrap();
        assert!(slowest < Duration::from_millis(3 * 420 + 10), "three rounds: {slowest:?}");
    }
    assert_eq!(rig.seen().throttled, 0);
    assert!(used(&rig) < 6_000);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_calls_that_say_no_bound_is_answered_too() {
    let rig = rig(false);
    for _ in 0..2 {
        let fates = burst(&rig, 12, None).await;
        assert!(fates.iter().all(|fate| fate.answered && fate.took < Duration::from_secs(2)), "{fates:?}");
    }
    assert_eq!(rig.seen().throttled, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_really_full_turns_away_at_once() {
    let rig = rig(false);
    let mut all = JoinSet::new();
    // of 2,910 tokens that each reserves it uses 2,905
    for _ in 0..20 {
        let rig = Arc::clone(&rig);
        all.spawn(async move { rig.call(Class::Interactive, 2_900, 10, 5).await });
    }
    assert!(all.join_all().await.iter().all(|fate| fate.answered));
    let mut all = JoinSet::new();
    for _ in 0..10 {
        let rig = Arc::clone(&rig);
        all.spawn(async move { rig.call(Class::Interactive, 2_900, 10, 5).await });
    }
    let fates = all.join_all().await;
    let (answered, shed): (Vec<Fate>, Vec<Fate>) = fates.into_iter().partition(|fate| fate.answered);
    assert!((1..=2).contains(&answered.len()), "{answered:?}");
    for fate in shed {
        assert_eq!((fate.code, fate.took), (Some(Code::NoRoom), Duration::ZERO));
        let Some(Retry::After(after)) = fate.retry else { panic!("{fate:?}") };
        assert!((3.0..9.5).contains(&after.as_secs_f64()), "as it flows off: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_fit_is_not_sent_and_not_to_be_tried_again() {
    let rig = rig(false);
    let fate = rig.call(Class::Interactive, 150_000, 100, 5).await;
    assert_eq!((fate.code, fate.retry), (Some(Code::TooLarge), Some(Retry::Never)));
    let fate = rig.call(Class::Background, 10, 60_001, 5).await;
    assert_eq!((fate.code, fate.took), (Some(Code::TooLarge), Duration::ZERO));
    let stand = &rig.pace.stands()[0];
    assert_eq!((rig.seen().requests, stand.under_way, used(&rig)), (0, 0, 0));
    assert!(rig.call(Class::Interactive, 10, 59_000, 5).await.answered);
}

#[tokio::test(start_paused = true)]
async fn what_is_throttled_for_its_size_takes_nothing_from_others() {
    let rig = rig(true);
    // twice what it would have to be, if prompts have half the tokens that are expected: AWS is to judge
    let fate = rig.call(Class::Interactive, 100_000, 100, 5).await;
    assert!(!fate.answered && rig.seen().throttled > 0, "{fate:?}");
    let stand = &rig.pace.stands()[0];
    assert_eq!((stand.learned, used(&rig), stand.under_way), (Some(1.0), 0, 0));
    sleep(Duration::from_millis(1)).await;
    let fates = burst(&rig, 10, Some(3_000)).await;
    assert!(fates.iter().all(|fate| fate.answered && fate.took < Duration::from_millis(500)), "{fates:?}");
}
