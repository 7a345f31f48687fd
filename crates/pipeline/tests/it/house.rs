//! A pipeline with everything around it faked faithfully: a ledger that counts, a provider that plays a
//! script.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::cache::{Canonical, Fingerprint};
use bedplate_core::call::{CallId, Headers, Operation};
use bedplate_core::clock::Clock;
use bedplate_core::content::Content;
use bedplate_core::key::{Key, KeyId};
use bedplate_core::ports::{Intake, StoreError};
use bedplate_core::principal::Principal;
use bedplate_core::record::{AttemptTimings, Outcome};
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::secret::Secret;
use bedplate_core::usage::Usage;
use bedplate_core::view::{Edits, Stamped, View};
use bedplate_pipeline::{
    Admission, Answer, AnswerBody, Ask, Books, Broke, CacheConfig, Caching, Call, Deadlines, Drain, Evidence,
    Failed, Flow, Heard, Metered, Native, Pace, Piece, Pipeline, Provider, ProviderFacts, Record, Routes,
    Single, Tags, Throttles, Timeouts,
};
use bedplate_testkit::{ManualClock, MemoryCache, SeededIds};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Sleep, sleep};

/// What the provider does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// A whole answer after a while.
    Whole { after: Duration, status: u16 },
    /// No answer: the code, and whether the request had been sent.
    Fails { after: Duration, code: Code, sent: bool },
    /// Never answers.
    Hangs,
    /// Pieces with a gap before each, then the end.
    Stream { gap: Duration, pieces: usize, ends: Ends },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Well, with usage.
    Well,
    /// Well, but usage was never said.
    Unmetered,
    /// With an exception event.
    Exception,
    /// Short.
    Broken,
    /// Not at all.
    Never,
}

/// What a whole answer or a finished stream reports.
pub(crate) fn usage() -> Usage {
    Usage { input: 100, output: 20, ..Usage::default() }
}

pub(crate) struct House {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) books: Arc<Books>,
    pub(crate) ledger: Arc<CountingLedger>,
    pub(crate) clock: ManualClock,
    ids: SeededIds,
}

pub(crate) const DRAIN: Duration = Duration::from_secs(30);

impl House {
    pub(crate) fn new(script: Script) -> Self {
        Self::over(Arc::new(Scripted { facts: facts(), script }), |clock| {
            let clock: Arc<dyn Clock> = Arc::new(clock.clone());
            let single = Single::new(Arc::new(MemoryCache::new(Arc::clone(&clock))));
            CacheConfig::default().build(&single, &clock)
        })
    }

    /// With another provider, and a cache on its clock.
    pub(crate) fn over(provider: Arc<dyn Provider>, cache: impl FnOnce(&ManualClock) -> Caching) -> Self {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let ledger = Arc::new(CountingLedger::default());
        let books = Arc::new(Books {
            clock: Arc::new(clock.clone()),
            intake: Arc::clone(&ledger) as Arc<dyn Intake>,
            sinks: Vec::new(),
            prices: Arc::new(bedplate_cost::PriceBook::embedded()),
            wait: Duration::from_millis(200),
            open: Arc::new(AtomicU64::new(0)),
            purses: None,
            estimates: Arc::default(),
            pace: Pace::new(Arc::new(clock.clone())),
            nobody: Arc::from(""),
        });
        let pipeline = Arc::new(Pipeline {
            routes: Arc::new(Routes::new(vec![provider], &books.pace)),
            allowed: vec![],
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                first_token: Duration::from_secs(8),
                idle: Duration::from_secs(20),
                total: Duration::from_secs(120),
            },
            drain: Drain { bound: DRAIN },
            cache: cache(&clock),
            throttles: Throttles::default(),
        });
        Self { pipeline, books, ledger, clock, ids: SeededIds::new(7) }
    }

    pub(crate) async fn open(&self) -> Result<Record, Refusal> {
        self.books.reserve().await?;
        let (at, began) = (self.clock.now(), self.clock.tick());
        Ok(Record::open(Arc::clone(&self.books), CallId::new(at, &self.ids), at, began, Admission::Placed))
    }

    /// What the ledger has, once every detached task is done.
    pub(crate) async fn settled(&self) -> Vec<Arc<Outcome>> {
        for _ in 0..10_000 {
            if self.books.open.load(Ordering::Relaxed) == 0 {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.books.open.load(Ordering::Relaxed), 0, "a record is still open");
        self.ledger.rows.lock().clone()
    }
}

