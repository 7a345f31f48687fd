//! Throttles: who is refused, what is taken, and that it is settled once whatever becomes of a call.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::rate::{CountId, Kind, RateStands, Rates, Refused};
use bedplate_core::record::Outcome;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_pipeline::{
    self as pipeline, Call, Rated, Reply, ReplyBody, ThrottleConfig, Throttles, TurnedAway, throttles,
};
use bedplate_testkit::MemoryRates;
use proptest::prelude::*;

use crate::cache::hall::{self, Hall, rule};
use crate::house::{Ends, Forged, House, Script, call, call_as};
use crate::simulation::{caller, live, script};

/// A house with throttles, and what they count in. Its clock stands still: nothing refills.
struct Gate {
    house: House,
    rates: Arc<MemoryRates>,
}

/// Prompt of 15 bytes and the 50 tokens that calls ask for.
const TAKEN: u64 = 4 + 50;
/// What answers say they used: 100 and 20.
const USED: u64 = 120;
const GOOD: Script = Script::Whole { after: Duration::from_millis(50), status: 200 };

impl Gate {
    fn new(script: Script, toml: &str) -> Self {
        Self::of(House::new(script), toml)
    }

    fn of(mut house: House, toml: &str) -> Self {
        let rates = Arc::new(MemoryRates::new(Arc::new(house.clock.clone())));
        let pipeline = Arc::get_mut(&mut house.pipeline).unwrap();
        pipeline.throttles = compiled(toml, &rates);
        Self { house, rates }
    }

    /// The same counts under another configuration.
    fn reload(&mut self, toml: &str) {
        Arc::get_mut(&mut self.house.pipeline).unwrap().throttles = compiled(toml, &self.rates);
    }

    async fn run(&self, call: Call) -> Result<Reply, (Refusal, Option<Rated>)> {
        let record = self.house.open().await.unwrap();
        self.house.pipeline.run(call, record).await.map_err(|pipeline::Refused(refused)| {
            let (refusal, record) = *refused;
            let rated = record.how_rated();
            record.refused(&refusal, 429, "ThrottlingException");
            (refusal, rated)
        })
    }

    async fn code(&self, call: Call) -> Option<Code> {
        self.run(call).await.err().map(|(refusal, _)| refusal.code)
    }

    fn left(&self, throttle: &str, of: &str, kind: Kind, limit: u64) -> u64 {
        let id = CountId { throttle: throttle.into(), of: of.into(), kind };
        self.rates.remaining(&id, limit)
    }
}

fn compiled(toml: &str, rates: &Arc<MemoryRates>) -> Throttles {
    #[derive(serde::Deserialize)]
    struct File {
        throttle: Vec<ThrottleConfig>,
    }
    let file: File = toml::from_str(toml).unwrap();
    Throttles::new(throttles(&file.throttle).unwrap(), Arc::clone(rates) as Arc<dyn Rates>)
}

fn converse() -> Call {
    call(Operation::Converse)
}

const BOTH: &str = "[[throttle]]\nname = 'team'\nscope = { team = 'support' }\nrpm = 3\ntpm = 1000\n";
const TEAM: &str = "team[team support]";

