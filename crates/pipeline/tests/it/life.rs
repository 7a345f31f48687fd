//! One call at a time: each ending leaves one row that tells the truth.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::money::Cost;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_core::usage::UsageBasis;
use bedplate_pipeline::{Call, Outflow, Refused, Reply, ReplyBody};

use crate::house::{DRAIN, Ends, Forged, House, Script, call, call_as, usage};

async fn run(house: &House, call: Call) -> Result<Reply, Refusal> {
    let record = house.open().await?;
    house.pipeline.run(call, record).await.map_err(|Refused(refused)| {
        let (refusal, record) = *refused;
        record.refused(&refusal, 400, "ValidationException");
        refusal
    })
}

fn stream(reply: Reply) -> Outflow {
    match reply.body {
        ReplyBody::Stream(flow) => flow,
        ReplyBody::Whole(_) => panic!("a whole answer"),
    }
}

async fn read(flow: &mut Outflow) -> (usize, Option<Refusal>) {
    let mut pieces = 0;
    loop {
        match poll_fn(|cx| flow.poll_next(cx)).await {
            Some(Ok(_)) => pieces += 1,
            Some(Err(refusal)) => return (pieces, Some(refusal)),
            None => return (pieces, None),
        }
    }
}

async fn only(house: &House) -> Outcome {
    let rows = house.settled().await;
    assert_eq!(rows.len(), 1, "one call, one row");
    assert_eq!(house.ledger.places.load(Ordering::SeqCst), 1_000, "a place was kept");
    (*rows[0]).clone()
}

const GAP: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_metered_and_priced() {
    let house = House::new(Script::Whole { after: GAP, status: 200 });
    assert_eq!(run(&house, call(Operation::Converse)).await.unwrap().status, 200);
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.basis), (Ending::Answered, UsageBasis::Reported));
    assert_eq!(row.call.usage, usage());
    // 100 × 0.06 + 20 × 0.24 dollars a million
    assert_eq!(row.call.cost, Cost::Known(bedplate_core::money::Nanos(10_800)));
    assert_eq!(&*row.call.team, "support");
    assert_eq!(row.call.edits, ["requestMetadata"]);
    assert_eq!(row.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_error_passes_and_costs_nothing() {
    let house = House::new(Script::Whole { after: GAP, status: 429 });
    assert_eq!(run(&house, call(Operation::Converse)).await.unwrap().status, 429);
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.code), (Ending::Failed, Some(Code::UpstreamError)));
    assert_eq!((row.call.cost, row.call.basis), (Cost::FREE, UsageBasis::None));
    assert_eq!(row.call.error.as_deref(), Some("ThrottlingException"));
}

#[tokio::test(start_paused = true)]
async fn a_forged_call_reaches_no_provider() {
    let house = House::new(Script::Hangs);
    let mut forged = call(Operation::Converse);
    forged.evidence = Box::new(Forged);
    assert_eq!(run(&house, forged).await.err().unwrap().code, Code::BadSignature);
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.key), (Ending::Refused, None));
    assert!(row.attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rights_are_checked_before_anything_is_sent() {
    let house = House::new(Script::Hangs);
    let narrow = call_as(Operation::Converse, |key| key.models = vec!["anthropic.*".into()]);
    assert_eq!(run(&house, narrow).await.err().unwrap().code, Code::ModelNotAllowed);
    let mut other = call(Operation::Converse);
    other.tags.feature = Some("billing".into());
    assert_eq!(run(&house, other).await.err().unwrap().code, Code::FeatureNotAllowed);
    let unmetered = call(Operation::StartAsyncInvoke);
    assert_eq!(run(&house, unmetered).await.err().unwrap().code, Code::OperationNotAllowed);
    let both_ways = call(Operation::InvokeModelWithBidirectionalStream);
    assert_eq!(run(&house, both_ways).await.err().unwrap().code, Code::OperationNotAllowed);
    assert!(house.settled().await.iter().all(|row| row.attempts.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_caller_counts_on_a_feature_its_key_may_name() {
    let house = House::new(Script::Whole { after: GAP, status: 200 });
    let mut named = call(Operation::Converse);
    named.tags.feature = Some("summaries".into());
    run(&house, named).await.unwrap();
    assert_eq!(&*only(&house).await.call.feature, "summaries");
}

#[tokio::test(start_paused = true)]
async fn nothing_sent_costs_nothing_and_what_was_sent_is_unknown() {
    for (sent, code) in [(false, Code::ConnectTimeout), (true, Code::BrokenAnswer)] {
        let house = House::new(Script::Fails { after: GAP, code, sent });
        let refusal = run(&house, call(Operation::Converse)).await.err().unwrap();
        assert_eq!(refusal.code, code);
        assert_eq!(refusal.retry, if sent { Retry::Never } else { Retry::Elsewhere });
        let row = only(&house).await;
        assert_eq!(row.call.cost.is_known(), !sent, "{code}: {:?}", row.call.cost);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_settles_at_its_end() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 5, ends: Ends::Well });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    assert!(house.ledger.rows.lock().is_empty(), "settled before its end");
    let (pieces, refusal) = read(&mut flow).await;
    assert_eq!((pieces, refusal.is_none()), (5, true));
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.usage.clone()), (Ending::Answered, usage()));
    assert_eq!(row.call.bytes_out, 40);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_never_silently_short() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 2, ends: Ends::Broken });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    let (pieces, refusal) = read(&mut flow).await;
    assert_eq!((pieces, refusal.unwrap().code), (2, Code::BrokenAnswer));
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.basis), (Ending::Cut, UsageBasis::Estimated));
}