pub(crate) fn facts() -> ProviderFacts {
    ProviderFacts {
        name: "use1".into(),
        region: "us-east-1".into(),
        account: "".into(),
        stamps: true,
        quota: None,
    }
}

pub(crate) fn call(operation: Operation) -> Call {
    call_as(operation, |_| {})
}

pub(crate) fn call_as(operation: Operation, change: impl FnOnce(&mut Key)) -> Call {
    let id = KeyId("key_test".into());
    let mut key = Key {
        id: id.clone(),
        access_key_id: "AKIA".into(),
        secret_access_key: Secret::new("s"),
        bearer_sha256: [0; 32],
        principal: Principal {
            key: id,
            team: "support".into(),
            feature: "triage".into(),
            environment: "prod".into(),
            risk_profile: "internal".into(),
        },
        features: vec!["summaries".into()],
        models: vec![],
        expires_at: None,
        disabled_at: None,
        version: 1,
    };
    change(&mut key);
    Call {
        operation,
        name: "us.amazon.nova-lite-v1:0".into(),
        path: "/model/us.amazon.nova-lite-v1%3A0/converse".into(),
        query: String::new(),
        headers: Headers::default(),
        body: Arc::new(Plain(Content::from_static(b"{\"messages\":[]}"))),
        key: Arc::new(key),
        evidence: Box::new(Proven),
        tags: Tags::default(),
    }
}

struct Proven;