#[tokio::test(start_paused = true)]
async fn what_a_call_may_use_is_taken_on_arrival_and_settled_to_what_it_used() {
    let gate = Gate::new(GOOD, BOTH);
    let reply = gate.run(converse()).await.unwrap();
    let rated = reply.rated.unwrap();
    let (requests, tokens) = (rated.requests.unwrap(), rated.tokens.unwrap());
    assert_eq!((requests.limit, requests.remaining, requests.full_in.as_secs()), (3, 2, 20));
    assert_eq!((tokens.limit, tokens.remaining), (1_000, 1_000 - TAKEN));
    assert_eq!(gate.left(TEAM, "", Kind::Tokens, 1_000), 1_000 - USED);
    assert_eq!(gate.left(TEAM, "", Kind::Requests, 3), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_its_tokens_until_its_end() {
    let script = Script::Stream { gap: Duration::from_millis(50), pieces: 3, ends: Ends::Well };
    let gate = Gate::new(script, BOTH);
    let reply = gate.run(call(Operation::ConverseStream)).await.unwrap();
    let ReplyBody::Stream(mut flow) = reply.body else { panic!("a whole answer") };
    while poll_fn(|cx| flow.poll_next(cx)).await.is_some() {
        assert_eq!(gate.left(TEAM, "", Kind::Tokens, 1_000), 1_000 - TAKEN);
    }
    assert_eq!(gate.left(TEAM, "", Kind::Tokens, 1_000), 1_000 - USED);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_takes_nothing_and_says_when_to_come_again() {
    let more = "[[throttle]]\nname = 'all'\nrpm = 100\ntpm = 10000\n";
    let gate = Gate::new(GOOD, &format!("{BOTH}{more}"));
    for _ in 0..3 {
        assert!(gate.run(converse()).await.is_ok());
    }
    let (refusal, rated) = gate.run(converse()).await.err().unwrap();
    assert_eq!((refusal.code, refusal.retry), (Code::RateExceeded, Retry::After(Duration::from_secs(20))));
    assert_eq!(refusal.said, "the throttle `team` allows 3 requests a minute");
    assert_eq!(rated.unwrap().requests.unwrap().remaining, 0, "the tightest");
    assert_eq!(gate.left("all[everything]", "", Kind::Requests, 100), 97);
    assert_eq!(gate.left("all[everything]", "", Kind::Tokens, 10_000), 10_000 - 3 * USED);
    let row = gate.house.settled().await.pop().unwrap();
    let throttled = row.call.throttled.clone().unwrap();
    assert_eq!((&*throttled.throttle, throttled.kind, throttled.limit), ("team", Kind::Requests, 3));
    assert_eq!((throttled.need, throttled.remaining, throttled.wait_ms), (1, 0, Some(20_000)));
    assert!(row.attempts.is_empty());
    gate.house.clock.advance(Duration::from_secs(20));
    assert!(gate.run(converse()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tokens_are_a_limit_of_their_own() {
    let gate = Gate::new(GOOD, "[[throttle]]\nname = 'all'\ntpm = 300\n");
    // each used 120, and the second was expected to: two leave 60
    assert_eq!((gate.code(converse()).await, gate.code(converse()).await), (None, None));
    let (refusal, _) = gate.run(converse()).await.err().unwrap();
    assert_eq!(refusal.code, Code::TokenRateExceeded);
    assert!(matches!(refusal.retry, Retry::After(wait) if wait == Duration::from_secs(18)), "{refusal}");
    assert_eq!(gate.left("all[everything]", "", Kind::Tokens, 300), 60);
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_a_minute_is_told_so_for_good() {
    let gate = Gate::new(GOOD, "[[throttle]]\nname = 'all'\ntpm = 53\nrpm = 5\n");
    let (refusal, _) = gate.run(converse()).await.err().unwrap();
    assert_eq!((refusal.code, refusal.retry), (Code::RateTooLow, Retry::Never));
    assert_eq!(gate.left("all[everything]", "", Kind::Requests, 5), 5);
}

#[tokio::test(start_paused = true)]
async fn a_star_counts_each_by_itself_and_others_are_not_concerned() {
    let toml = "[[throttle]]\nname = 'keys'\nscope = { key = '*', feature = 'triage' }\nrpm = 1\n";
    let gate = Gate::new(GOOD, toml);
    let by = |id: &str| {
        call_as(Operation::Converse, |key| key.principal.key = bedplate_core::key::KeyId(id.into()))
    };
    assert_eq!(gate.code(by("key_a")).await, None);
    assert_eq!(gate.code(by("key_a")).await, Some(Code::RateExceeded));
    assert_eq!(gate.code(by("key_b")).await, None);
    let mut other = by("key_a");
    other.tags.feature = Some("summaries".into());
    assert_eq!(gate.run(other).await.unwrap().rated, None);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_proven_takes_nothing() {
    let gate = Gate::new(GOOD, BOTH);
    let mut forged = converse();
    forged.evidence = Box::new(Forged);
    assert_eq!(gate.code(forged).await, Some(Code::BadSignature));
    assert!(gate.rates.counts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_is_a_request_and_no_tokens() {
    let hall = Hall::new(rule(), &[hall::GOOD]);
    let gate = Gate::of(hall.house, BOTH);
    for cached in ["miss", "hit", "hit"] {
        let reply = gate.run(converse()).await.unwrap();
        assert_eq!(reply.cache.unwrap().name(), cached);
        assert!(reply.rated.unwrap().requests.is_some());
    }
    assert_eq!(gate.left(TEAM, "", Kind::Tokens, 1_000), 1_000 - USED);
    assert_eq!(gate.code(converse()).await, Some(Code::RateExceeded), "a kept answer, too");
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_was_counted_by_name_and_scope() {
    let mut gate = Gate::new(GOOD, BOTH);
    for _ in 0..3 {
        assert_eq!(gate.code(converse()).await, None);
    }
    gate.reload(&BOTH.replace("rpm = 3", "rpm = 4"));
    assert_eq!(gate.code(converse()).await, None);
    assert_eq!(gate.code(converse()).await, Some(Code::RateExceeded));
    gate.reload(&BOTH.replace("team = 'support'", "team = '*'"));
    assert_eq!(gate.code(converse()).await, None, "another scope counts anew");
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_back_what_was_not_used() {
    let gate = Gate::new(Script::Hangs, BOTH);
    let record = gate.house.open().await.unwrap();
    let mut running = Box::pin(gate.house.pipeline.run(converse(), record));
    poll_fn(|cx| std::task::Poll::Ready(running.as_mut().poll(cx).is_pending())).await;
    assert_eq!(gate.left(TEAM, "", Kind::Tokens, 1_000), 1_000 - TAKEN);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _running = running;
        panic!("as a test wants it");
    }));
    assert!(caught.is_err());
    let row = gate.house.settled().await.remove(0);
    let used = row.call.usage.input + row.call.usage.output;
    assert_eq!(gate.left(TEAM, "", Kind::Tokens, 1_000), 1_000 - used);
}

/// Throttle, whose, what is used of what, and who was refused.
fn rows(stands: &RateStands) -> Vec<(&str, &str, u64, u64, Refused)> {
    stands.counts.iter().map(|s| (&*s.throttle, &*s.of, s.used, s.limit, s.refused)).collect()
}

#[tokio::test(start_paused = true)]
async fn operators_see_what_is_used_and_what_was_refused_through_reloads() {
    let keys = "[[throttle]]\nname = 'keys'\nscope = { key = '*' }\nrpm = 2\n";
    let tokens = "[[throttle]]\nname = 'all'\ntpm = 300\n[[throttle]]\nname = 'other'\nscope = { team = 'x' }\nrpm = 9\n";
    let toml = format!("{keys}{tokens}");
    let mut gate = Gate::new(GOOD, &toml);
    let away = Arc::<TurnedAway>::default();
    let remember = |gate: &mut Gate, toml: &str| {
        let throttles = compiled(toml, &gate.rates).counting_on(Arc::clone(&away));
        Arc::get_mut(&mut gate.house.pipeline).unwrap().throttles = throttles;
    };
    remember(&mut gate, &toml);
    let by = |id: &str| {
        call_as(Operation::Converse, |key| key.principal.key = bedplate_core::key::KeyId(id.into()))
    };
    assert_eq!((gate.code(by("a")).await, gate.code(by("a")).await), (None, None));
    // another is expected to use 150, of 60 that are left
    assert_eq!(gate.code(by("b")).await, Some(Code::TokenRateExceeded));
    let none = Refused::default();
    let full = Refused { full: 1, too_large: 0 };
    let stands = gate.house.pipeline.throttles.stands(10).await;
    let expected = [
        ("keys[each key]", "key=a", 2, 2, none),
        ("all[everything]", "", 240, 300, full),
        ("other[team x]", "", 0, 9, none),
    ];
    assert_eq!(rows(&stands), expected, "one that nobody uses, too");
    assert_eq!((stands.counts[1].full_in_ms, stands.counts[1].left), (48_000, 60));
    // what was refused stays known when nothing is used any more, and under another configuration
    gate.house.clock.advance(Duration::from_secs(600));
    remember(&mut gate, &toml.replace("tpm = 300", "tpm = 53"));
    assert_eq!(gate.code(by("a")).await, Some(Code::RateTooLow));
    let stands = gate.house.pipeline.throttles.stands(10).await;
    let both = Refused { full: 1, too_large: 1 };
    let expected = [
        ("all[everything]", "", 0, 53, both),
        ("keys[each key]", "", 0, 2, none),
        ("other[team x]", "", 0, 9, none),
    ];
    assert_eq!(rows(&stands), expected);
    assert_eq!((stands.more, stands.alone, stands.missing, stands.refused_others), (0, false, None, 0));
}

#[tokio::test(start_paused = true)]
async fn of_many_counts_the_fullest_are_shown_and_the_others_counted() {
    let gate = Gate::new(GOOD, "[[throttle]]\nname = 'keys'\nscope = { key = '*' }\nrpm = 3\n");
    for n in 0..40 {
        let by = |n: u32| {
            call_as(Operation::Converse, move |key| {
                key.principal.key = bedplate_core::key::KeyId(format!("k{n}").into())
            })
        };
        for _ in 0..1 + u32::from(n == 7) * 3 {
            gate.run(by(n)).await.ok();
        }
    }
    let stands = gate.house.pipeline.throttles.stands(5).await;
    assert_eq!((stands.counts.len(), stands.more), (5, 35));
    assert_eq!(rows(&stands)[0], ("keys[each key]", "key=k7", 3, 3, Refused { full: 1, too_large: 0 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever becomes of calls: of each count there is missing what their records say they used, and one request
    /// each.
    #[test]
    fn every_call_settles_its_tokens_once(
        lives in proptest::collection::vec((script(), caller(), any::<bool>()), 1..6)
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            for (script, caller, streams) in &lives {
                let toml = "[[throttle]]\nname = 'all'\nrpm = 9\ntpm = 100000\n[[throttle]]\nname = 'keys'\nscope = { key = '*' }\ntpm = 5000\n";
                let gate = Gate::new(script.clone(), toml);
                let op = if *streams { Operation::ConverseStream } else { Operation::Converse };
                live(&gate.house, op, caller).await;
                let row: Arc<Outcome> = gate.house.settled().await.remove(0);
                let used = row.call.usage.input + row.call.usage.output;
                let told = format!("{script:?} {caller:?}");
                let all = |kind, limit| gate.left("all[everything]", "", kind, limit);
                assert_eq!(all(Kind::Tokens, 100_000), 100_000 - used, "{told}");
                assert_eq!(gate.left("keys[each key]", "key=key_test", Kind::Tokens, 5_000), 5_000 - used, "{told}");
                assert_eq!(all(Kind::Requests, 9), 8, "{told}");
            }
        });
    }
}
