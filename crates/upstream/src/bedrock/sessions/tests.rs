use std::collections::{BTreeSet, VecDeque};
use std::time::UNIX_EPOCH;

use aws_credential_types::Credentials as Found;
use aws_credential_types::provider::error::CredentialsError;
use bedplate_core::BoxFuture;
use bedplate_core::key::KeyId;
use bedplate_core::setting::Span;
use bedplate_testkit::ManualClock;
use tokio::sync::watch;

use super::assume::Answer;
use super::*;
use crate::bedrock::credentials::CredentialsState;
use crate::config::Kind;

const ROLE: &str = "arn:aws:iam::123456789012:role/gateway";
const HOUR: Duration = Duration::from_secs(3_600);

/// Gives each question a pair named after what was asked, and the number of the question; for as long as it is told to.
struct Aws {
    clock: ManualClock,
    asked: Mutex<Vec<Asked>>,
    /// What is answered instead, first.
    refusals: Mutex<VecDeque<&'static str>>,
    down: watch::Sender<bool>,
    answered: watch::Sender<usize>,
}

impl Assume for Aws {
    fn assume<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            // as if over a wire: others run meanwhile
            tokio::task::yield_now().await;
            let n = {
                let mut all = self.asked.lock();
                all.push(asked.clone());
                all.len()
            };
            let answer = match self.refusals.lock().pop_front() {
                Some(said) => Err(CredentialsError::provider_error(said)),
                None if *self.down.borrow() => Err(CredentialsError::provider_error("STS is away")),
                None => {
                    let until = self.clock.now().plus(asked.lifetime);
                    let until = UNIX_EPOCH + Duration::from_secs(until.secs().unsigned_abs());
                    let id = format!("{} {} {:?} #{n}", asked.role, asked.name, asked.tags);
                    Ok(Found::new(id, "secret", Some("token".into()), Some(until), "test"))
                }
            };
            self.answered.send_modify(|n| *n += 1);
            answer
        })
    }
}

struct Bench {
    clock: ManualClock,
    aws: Arc<Aws>,
    sessions: Arc<Sessions>,
}

impl Bench {
    fn with(settings: SessionsConfig) -> Self {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let aws = Arc::new(Aws {
            clock: clock.clone(),
            asked: Mutex::default(),
            refusals: Mutex::default(),
            down: watch::channel(false).0,
            answered: watch::channel(0).0,
        });
        let mut config = Config::named("p", Kind::Bedrock);
        config.role_arn = Some(ROLE.into());
        config.sessions = Some(settings);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let assume = Arc::clone(&aws) as Arc<dyn Assume>;
        let sessions = Sessions::with(&config, assume, &shared, &Handle::current()).unwrap();
        Self { clock, aws, sessions }
    }

    fn session(&self, who: &Principal) -> Arc<Session> {
        self.sessions.of_caller(None, who).unwrap()
    }

    /// What a call of this caller is signed with.
    async fn signed_by(&self, who: &Principal) -> Result<String, String> {
        let session = self.session(who);
        session.credentials.get(self.clock.now()).await.map(|pair| pair.access_key_id.clone())
    }

    /// Waits until AWS has answered `n` times, and the last answer stands.
    async fn answered(&self, n: usize) {
        self.aws.answered.subscribe().wait_for(|answered| *answered >= n).await.unwrap();
        tokio::task::yield_now().await;
    }