impl Evidence for Proven {
    fn verify(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

pub(crate) struct Forged;

impl Evidence for Forged {
    fn verify(&self) -> Result<(), Refusal> {
        Err(Refusal::of(Code::BadSignature))
    }
}

pub(crate) struct Plain(pub(crate) Content);

impl Native for Plain {
    fn content(&self) -> &Content {
        &self.0
    }

    fn view(&self) -> &dyn View {
        self
    }

    fn sha256(&self, _: &Edits) -> [u8; 32] {
        [0; 32]
    }

    fn canonical(&self, _: &Headers) -> Option<Canonical> {
        let body = &self.0.expose()[..];
        Some(Canonical {
            request: Fingerprint::of("plain", [body]),
            family: "plain",
            sampled: false,
            tools: false,
            guarded: false,
            refers: false,
        })
    }

    fn fits(&self, model: &str) -> bool {
        !model.starts_with("another.")
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        Some((Headers::default(), Content::new(Bytes::from(text.to_owned()))))
    }
}

impl View for Plain {
    fn ask_tier(&self, _: &str, _: &mut Edits) -> bool {
        true
    }

    fn max_tokens(&self) -> Option<u64> {
        Some(50)
    }

    fn bound_output(&self, _: u64, _: &mut Edits) -> bool {
        false
    }

    fn stamp(&self, ours: &[(&str, &str)], _: &str, edits: &mut Edits) -> Result<Stamped, Refusal> {
        edits.said.push("requestMetadata".into());
        Ok(Stamped { kept: ours.len(), dropped: 0 })
    }
}

/// Counts places and keeps rows.
pub(crate) struct CountingLedger {
    pub(crate) rows: Mutex<Vec<Arc<Outcome>>>,
    pub(crate) places: AtomicI64,
}

impl Default for CountingLedger {
    fn default() -> Self {
        Self { rows: Mutex::default(), places: AtomicI64::new(1_000) }
    }
}

impl Intake for CountingLedger {
    fn try_reserve(&self) -> bool {
        let took = self.places.fetch_sub(1, Ordering::SeqCst) > 0;
        if !took {
            self.release();
        }
        took
    }

    fn reserve(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::pending())
    }

    fn settle(&self, outcome: Arc<Outcome>) {
        self.rows.lock().push(outcome);
        self.release();
    }

    fn release(&self) {
        self.places.fetch_add(1, Ordering::SeqCst);
    }

    fn why_full(&self) -> StoreError {
        StoreError::ReadOnly("the disk is full".into())
    }
}

pub(crate) struct Scripted {
    pub(crate) facts: ProviderFacts,
    pub(crate) script: Script,
}

impl Provider for Scripted {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn attempt(
        self: Arc<Self>,
        ask: Ask,
        deadlines: Deadlines,
    ) -> BoxFuture<'static, Result<Answer, Failed>> {
        let failed = |code, sent| Failed {
            code,
            said: None,
            cause: "as scripted".into(),
            request_id: None,
            sent,
            timings: AttemptTimings::default(),
        };
        let total = deadlines.total;
        let playing = async move {
            ask.sent.store(!matches!(self.script, Script::Fails { sent: false, .. }), Ordering::Relaxed);
            match self.script.clone() {
                Script::Whole { after, status } => {
                    sleep(after).await;
                    let usage = (status == 200).then(usage);
                    let metered = Metered { usage, ..Metered::default() };
                    Ok(answer(status, AnswerBody::Whole(Content::from_static(b"{}"), metered)))
                }
                Script::Fails { after, code, sent } => {
                    sleep(after).await;
                    Err(failed(code, sent))
                }
                Script::Hangs => {
                    tokio::time::sleep_until(deadlines.total).await;
                    Err(failed(Code::TotalTimeout, true))
                }
                Script::Stream { gap, pieces, ends } => {
                    sleep(gap).await;
                    let left = (0..pieces).map(|n| Bytes::from(format!("piece {n};"))).collect();
                    let flow = ScriptedFlow { gap, left, ends, said: false, timer: None, read: 0 };
                    Ok(answer(200, AnswerBody::Stream(Box::new(flow))))
                }
            }
        };
        // as whoever asks a real upstream
        Box::pin(async move {
            match tokio::time::timeout_at(total, playing).await {
                Ok(played) => played,
                Err(_) => Err(failed(Code::TotalTimeout, true)),
            }
        })
    }
}

fn answer(status: u16, body: AnswerBody) -> Answer {
    Answer {
        status,
        headers: Headers::default(),
        request_id: Some("req-1".into()),
        error: (status != 200).then(|| "ThrottlingException".to_owned()),
        body,
        timings: AttemptTimings::default(),
        dropped: Vec::new(),
    }
}

struct ScriptedFlow {
    gap: Duration,
    left: VecDeque<Bytes>,
    ends: Ends,
    /// The last word has been said.
    said: bool,
    timer: Option<Pin<Box<Sleep>>>,
    read: u64,
}

impl Flow for ScriptedFlow {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        let gap = self.gap;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(gap)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(bytes) = self.left.pop_front() {
            self.timer = None;
            self.read += bytes.len() as u64;
            return Poll::Ready(Some(Ok(Piece { bytes, heard: Heard { content: true, exception: None } })));
        }
        match self.ends {
            Ends::Never => Poll::Pending,
            Ends::Broken => {
                let broke = Broke { code: Code::BrokenAnswer, cause: "as scripted".into() };
                Poll::Ready(Some(Err(broke)))
            }
            Ends::Exception if !self.said => {
                self.said = true;
                let heard = Heard { content: false, exception: Some("ThrottlingException".into()) };
                Poll::Ready(Some(Ok(Piece { bytes: Bytes::from_static(b"exception"), heard })))
            }
            Ends::Well | Ends::Unmetered | Ends::Exception => {
                self.said = true;
                Poll::Ready(None)
            }
        }
    }

    fn metered(self: Box<Self>) -> Metered {
        let usage = (self.ends == Ends::Well && self.said).then(usage);
        Metered { usage, output_bytes: self.read, ..Metered::default() }
    }
}
