//! Which target a call goes to when some have no room for it.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::rate::Rates;
use bedplate_pipeline::{ThrottleConfig, Throttles, throttles};
use bedplate_testkit::MemoryRates;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Bed, Cued, whole};
use crate::house::{Script, call};

const SLOW: Script = Script::Whole { after: Duration::from_secs(5), status: 200 };
const SOON: Duration = Duration::from_millis(1);

/// A second target that is asked only when no other may be.
fn spare(more: &str) -> String {
    format!(
        "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0', \
         {{ target = 'usw2/us.amazon.nova-lite-v1:0', weight = 0 }}]\n{more}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_full_target_is_waited_for_and_one_without_weight_is_not_asked() {
    for more in ["", "sticky = 'conversation'"] {
        let (first, other) = (Cued::narrow("use1", 1, SLOW), Cued::new("usw2", [], whole(200)));
        let bed = Bed::new(&spare(more), &[first.clone(), other.clone()]);
        let began = Instant::now();
        let both = tokio::join!(bed.row(Operation::Converse), async {
            sleep(SOON).await;
            bed.row(Operation::Converse).await
        });
        assert_eq!(both.1.attempts[0].status, 200);
        assert_eq!((first.asked().len(), other.asked().len()), (2, 0), "{more}");
        assert_eq!(began.elapsed().as_secs(), 10, "one after the other");
    }
}

#[tokio::test(start_paused = true)]
async fn those_without_weight_are_asked_one_like_the_other_when_no_other_may_be() {
    let names = ["use1", "usw2", "euc1"];
    let script = |name: &str| if name == "use1" { whole(503) } else { whole(200) };
    let upstreams = names.map(|name| Cued::new(name, [], script(name)));
    let alias = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0', \
        { target = 'usw2/us.amazon.nova-lite-v1:0', weight = 0 }, \
        { target = 'euc1/us.amazon.nova-lite-v1:0', weight = 0 }]";
    let bed = Bed::new(alias, &upstreams);
    for _ in 0..40 {
        assert_eq!(bed.row(Operation::Converse).await.attempts.last().unwrap().status, 200);
    }
    let asked = upstreams.each_ref().map(|upstream| upstream.asked().len());
    assert!(asked[0] < 10, "its breaker opened: {asked:?}");
    assert!(asked[1] >= 10 && asked[2] >= 10, "{asked:?}");
}

/// Nine of ten slots are taken: an interactive call has room there, one of the background has not.
#[tokio::test(start_paused = true)]
async fn a_target_is_chosen_by_the_class_that_throttles_let_a_call_have() {
    let first = Cued::narrow("use1", 10, SLOW);
    let (seldom, often) = (Cued::new("usw2", [], whole(200)), Cued::new("euc1", [], whole(200)));
    let alias = "name = 'triage'\ntargets = [{ target = 'use1/us.amazon.nova-lite-v1:0', weight = 1000000 }, \
        'usw2/us.amazon.nova-lite-v1:0', { target = 'euc1/us.amazon.nova-lite-v1:0', weight = 1000 }]";
    let mut bed = Bed::new(alias, &[first.clone(), seldom.clone(), often.clone()]);
    let reports: ThrottleConfig =
        toml::from_str("name = 'reports'\nscope = { feature = 'summaries' }\npriority = 'background'")
            .unwrap();
    let rates = Arc::new(MemoryRates::new(Arc::new(bed.house.clock.clone()))) as Arc<dyn Rates>;
    Arc::get_mut(&mut bed.house.pipeline).unwrap().throttles =
        Throttles::new(throttles(&[reports]).unwrap(), rates);
    let bed = Arc::new(bed);
    let mut calls = JoinSet::new();
    for _ in 0..9 {
        let bed = Arc::clone(&bed);
        calls.spawn(async move { bed.ask(Operation::Converse, "triage").await.is_ok() });
    }
    sleep(SOON).await;
    assert_eq!(first.asked().len(), 9);
    for _ in 0..5 {
        let mut report = call(Operation::Converse);
        report.name = "triage".into();
        report.tags.feature = Some("summaries".into());
        assert!(bed.send(report).await.is_ok());
    }
    // who finds no room where it was sent takes the first that has some; who is sent where there is some goes by weight
    assert_eq!((first.asked().len(), seldom.asked().len(), often.asked().len()), (9, 0, 5));
    assert!(calls.join_all().await.into_iter().all(|answered| answered));
}