    /// Lets time go by, for the clock and for timers, in steps that timers notice.
    async fn pass(&self, time: Duration) {
        for _ in 0..time.as_secs() / 10 {
            self.clock.advance(Duration::from_secs(10));
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
}

fn tagged() -> SessionsConfig {
    let tags = [("team", "{team}"), ("feature", "{feature}"), ("env", "{environment}")];
    SessionsConfig {
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        transitive: vec!["team".into()],
        ..SessionsConfig::default()
    }
}

fn who(team: &str, feature: &str, environment: &str) -> Principal {
    Principal {
        key: KeyId("key_1".into()),
        team: team.into(),
        feature: feature.into(),
        environment: environment.into(),
        risk_profile: "".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_says_whose_it_is_and_many_calls_make_one() {
    let bench = Bench::with(tagged());
    let a = who("pay", "triage", "prod");
    let calls = (0..64).map(|_| bench.signed_by(&a));
    let pairs: BTreeSet<_> = futures_of(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(pairs.len(), 1);
    let asked = bench.aws.asked.lock().clone();
    let tags = [("env", "prod"), ("feature", "triage"), ("team", "pay")];
    let expected = Asked {
        role: ROLE.into(),
        name: "pay@prod".into(),
        tags: tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        transitive: ["team".to_owned()].into(),
        lifetime: HOUR,
    };
    assert_eq!(asked, [expected]);
    // a tenant's own role stands over the provider's
    let other: Arc<str> = "arn:aws:iam::123456789012:role/pay".into();
    let own = bench.sessions.of_caller(Some(&other), &a).unwrap();
    let pair = own.credentials.get(bench.clock.now()).await.unwrap();
    assert!(pair.access_key_id.starts_with(&*other));
    let counts = bench.sessions.counts();
    assert_eq!(counts, SessionCounts { kept: 2, assumed: 2, failed: 0, evicted: 0 });
}

/// Polls all together, so that they are under way at once.
async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (one, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(value) = one.as_mut().poll(cx)
            {
                *done = Some(value);
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test(start_paused = true)]
async fn no_tenant_signs_with_the_session_of_another() {
    // names that come close to one another, and far more tenants than there is room for
    let bench = Bench::with(SessionsConfig { most: 7, ..tagged() });
    let names = ["a", "b", "a-b", "a/b", "ab", "a.b", ""];
    let mut dice = 0x9e37_79b9_u64;
    let mut pick = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        names[usize::try_from(dice >> 33).unwrap() % names.len()]
    };
    for n in 0..3_000 {
        let (team, feature, environment) = (pick(), pick(), pick());
        let caller = Principal { key: KeyId(format!("key_{n}").into()), ..who(team, feature, environment) };
        let pair = bench.signed_by(&caller).await.unwrap();
        let tags = [("env", environment), ("feature", feature), ("team", team)];
        assert!(pair.contains(&format!("{tags:?}")), "{pair} signs for {tags:?}");
        let counts = bench.sessions.counts();
        assert!(counts.kept <= 7, "{counts:?}");
    }
    let counts = bench.sessions.counts();
    assert_eq!(counts.assumed, counts.kept + counts.evicted);
    assert!(counts.evicted > 100, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_one_unused_for_longest_goes_and_a_call_under_way_keeps_its_own() {
    let bench = Bench::with(SessionsConfig { most: 2, ..tagged() });
    let [a, b, c] = ["a", "b", "c"].map(|team| who(team, "f", "prod"));
    let held = bench.session(&a);
    bench.signed_by(&a).await.unwrap();
    bench.clock.advance(Duration::from_secs(5));
    bench.signed_by(&b).await.unwrap();
    bench.clock.advance(Duration::from_secs(5));
    bench.signed_by(&a).await.unwrap();
    bench.clock.advance(Duration::from_secs(5));
    bench.signed_by(&c).await.unwrap();
    let teams = |sessions: &Sessions| {
        sessions.kept.load().keys().map(|key| key.members[0].to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(teams(&bench.sessions), ["a", "c"].map(str::to_owned).into());
    bench.clock.advance(Duration::from_secs(5));
    bench.signed_by(&c).await.unwrap();
    bench.signed_by(&b).await.unwrap();
    assert_eq!(teams(&bench.sessions), ["b", "c"].map(str::to_owned).into());
    assert!(held.credentials.get(bench.clock.now()).await.is_ok());
    assert_eq!(bench.sessions.counts().evicted, 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_before_it_expires_and_no_call_waits() {
    let bench = Bench::with(tagged());
    let a = who("pay", "triage", "prod");
    let first = bench.signed_by(&a).await.unwrap();
    // most of its life goes by: between an hour less six minutes and less five it is renewed
    bench.pass(HOUR - Duration::from_secs(370)).await;
    assert_eq!(bench.aws.asked.lock().len(), 1);
    assert_eq!(bench.signed_by(&a).await.unwrap(), first);
    bench.pass(Duration::from_secs(80)).await;
    assert_eq!(bench.aws.asked.lock().len(), 2);
    let second = bench.signed_by(&a).await.unwrap();
    assert!(second.ends_with("#2") && second != first, "{second}");
    // renewing is asked with the same name and tags
    let asked = bench.aws.asked.lock().clone();
    assert_eq!(asked[0], asked[1]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_sts_leaves_good_sessions_working_until_they_expire() {
    let bench = Bench::with(tagged());
    let (a, b) = (who("pay", "triage", "prod"), who("ops", "triage", "prod"));
    let first = bench.signed_by(&a).await.unwrap();
    bench.aws.down.send_replace(true);
    bench.pass(HOUR - Duration::from_secs(60)).await;
    assert!(bench.sessions.counts().failed > 5, "it is tried again and again");
    assert_eq!(bench.signed_by(&a).await, Ok(first.clone()));
    let state = bench.session(&a).credentials.state(bench.clock.now());
    assert!(matches!(state, CredentialsState::Stale { .. }), "{state:?}");
    // who has none gets none, and is told why; nobody else's is given
    let said = bench.signed_by(&b).await.unwrap_err();
    assert!(said.contains("STS is away"), "{said}");
    bench.pass(Duration::from_secs(120)).await;
    let said = bench.signed_by(&a).await.unwrap_err();
    assert!(said.contains("expired at") && said.contains("STS is away"), "{said}");
    bench.aws.down.send_replace(false);
    let answers = *bench.aws.answered.borrow();
    bench.answered(answers + 2).await;
    assert!(bench.signed_by(&a).await.unwrap() != first);
    assert!(bench.signed_by(&b).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_be_assumed_is_nobody_elses_trouble() {
    let bench = Bench::with(tagged());
    let (a, b) = (who("pay", "triage", "prod"), who("ops", "triage", "prod"));
    bench.aws.refusals.lock().push_back("AssumeRole answered AccessDenied");
    let said = bench.signed_by(&a).await.unwrap_err();
    assert!(said.contains("AccessDenied"), "{said}");
    assert!(bench.signed_by(&b).await.is_ok());
    assert_eq!(bench.session(&a).said, format!("session `pay@prod` of `{ROLE}`"));
    // it is tried again by itself
    bench.answered(3).await;
    assert!(bench.signed_by(&a).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_uses_is_dropped_and_not_renewed() {
    let settings = SessionsConfig { lifetime: Span::secs(900), ..tagged() };
    let bench = Bench::with(settings);
    let (a, b) = (who("pay", "triage", "prod"), who("ops", "triage", "prod"));
    bench.signed_by(&a).await.unwrap();
    bench.signed_by(&b).await.unwrap();
    bench.pass(Duration::from_secs(600)).await;
    bench.signed_by(&a).await.unwrap();
    bench.pass(Duration::from_secs(320)).await;
    bench.sessions.sweep();
    assert_eq!(bench.sessions.counts().kept, 1);
    let asked = |team: &str| {
        let named = |asked: &&Asked| asked.name.starts_with(team);
        bench.aws.asked.lock().iter().filter(named).count()
    };
    let (ops, pay) = (asked("ops"), asked("pay"));
    bench.pass(Duration::from_secs(850)).await;
    assert_eq!(asked("ops"), ops, "its renewal ended with it");
    assert!(asked("pay") > pay);
}

#[tokio::test]
async fn members_that_are_not_used_tell_no_sessions_apart() {
    let bench = Bench::with(SessionsConfig::default());
    let a = bench.session(&who("pay", "triage", "prod"));
    let b = bench.session(&who("pay", "search", "prod"));
    assert!(Arc::ptr_eq(&a, &b));
    assert!(!Arc::ptr_eq(&a, &bench.session(&who("pay", "triage", "dev"))));
    assert_eq!(bench.sessions.counts().kept, 2);
}
