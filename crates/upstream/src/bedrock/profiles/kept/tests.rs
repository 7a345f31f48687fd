use std::sync::atomic::{AtomicUsize, Ordering};

use bedplate_pipeline::Billed;
use bedplate_testkit::ManualClock;
use tokio::sync::Semaphore;

use super::*;

/// Leads, and an upstream that answers when it is let.
struct Bench {
    clock: Arc<ManualClock>,
    leads: Arc<Leads>,
    asked: Arc<AtomicUsize>,
    /// One answer for each permit.
    let_go: Arc<Semaphore>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-12-01T00:00:00Z"));
        let leads = Leads::new(Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, leads, asked: Arc::default(), let_go: Arc::new(Semaphore::new(0)) }
    }

    fn lead(&self, target: &str, answer: Result<Targets, Missed>) -> Leading {
        let (asked, let_go) = (Arc::clone(&self.asked), Arc::clone(&self.let_go));
        Arc::clone(&self.leads).of(target, move || {
            asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                let_go.acquire().await.unwrap().forget();
                answer
            })
        })
    }

    /// What is known without waiting.
    fn now(&self, target: &str, answer: Result<Targets, Missed>) -> Lead {
        match self.lead(target, answer) {
            Leading::Now(lead) => lead,
            Leading::Asked(_) => panic!("`{target}` is not known"),
        }
    }

    async fn later(&self, target: &str, answer: Result<Targets, Missed>) -> Lead {
        self.let_go.add_permits(1);
        match self.lead(target, answer) {
            Leading::Now(_) => panic!("`{target}` is known already"),
            Leading::Asked(asked) => asked.await,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Lets the question that calls do not wait for be answered.
    async fn refreshed(&self) {
        self.let_go.add_permits(1);
        while !self.leads.asking.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

fn to(model: &str) -> Result<Targets, Missed> {
    Ok(Targets { models: vec![model.into()], billed: Billed::AsModel })
}

fn no(fault: Fault) -> Result<Targets, Missed> {
    Err(Missed { said: "no".into(), fault })
}

fn model(lead: &Lead) -> Option<&str> {
    lead.model().map(|model| &**model)
}

#[tokio::test]
async fn many_calls_make_one_question_and_only_the_first_wait() {
    let bench = Bench::new();
    let waiting: Vec<_> = (0..1_000).map(|_| bench.lead("a", to("m"))).collect();
    bench.let_go.add_permits(1);
    for leading in waiting {
        let Leading::Asked(asked) = leading else { panic!("known too soon") };
        assert_eq!(model(&asked.await), Some("m"));
    }
    assert_eq!(bench.asked(), 1);
    assert_eq!(model(&bench.now("a", to("other"))), Some("m"));
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_takes_no_answer_away() {
    let bench = Bench::new();
    drop(bench.lead("a", to("m")));
    bench.refreshed().await;
    assert_eq!(model(&bench.now("a", to("other"))), Some("m"));
}

#[tokio::test]
async fn an_old_answer_serves_until_the_new_one_is_there() {
    let bench = Bench::new();
    bench.later("a", to("old")).await;
    bench.clock.advance(GOOD);
    assert_eq!(model(&bench.now("a", to("new"))), Some("old"));
    assert_eq!(model(&bench.now("a", to("newer"))), Some("old"));
    bench.refreshed().await;
    assert_eq!(model(&bench.now("a", to("newest"))), Some("new"));
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn what_cannot_be_found_is_kept_too_and_asked_again_later() {
    for (fault, after) in [(Fault::Absent, BAD), (Fault::Denied, BAD), (Fault::Passing, PASSING)] {
        let bench = Bench::new();
        assert_eq!(bench.later("a", no(fault)).await, Lead::Nowhere("no".into()));
        bench.clock.advance(after - Duration::from_micros(1));
        assert_eq!(bench.now("a", to("m")), Lead::Nowhere("no".into()));
        assert_eq!(bench.asked(), 1);
        bench.clock.advance(Duration::from_micros(1));
        assert_eq!(bench.now("a", to("m")), Lead::Nowhere("no".into()));
        bench.refreshed().await;
        assert_eq!(model(&bench.now("a", to("n"))), Some("m"));
    }
}

#[tokio::test]
async fn a_good_answer_outlives_trouble_but_not_the_profile() {
    let bench = Bench::new();
    bench.later("a", to("m")).await;
    for fault in [Fault::Passing, Fault::Denied] {
        bench.clock.advance(GOOD);
        bench.now("a", no(fault));
        bench.refreshed().await;
        assert_eq!(model(&bench.now("a", to("n"))), Some("m"));
    }
    bench.clock.advance(BAD);
    bench.now("a", no(Fault::Absent));
    bench.refreshed().await;
    assert_eq!(bench.now("a", to("n")), Lead::Nowhere("no".into()));
}

#[tokio::test]
async fn questions_and_answers_are_bounded() {
    let bench = Bench::new();
    let open: Vec<_> = (0..AT_ONCE).map(|n| bench.lead(&format!("open-{n}"), to("m"))).collect();
    assert!(matches!(bench.now("one-more", to("m")), Lead::Nowhere(_)));
    bench.let_go.add_permits(AT_ONCE);
    for leading in open {
        let Leading::Asked(asked) = leading else { panic!("known too soon") };
        asked.await;
    }
    for n in 0..MOST {
        bench.later(&format!("made-up-{n}"), no(Fault::Absent)).await;
    }
    assert_eq!(bench.leads.kept.load().len(), MOST);
    // names that are made up do not drive out good ones
    assert_eq!(model(&bench.now("open-0", to("n"))), Some("m"));
}

#[test]
fn a_worker_that_ends_lets_others_ask() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let leading = runtime.block_on(async { bench.lead("a", to("m")) });
    drop(runtime);
    let Leading::Asked(asked) = leading else { panic!("known too soon") };
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(other.block_on(asked), Lead::Nowhere(_)));
    assert_eq!(model(&other.block_on(bench.later("a", to("m")))), Some("m"));
}
