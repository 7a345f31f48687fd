//! A second request beside one that is slow: who wins, what is written down, and when none is sent.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::clock::Clock as _;
use bedplate_core::record::{Degraded, Ending};
use bedplate_core::refusal::Code;
use bedplate_core::route::Standing;
use bedplate_core::usage::UsageBasis;
use bedplate_pipeline::{Drain, Pipeline, ReplyBody, RetryConfig};
use tokio::time::{Instant, sleep, timeout};

use super::money::prices;
use super::{Bed, Cued, statuses, whole};
use crate::house::{DRAIN, Ends, Script, usage};

/// The first is asked first, for the second has no weight.
const TWO: &str = "name = 'triage'\n\
    targets = ['use1/us.amazon.nova-lite-v1:0', { target = 'usw2/us.amazon.nova-lite-v1:0', weight = 0 }]\n\
    timeout = { connect = '1s', first_token = '8s', idle = '20s', total = '10s' }\n\
    hedge = { after = '2s', most = '50%' }\n";

fn at(secs: u64, status: u16) -> Script {
    Script::Whole { after: Duration::from_secs(secs), status }
}

fn fails(secs: u64, code: Code, sent: bool) -> Script {
    Script::Fails { after: Duration::from_secs(secs), code, sent }
}

/// First piece after so long, and each that follows, too.
fn stream(secs: u64, ends: Ends) -> Script {
    Script::Stream { gap: Duration::from_secs(secs), pieces: 2, ends }
}

struct Pair {
    bed: Bed,
    asked: [Arc<Cued>; 2],
}

fn pair(alias: &str, first: Script, second: Script, budgets: Option<&str>) -> Pair {
    let asked = [Cued::new("use1", [], first), Cued::new("usw2", [], second)];
    Pair { bed: Bed::with(alias, RetryConfig::default(), &asked, budgets), asked }
}

impl Pair {
    fn new(first: Script, second: Script) -> Self {
        pair(TWO, first, second, None)
    }

    fn requests(&self) -> [usize; 2] {
        [self.asked[0].asked().len(), self.asked[1].asked().len()]
    }

    /// Calls that were hedged, by whose answer was given: first, second, neither.
    fn won(&self) -> [u64; 3] {
        let all = self.bed.health.hedged();
        assert!(all.iter().all(|hedged| &*hedged.alias == "triage"));
        ["first", "second", "neither"].map(|won| all.iter().find(|hedged| hedged.won == won).unwrap().calls)
    }

    fn pipeline(&mut self) -> &mut Pipeline {
        Arc::get_mut(&mut self.bed.house.pipeline).unwrap()
    }