#[tokio::test(start_paused = true)]
async fn an_exception_event_passes_and_is_recorded() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 1, ends: Ends::Exception });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    assert_eq!(read(&mut flow).await.0, 2);
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.error.as_deref()), (Ending::Cut, Some("ThrottlingException")));
}

#[tokio::test(start_paused = true)]
async fn standing_still_and_taking_too_long_are_two_things() {
    let stands = House::new(Script::Stream { gap: GAP, pieces: 3, ends: Ends::Never });
    let mut flow = stream(run(&stands, call(Operation::ConverseStream)).await.unwrap());
    assert_eq!(read(&mut flow).await.1.unwrap().code, Code::IdleTimeout);
    assert_eq!(only(&stands).await.call.code, Some(Code::IdleTimeout));

    let slow = Script::Stream { gap: Duration::from_secs(15), pieces: 100, ends: Ends::Well };
    let slow = House::new(slow);
    let mut flow = stream(run(&slow, call(Operation::ConverseStream)).await.unwrap());
    let (pieces, refusal) = read(&mut flow).await;
    assert_eq!(refusal.unwrap().code, Code::TotalTimeout);
    assert_eq!(pieces, 7, "one each 15 s within 120 s, the first byte took 15 s");
}

#[tokio::test(start_paused = true)]
async fn usage_that_never_came_is_estimated_within_the_bound() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 100, ends: Ends::Unmetered });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    read(&mut flow).await;
    let row = only(&house).await;
    assert_eq!(row.call.basis, UsageBasis::Estimated);
    assert_eq!(row.call.usage.output, 50, "no more than maxTokens");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_mid_stream_is_billed_what_was_produced() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 20, ends: Ends::Well });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    poll_fn(|cx| flow.poll_next(cx)).await.unwrap().unwrap();
    drop(flow);
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.status), (Ending::Abandoned, 499));
    assert_eq!((row.call.basis, row.call.usage.clone()), (UsageBasis::Reported, usage()));
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_bounded_and_then_estimates() {
    let endless = Script::Stream { gap: Duration::from_secs(10), pieces: 1_000, ends: Ends::Well };
    let house = House::new(endless);
    let flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    let before = tokio::time::Instant::now();
    drop(flow);
    let row = only(&house).await;
    assert!(before.elapsed() <= DRAIN + Duration::from_secs(1), "{:?}", before.elapsed());
    assert_eq!((row.call.ending, row.call.basis), (Ending::Abandoned, UsageBasis::Estimated));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_polls_is_over_when_it_has_had_all_its_time() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 20, ends: Ends::Well });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    poll_fn(|cx| flow.poll_next(cx)).await.unwrap().unwrap();
    tokio::time::sleep_until(flow.until().unwrap()).await;
    drop(flow);
    assert_eq!(house.ledger.rows.lock().len(), 1, "settled at once, without reading on");
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.code), (Ending::Cut, Some(Code::TotalTimeout)));
    assert_eq!(row.call.basis, UsageBasis::Estimated);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_ended_has_no_deadline() {
    let house = House::new(Script::Stream { gap: GAP, pieces: 2, ends: Ends::Well });
    let mut flow = stream(run(&house, call(Operation::ConverseStream)).await.unwrap());
    assert!(flow.until().is_some());
    read(&mut flow).await;
    assert_eq!(flow.until(), None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_before_the_answer_is_billed_for_it() {
    let house = House::new(Script::Whole { after: Duration::from_secs(5), status: 200 });
    let waiting = run(&house, call(Operation::Converse));
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting).await.is_err());
    let row = only(&house).await;
    assert_eq!((row.call.ending, row.call.usage.clone()), (Ending::Abandoned, usage()));
}

#[tokio::test(start_paused = true)]
async fn a_full_ledger_refuses_before_anything_is_sent() {
    let house = House::new(Script::Hangs);
    house.ledger.places.store(0, Ordering::SeqCst);
    let refusal = house.open().await.err().unwrap();
    assert_eq!(refusal.code, Code::LedgerUnavailable);
    assert!(refusal.cause.unwrap().contains("the disk is full"));
    assert!(matches!(refusal.retry, Retry::After(_)));
}

#[test]
fn a_record_survives_the_end_of_its_runtime() {
    let house = House::new(Script::Hangs);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let waiting = run(&house, call(Operation::Converse));
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    });
    drop(runtime);
    let rows = house.ledger.rows.lock();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].call.ending, rows[0].attempts.len()), (Ending::Abandoned, 1));
    assert_eq!(rows[0].call.basis, UsageBasis::Estimated);
}
