use std::collections::VecDeque;
use std::time::UNIX_EPOCH;

use aws_credential_types::Credentials as Found;
use aws_credential_types::provider::error::CredentialsError;
use bedplate_core::BoxFuture;
use bedplate_testkit::ManualClock;
use parking_lot::Mutex;

use super::*;

type Answer = Result<Found, CredentialsError>;

/// Answers in order; what comes after the last is a failure.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    looks: watch::Sender<usize>,
}

struct Held(Arc<Script>);

impl renewal::Source for Held {
    fn find(&self) -> BoxFuture<'_, Answer> {
        let answer = self.0.answers.lock().pop_front();
        self.0.looks.send_modify(|n| *n += 1);
        Box::pin(std::future::ready(answer.unwrap_or_else(|| Err(CredentialsError::not_loaded("gone")))))
    }
}

struct Bench {
    clock: ManualClock,
    script: Arc<Script>,
    credentials: Credentials,
}

impl Bench {
    fn with(answers: impl FnOnce(Timestamp) -> Vec<Answer>) -> Self {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let answers = Mutex::new(answers(clock.now()).into());
        let script = Arc::new(Script { answers, looks: watch::channel(0).0 });
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let credentials =
            Credentials::renewed(Held(Arc::clone(&script)), CHAIN, String::new(), shared, &Handle::current());
        Self { clock, script, credentials }
    }

    /// Waits until the chain has been asked `n` times and its answer stands.
    async fn looked(&self, n: usize) {
        self.script.looks.subscribe().wait_for(|looks| *looks >= n).await.unwrap();
        tokio::task::yield_now().await;
    }

    fn state(&self) -> CredentialsState {
        self.credentials.state(self.clock.now())
    }

    async fn get(&self) -> Result<String, String> {
        self.credentials.get(self.clock.now()).await.map(|pair| pair.access_key_id.clone())
    }
}

fn pair(name: &str, expires_at: Option<Timestamp>) -> Answer {
    let at = expires_at.map(|at| UNIX_EPOCH + Duration::from_secs(at.secs().unsigned_abs()));
    Ok(Found::new(name, "secret", Some("token".into()), at, "test"))
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_pair_is_used_until_it_expires_and_never_after() {
    let bench = Bench::with(|now| vec![pair("first", Some(now.plus(MINUTE)))]);
    assert_eq!(bench.get().await, Ok("first".into()));
    assert_eq!(bench.state(), CredentialsState::Ready);

    bench.looked(2).await;
    let until = bench.clock.now().plus(MINUTE);
    assert!(matches!(bench.state(), CredentialsState::Stale { until: Some(at), .. } if at == until));
    assert_eq!(bench.get().await, Ok("first".into()), "renewal fails, and the pair is good");

    bench.clock.advance(MINUTE);
    assert!(matches!(bench.state(), CredentialsState::Expired { at, .. } if at == until));
    let said = bench.get().await.unwrap_err();
    assert!(said.contains("expired at 2026-11-22T12:01:00Z") && said.contains("gone"), "{said}");

    bench.script.answers.lock().push_back(pair("second", None));
    let looks = *bench.script.looks.borrow();
    bench.looked(looks + 1).await;
    assert_eq!(bench.get().await, Ok("second".into()));
    assert_eq!(bench.state(), CredentialsState::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_asks_before_it_refuses() {
    let hour = 60 * MINUTE;
    let bench = Bench::with(|now| {
        vec![pair("first", Some(now.plus(hour))), pair("second", Some(now.plus(3 * hour)))]
    });
    assert_eq!(bench.get().await, Ok("first".into()));
    bench.clock.advance(2 * hour);
    assert_eq!(bench.get().await, Ok("second".into()));
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_comes_expired_is_none() {
    let bench = Bench::with(|now| vec![pair("old", Some(now))]);
    let said = bench.get().await.unwrap_err();
    assert!(said.contains("gave credentials that expired at"), "{said}");
    assert!(matches!(bench.state(), CredentialsState::Failed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_never_expires_outlives_the_chain() {
    let bench = Bench::with(|_| vec![pair("kept", None)]);
    assert_eq!(bench.get().await, Ok("kept".into()));
    bench.credentials.renew();
    bench.looked(2).await;
    assert_eq!(bench.get().await, Ok("kept".into()));
    assert!(matches!(bench.state(), CredentialsState::Stale { until: None, .. }));
}

#[tokio::test]
async fn a_fixed_pair_is_ready() {
    let fixed = Credentials::fixed("AKIA".into(), Secret::new("s"));
    assert_eq!(fixed.settled(Timestamp(0)).await, CredentialsState::Ready);
    assert_eq!(fixed.get(Timestamp(i64::MAX)).await.unwrap().access_key_id, "AKIA");
}