    fn holds_nothing(&self) {
        assert!(self.bed.house.books.pace.stands().iter().all(|lane| lane.under_way == 0));
        let held: i64 = self.bed.purses.iter().flat_map(|p| p.stands()).map(|(_, _, held)| held).sum();
        assert_eq!(held, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_first_is_slow_the_second_wins_and_both_are_written_down() {
    for op in [Operation::Converse, Operation::ConverseStream] {
        let second = if op.streams() { stream(1, Ends::Well) } else { at(1, 200) };
        let pair = Pair::new(Script::Hangs, second);
        let began = Instant::now();
        let reply = pair.bed.ask(op, "triage").await.unwrap_or_else(|_| panic!("an answer"));
        assert_eq!(began.elapsed(), Duration::from_secs(3), "{op:?}");
        assert_eq!((reply.status, reply.degraded), (200, None));
        if let ReplyBody::Stream(mut flow) = reply.body {
            while std::future::poll_fn(|cx| flow.poll_next(cx)).await.is_some() {}
        }
        let row = &pair.bed.house.settled().await[0];
        assert_eq!(statuses(row), [("use1", 0), ("usw2", 200)]);
        assert_eq!((row.attempts[0].n, row.attempts[0].code), (1, None));
        assert_eq!(row.attempts[0].basis, UsageBasis::Estimated, "it was sent, and may be billed");
        assert!(!row.attempts[0].cost.is_known() && row.attempts[1].cost.is_known());
        assert_eq!(row.attempts[1].usage, usage());
        assert_eq!((row.call.ending, row.call.status), (Ending::Answered, 200));
        assert_eq!((pair.requests(), pair.won()), ([1, 1], [0, 1, 0]));
        pair.holds_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_may_still_win_and_what_never_left_costs_nothing() {
    let pair = Pair::new(at(3, 200), fails(5, Code::Unreachable, false));
    let began = Instant::now();
    let row = pair.bed.row(Operation::Converse).await;
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(statuses(&row), [("usw2", 0), ("use1", 200)]);
    assert_eq!(row.attempts[0].basis, UsageBasis::None);
    assert!(row.call.cost.is_known());
    assert_eq!((row.call.cost.priced(), pair.won()), (row.attempts[1].cost.priced(), [1, 0, 0]));
    pair.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn who_answers_in_time_is_not_hedged() {
    let pair = Pair::new(at(2, 200), whole(200));
    assert_eq!(statuses(&*pair.bed.row(Operation::Converse).await), [("use1", 200)]);
    assert_eq!((pair.requests(), pair.won()), ([1, 0], [0; 3]));
    // once a stream has begun it is the caller's, however slow it is
    let pair = Pair::new(stream(2, Ends::Well), whole(200));
    assert_eq!(statuses(&*pair.bed.row(Operation::ConverseStream).await), [("use1", 200)]);
    assert_eq!(pair.requests(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_does_not_end_the_race() {
    for (first, second, asked, secs) in [
        (at(5, 200), at(1, 503), [("usw2", 503), ("use1", 200)], 5),
        (at(5, 200), at(1, 403), [("usw2", 403), ("use1", 200)], 5),
        (at(5, 200), fails(1, Code::BrokenAnswer, true), [("usw2", 0), ("use1", 200)], 5),
        (at(3, 503), at(4, 200), [("use1", 503), ("usw2", 200)], 6),
        (at(3, 404), at(4, 200), [("use1", 404), ("usw2", 200)], 6),
        (fails(8, Code::FirstTokenTimeout, true), at(7, 200), [("use1", 0), ("usw2", 200)], 9),
    ] {
        let case = format!("{first:?} {second:?}");
        let second_wins = asked[1].0 == "usw2";
        let pair = Pair::new(first, second);
        let began = Instant::now();
        let row = pair.bed.row(Operation::Converse).await;
        assert_eq!(began.elapsed(), Duration::from_secs(secs), "{case}");
        assert_eq!(statuses(&row), asked, "{case}");
        assert_eq!((row.call.ending, row.call.status), (Ending::Answered, 200));
        assert_eq!(pair.won(), [u64::from(!second_wins), u64::from(second_wins), 0], "{case}");
        pair.holds_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_one_counts_against_its_own_breaker_and_a_loser_against_none() {
    let stands = |pair: &Pair| {
        let all = pair.bed.health.standings(pair.bed.house.clock.tick());
        [all[0].standing, all[1].standing]
    };
    let pair = Pair::new(at(5, 200), at(1, 503));
    for _ in 0..10 {
        pair.bed.read_within(Operation::Converse, None).await;
    }
    assert_eq!(pair.won(), [5, 0, 0], "an open breaker lets none pass");
    assert_eq!(stands(&pair), [Standing::Closed, Standing::Open]);
    let pair = Pair::new(Script::Hangs, at(1, 200));
    for _ in 0..10 {
        pair.bed.house.clock.advance(Duration::from_secs(1));
        pair.bed.read_within(Operation::Converse, Some(Duration::from_secs(4))).await;
    }
    assert!(pair.won()[1] >= 5);
    assert_eq!(stands(&pair), [Standing::Closed; 2]);
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_the_call_goes_on_as_any() {
    let asked = [Cued::new("use1", [at(3, 503)], whole(200)), Cued::new("usw2", [at(2, 500)], whole(503))];
    let bed = Bed::new(TWO, &asked);
    let row = bed.row(Operation::Converse).await;
    assert_eq!(statuses(&row)[..2], [("use1", 503), ("usw2", 500)]);
    assert_eq!((row.attempts.len(), bed.health.hedged()[2].calls), (3, 1));
    // or with what comes instead
    let alias = format!("{TWO}attempts = 2\nfallback = [{{ answer = 'We are busy.' }}]\n");
    let both = pair(&alias, at(3, 503), at(2, 500), None);
    let row = both.bed.row(Operation::Converse).await;
    assert_eq!(statuses(&row), [("use1", 503), ("usw2", 500)]);
    assert_eq!((row.call.degraded, both.won()), (Some(Degraded::Static), [0, 0, 1]));
    // what is wrong with the call is not asked again, whoever of the two says it
    for (first, second) in [(at(3, 400), at(4, 503)), (at(5, 503), at(1, 400))] {
        let both = Pair::new(first, second);
        let reply = both.bed.ask(Operation::Converse, "triage").await.unwrap_or_else(|_| panic!("an error"));
        assert_eq!(reply.status, 400);
        let row = &both.bed.house.settled().await[0];
        assert_eq!((row.attempts.len(), row.call.status, row.call.ending), (2, 400, Ending::Failed));
    }
}

#[tokio::test(start_paused = true)]
async fn both_keep_to_the_deadlines_of_the_call() {
    let pair = Pair::new(Script::Hangs, Script::Hangs);
    let began = Instant::now();
    for (deadline, ends) in [(None, 10), (Some(Duration::from_secs(3)), 3)] {
        let began = Instant::now();
        let refusal = pair.bed.ask_within(Operation::Converse, "triage", deadline).await.err().unwrap();
        assert_eq!((refusal.code, began.elapsed()), (Code::TotalTimeout, Duration::from_secs(ends)));
    }
    assert_eq!(pair.asked[1].asked()[0].2, began + Duration::from_secs(10), "the second has what is left");
    pair.bed.house.settled().await;
    pair.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_two_behind_is_settled_once_with_both() {
    let op = |streams: bool| if streams { Operation::ConverseStream } else { Operation::Converse };
    for (first, second, streams, found, known) in [
        (at(5, 200), at(6, 200), false, [("use1", 200), ("usw2", 200)], true),
        (at(6, 200), at(2, 503), false, [("usw2", 503), ("use1", 200)], true),
        (stream(4, Ends::Well), stream(1, Ends::Well), true, [("usw2", 200), ("use1", 200)], true),
        (at(5, 200), Script::Hangs, false, [("use1", 200), ("usw2", 0)], false),
        (at(5, 200), fails(4, Code::Unreachable, false), false, [("usw2", 0), ("use1", 200)], true),
        (fails(5, Code::Unreachable, false), at(4, 200), false, [("use1", 0), ("usw2", 200)], true),
    ] {
        let case = format!("{first:?} {second:?}");
        let pair = Pair::new(first, second);
        let left = timeout(Duration::from_millis(2_500), pair.bed.ask(op(streams), "triage")).await;
        assert!(left.is_err(), "{case}");
        let rows = pair.bed.house.settled().await;
        assert_eq!((rows.len(), statuses(&rows[0])), (1, found.to_vec()), "{case}");
        assert_eq!((rows[0].call.ending, rows[0].call.cost.is_known()), (Ending::Abandoned, known), "{case}");
        assert_eq!(pair.won(), [0, 0, 1]);
        pair.holds_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_behind_is_read_no_longer_than_configured() {
    for (bound, ends) in [(Duration::ZERO, 3), (Duration::from_secs(4), 7), (DRAIN, 10)] {
        let mut pair = Pair::new(Script::Hangs, stream(2, Ends::Never));
        pair.pipeline().drain = Drain { bound };
        let began = Instant::now();
        let ask = pair.bed.ask(Operation::ConverseStream, "triage");
        assert!(timeout(Duration::from_secs(3), ask).await.is_err());
        while pair.bed.house.ledger.rows.lock().is_empty() {
            sleep(Duration::from_millis(100)).await;
        }
        assert!(began.elapsed() <= Duration::from_secs(ends) + Duration::from_millis(200), "{bound:?}");
        let row = &pair.bed.house.settled().await[0];
        assert_eq!((row.attempts.len(), row.call.status, row.call.cost.is_known()), (2, 499, false));
        pair.holds_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_hedged_than_the_alias_allows() {
    let alias = TWO.replace("50%", "5%");
    let pair = pair(&alias, at(3, 200), at(0, 200), None);
    for _ in 0..1_000 {
        pair.bed.read_within(Operation::Converse, None).await;
    }
    assert_eq!(pair.requests(), [1_000, 51], "and one that is there from the start");
    assert_eq!(pair.won(), [0, 51, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_which_all_is_slow_is_not_made_worse() {
    let alias = TWO.replace("50%", "5%").replace("'10s'", "'4s'").replace("'8s'", "'4s'");
    for fails in [Script::Hangs, at(3, 503), fails(3, Code::FirstTokenTimeout, true)] {
        let pair = pair(&alias, fails.clone(), fails.clone(), None);
        for _ in 0..5_000 {
            pair.bed.house.clock.advance(Duration::from_millis(10));
            pair.bed.read_within(Operation::Converse, None).await;
        }
        let requests = pair.requests().iter().sum::<usize>();
        assert!(requests <= 5_500, "{fails:?}: {requests}");
        pair.holds_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_at_another_target_there_is_none() {
    let mut asked = [Cued::new("use1", [], at(3, 200)), Cued::new("usw2", [], at(0, 200))];
    let quota = toml::from_str("from = 'config'\nrpm = 1\nlearn = false").unwrap();
    Arc::get_mut(&mut asked[1]).unwrap().facts.quota = Some(Arc::new(quota));
    let bed = Bed::new(TWO, &asked);
    let mut won = Vec::new();
    for _ in 0..6 {
        won.push(bed.row(Operation::Converse).await.attempts.len());
    }
    // the clock of quotas stands still
    assert_eq!(won, [2, 1, 1, 1, 1, 1]);
    assert!(bed.house.books.pace.stands().iter().all(|lane| lane.under_way == 0));
}

#[tokio::test(start_paused = true)]
async fn without_another_target_there_is_none() {
    let lighter = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0', 'usw2/another.model']\n\
        fallback = [{ target = 'usw2/us.amazon.nova-micro-v1:0' }]\nhedge = { after = '2s', most = '50%' }\n";
    let off = TWO.lines().filter(|line| !line.starts_with("hedge")).collect::<Vec<_>>().join("\n");
    let few = format!("{TWO}attempts = 1\n");
    for alias in [lighter, &off, &few] {
        let pair = pair(alias, at(5, 200), at(0, 200), None);
        let row = pair.bed.row(Operation::Converse).await;
        assert_eq!((statuses(&row), pair.requests()), (vec![("use1", 200)], [1, 0]), "{alias}");
    }
    // a target that was asked before is not asked again beside another
    let asked = [Cued::new("use1", [whole(503)], at(0, 200)), Cued::new("usw2", [], at(5, 200))];
    let bed = Bed::new(TWO, &asked);
    assert_eq!(statuses(&*bed.row(Operation::Converse).await), [("use1", 503), ("usw2", 200)]);
}

/// What a call is charged that is hedged, and who was asked.
async fn charged(first: Script, second: Script, limit: i64) -> (Vec<(String, u16)>, i64) {
    let dollars = format!("{}.{:09}", limit / 1_000_000_000, limit % 1_000_000_000);
    let pair = pair(TWO, first, second, Some(&format!("[[budget]]\nname = 'b'\nlimit = '{dollars} USD'\n")));
    let row = pair.bed.row(Operation::Converse).await;
    pair.holds_nothing();
    assert!(row.call.charges.len() <= 1, "one charge a window");
    let asked = statuses(&row).into_iter().map(|(provider, status)| (provider.to_owned(), status)).collect();
    (asked, row.call.charges.iter().map(|charge| charge.amount).sum())
}

#[tokio::test(start_paused = true)]
async fn who_lost_counts_at_its_worst_and_who_won_at_its_cost() {
    let (worst, cost) = prices();
    let room = 1_000_000_000;
    let broken = |secs| fails(secs, Code::BrokenAnswer, true);
    for (first, second, charges) in [
        (Script::Hangs, at(1, 200), worst + cost),
        (at(3, 200), Script::Hangs, cost + worst),
        (at(3, 200), fails(9, Code::Unreachable, false), cost),
        (at(5, 200), at(1, 503), cost),
        (at(5, 200), broken(1), cost + worst),
        (at(3, 503), at(4, 200), cost),
        (broken(3), at(4, 200), worst + cost),
    ] {
        let case = format!("{first:?} {second:?}");
        let (asked, charged) = charged(first, second, room).await;
        assert_eq!((asked.len(), charged), (2, charges), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_two_that_were_lost_a_third_holds_for_itself() {
    let (worst, cost) = prices();
    let lost = |secs| fails(secs, Code::BrokenAnswer, true);
    let budgets = "[[budget]]\nname = 'b'\nlimit = '1 USD'\n";
    for (first, second) in [(3, 2), (4, 1)] {
        let asked =
            [Cued::new("use1", [lost(first)], whole(200)), Cued::new("usw2", [lost(second)], whole(200))];
        let bed = Bed::with(TWO, RetryConfig::default(), &asked, Some(budgets));
        let row = bed.row(Operation::Converse).await;
        let charges: i64 = row.call.charges.iter().map(|charge| charge.amount).sum();
        assert_eq!((row.attempts.len(), charges), (3, 2 * worst + cost), "{first} {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_in_a_budget_there_is_none() {
    let (worst, cost) = prices();
    let (asked, charges) = charged(at(5, 200), at(0, 200), worst * 2 - 1).await;
    assert_eq!((asked, charges), (vec![("use1".to_owned(), 200)], cost));
    let (asked, _) = charged(at(5, 200), at(0, 200), worst * 2).await;
    assert_eq!(asked.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_pays_for_both() {
    let (worst, cost) = prices();
    for (second, charges) in [(at(4, 200), 2 * cost), (Script::Hangs, cost + worst), (at(4, 503), cost)] {
        let budgets = "[[budget]]\nname = 'b'\nlimit = '1 USD'\n";
        let pair = pair(TWO, at(5, 200), second, Some(budgets));
        let ask = pair.bed.ask(Operation::Converse, "triage");
        assert!(timeout(Duration::from_secs(3), ask).await.is_err());
        let row = &pair.bed.house.settled().await[0];
        let charged: i64 = row.call.charges.iter().map(|charge| charge.amount).sum();
        assert_eq!((row.attempts.len(), charged), (2, charges));
        pair.holds_nothing();
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_at_a_time_the_wait_counts_once() {
    for (first, second, asked, secs) in [
        (Script::Hangs, at(2, 200), [("use1", 0, 4.0), ("usw2", 200, 2.0)], 4.0),
        (at(5, 200), Script::Hangs, [("usw2", 0, 3.0), ("use1", 200, 5.0)], 5.0),
    ] {
        let pair = Pair::new(first, second);
        let clock = pair.bed.house.clock.clone();
        let walks = async {
            loop {
                sleep(Duration::from_millis(100)).await;
                clock.advance(Duration::from_millis(100));
            }
        };
        let record = pair.bed.house.open().await.unwrap();
        // what bedplate itself took
        clock.advance(Duration::from_secs(7));
        let mut call = crate::house::call(Operation::Converse);
        call.name = "triage".into();
        tokio::select! {
            reply = pair.bed.house.pipeline.run(call, record) => drop(reply),
            () = walks => {}
        }
        let row = &pair.bed.house.settled().await[0];
        let secs_of = |micros: u64| (micros as f64 / 1e6).round();
        let took = row.attempts.iter().map(|a| (&*a.provider, a.status, secs_of(a.timings.total)));
        assert_eq!(took.collect::<Vec<_>>(), asked);
        let timings = &row.call.timings;
        assert_eq!((secs_of(timings.total), secs_of(timings.overhead)), (7.0 + secs, 7.0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_second_lost_is_not_held_for_again() {
    let (worst, cost) = prices();
    // room for two
    let (dollars, nanos) = (2 * worst / 1_000_000_000, 2 * worst % 1_000_000_000);
    let budgets = format!("[[budget]]\nname = 'b'\nlimit = '{dollars}.{nanos:09} USD'\n");
    let lost = fails(1, Code::BrokenAnswer, true);
    let asked = [Cued::new("use1", [at(4, 503)], whole(200)), Cued::new("usw2", [lost], whole(200))];
    let bed = Bed::with(TWO, RetryConfig::default(), &asked, Some(&budgets));
    let row = bed.row(Operation::Converse).await;
    assert_eq!(statuses(&row)[..2], [("usw2", 0), ("use1", 503)]);
    let charges: i64 = row.call.charges.iter().map(|charge| charge.amount).sum();
    assert_eq!((row.attempts.len(), row.call.status, charges), (3, 200, worst + cost));
}

#[tokio::test(start_paused = true)]
async fn operators_see_whether_an_alias_hedges_and_how_that_went() {
    let pair = Pair::new(at(5, 200), at(1, 200));
    let stand = || pair.bed.stands().remove(0).hedge.unwrap();
    let fresh = stand();
    assert_eq!((fresh.after_ms, fresh.most, fresh.may), (2_000, 50, true));
    assert_eq!([fresh.first, fresh.second, fresh.neither], [0; 3]);
    pair.bed.row(Operation::Converse).await;
    let after = stand();
    assert_eq!([after.first, after.second, after.neither], pair.won());
    assert_eq!((after.second, after.may), (1, false), "the one that was there from the start");
    let none =
        Bed::new(super::CHAIN, &[Cued::new("use1", [], whole(200)), Cued::new("usw2", [], whole(200))]);
    assert_eq!(none.stands()[0].hedge, None);
}
