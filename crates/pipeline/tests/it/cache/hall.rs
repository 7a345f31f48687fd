//! A house with a cache, and a provider that counts how often it is asked and numbers its answers.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::cache::{Cache, Finish, Mark};
use bedplate_core::call::{Headers, Operation};
use bedplate_core::clock::Clock;
use bedplate_core::content::Content;
use bedplate_core::record::AttemptTimings;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{
    Answer, AnswerBody, Ask, Broke, CacheConfig, Call, Deadlines, Failed, Flow, Heard, InForce, Metered,
    Piece, Pipeline, Provider, ProviderFacts, Refused, ReplyBody, RuleConfig, Single, Throttles,
};
use bedplate_testkit::{FaultyCache, MemoryCache};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::house::{House, Plain, call_as, facts, usage};

/// What comes of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer(Finish),
    Status(u16),
    Fails,
    /// A stream that breaks off after its first piece.
    Breaks,
    /// A stream with an exception event.
    Exception,
    /// A stream that stands still after its first piece.
    Stalls,
    Hangs,
}

pub(crate) const GOOD: Act = Act::Answer(Finish::Complete);
pub(crate) const LATENCY: Duration = Duration::from_secs(2);

/// Numbers its answers: `answer 3` is that of the third attempt.
pub(crate) struct Numbering {
    facts: ProviderFacts,
    acts: Mutex<VecDeque<Act>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    latency: Duration,
}

/// Counted as long as it lives.
struct UnderWay(Arc<Numbering>);

impl UnderWay {
    fn begin(provider: &Arc<Numbering>) -> Self {
        let now = provider.now.fetch_add(1, SeqCst) + 1;
        provider.most.fetch_max(now, SeqCst);
        Self(Arc::clone(provider))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

impl Provider for Numbering {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn attempt(
        self: Arc<Self>,
        ask: Ask,
        deadlines: Deadlines,
    ) -> BoxFuture<'static, Result<Answer, Failed>> {
        Box::pin(async move {
            ask.sent.store(true, SeqCst);
            let n = self.asked.fetch_add(1, SeqCst) + 1;
            let act = self.acts.lock().pop_front().unwrap_or(GOOD);
            let under_way = UnderWay::begin(&self);
            sleep(self.latency).await;
            let failed = |code| Failed {
                code,
                said: None,
                cause: "as scripted".into(),
                request_id: None,
                sent: true,
                timings: AttemptTimings::default(),
            };
            let finish = match act {
                Act::Answer(finish) => finish,
                Act::Fails => return Err(failed(Code::BrokenAnswer)),
                Act::Hangs => {
                    tokio::time::sleep_until(deadlines.first_token.max(deadlines.total)).await;
                    return Err(failed(Code::TotalTimeout));
                }
                Act::Status(_) | Act::Breaks | Act::Exception | Act::Stalls => Finish::Complete,
            };
            let size = self.bytes.load(SeqCst);
            let text = format!("answer {n}{}", "x".repeat(size));
            let good = !matches!(act, Act::Status(_));
            let metered = Metered { usage: good.then(usage), finish, ..Metered::default() };
            let body = match (ask.operation.streams(), good) {
                (true, true) => {
                    let pieces = text.as_bytes().chunks(3).map(Bytes::copy_from_slice).collect();
                    AnswerBody::Stream(Box::new(Pieces { pieces, act, metered, _under_way: under_way }))
                }
                _ => AnswerBody::Whole(Content::new(text.into()), metered),
            };
            let mut headers = Headers::default();
            headers.push("content-type", "application/json");
            headers.push("x-amzn-requestid", format!("req-{n}"));
            let status = if let Act::Status(status) = act { status } else { 200 };
            let error = (status != 200).then(|| "ThrottlingException".to_owned());
            let request_id = Some(format!("req-{n}"));
            Ok(Answer {
                status,
                headers,
                request_id,
                error,
                body,
                timings: AttemptTimings::default(),
                dropped: Vec::new(),
            })
        })
    }
}

struct Pieces {
    pieces: VecDeque<Bytes>,
    act: Act,
    metered: Metered,
    _under_way: UnderWay,
}

impl Flow for Pieces {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        let all = self.pieces.len();
        if self.act == Act::Stalls && all == 2 {
            return Poll::Pending;
        }
        match (self.act, self.pieces.pop_front()) {
            (Act::Breaks, _) if all == 1 => {
                let broke = Broke { code: Code::BrokenAnswer, cause: "as scripted".into() };
                Poll::Ready(Some(Err(broke)))
            }
            (act, Some(bytes)) => {
                let last = all == 1 && act == Act::Exception;
                let exception = last.then(|| "ThrottlingException".to_owned());
                Poll::Ready(Some(Ok(Piece { bytes, heard: Heard { content: true, exception } })))
            }
            (_, None) => Poll::Ready(None),
        }
    }

    fn metered(self: Box<Self>) -> Metered {
        self.metered.clone()
    }
}

/// A house whose callers may share answers.
pub(crate) struct Hall {
    pub(crate) house: House,
    pub(crate) provider: Arc<Numbering>,
    pub(crate) cache: Arc<FaultyCache>,
    pub(crate) single: Single,
    config: CacheConfig,
}

/// What a caller got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) mark: Option<Mark>,
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn rule() -> RuleConfig {
    let text = "models = [\"us.amazon.*\"]\nttl = \"10m\"\n";
    toml::from_str(text).unwrap()
}

impl Hall {
    pub(crate) fn new(rule: RuleConfig, acts: &[Act]) -> Self {
        Self::at(rule, acts, LATENCY)
    }

    pub(crate) fn at(rule: RuleConfig, acts: &[Act], latency: Duration) -> Self {
        let provider = Arc::new(Numbering {
            facts: facts(),
            acts: Mutex::new(acts.iter().copied().collect()),
            asked: AtomicUsize::new(0),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            latency,
        });
        let config = CacheConfig { rule: vec![rule], ..CacheConfig::default() };
        assert_eq!(config.problems(), []);
        let mut made = None;
        let house = House::over(Arc::clone(&provider) as Arc<dyn Provider>, |clock| {
            let clock: Arc<dyn Clock> = Arc::new(clock.clone());
            let memory = Arc::new(MemoryCache::new(Arc::clone(&clock)));
            let cache = Arc::new(FaultyCache::new(memory));
            let single = Single::new(Arc::clone(&cache) as Arc<dyn Cache>);
            made = Some((cache, single.clone()));
            config.build(&single, &clock)
        });
        let (cache, single) = made.unwrap();
        Self { house, provider, cache, single, config }
    }

    pub(crate) fn asked(&self) -> usize {
        self.provider.asked.load(SeqCst)
    }

    /// The pipeline of another configuration over the same cache.
    pub(crate) fn under(&self, in_force: InForce) -> Pipeline {
        let clock: Arc<dyn Clock> = Arc::new(self.house.clock.clone());
        let old = &self.house.pipeline;
        Pipeline {
            routes: Arc::clone(&old.routes),
            allowed: vec![],
            timeouts: old.timeouts,
            drain: old.drain,
            cache: self.config.build(&self.single, &clock).under(in_force),
            throttles: Throttles::default(),
        }
    }

    pub(crate) async fn ask(&self, call: Call) -> Result<Got, Code> {
        self.ask_in(&self.house.pipeline, call).await
    }

    /// Runs a call and reads its answer to the end.
    pub(crate) async fn ask_in(&self, pipeline: &Pipeline, call: Call) -> Result<Got, Code> {
        let record = self.house.open().await.map_err(|refusal| refusal.code)?;
        let reply = pipeline.run(call, record).await.map_err(|Refused(refused)| {
            let (refusal, record) = *refused;
            record.refused(&refusal, 400, "ValidationException");
            refusal.code
        })?;
        let mut body = Vec::new();
        match reply.body {
            ReplyBody::Whole(content) => body.extend_from_slice(content.expose()),
            ReplyBody::Stream(mut flow) => {
                while let Some(piece) = poll_fn(|cx| flow.poll_next(cx)).await {
                    body.extend_from_slice(&piece.map_err(|refusal| refusal.code)?);
                }
            }
        }
        Ok(Got { mark: reply.cache, status: reply.status, body: String::from_utf8(body).unwrap() })
    }
}

pub(crate) fn converse() -> Call {
    asks(Operation::Converse, "hello")
}

pub(crate) fn asks(op: Operation, body: &str) -> Call {
    let mut call = call_as(op, |_| {});
    call.body = Arc::new(Plain(Content::new(Bytes::from(body.to_owned()))));
    call
}

pub(crate) fn got(mark: Mark, body: &str) -> Got {
    Got { mark: Some(mark), status: 200, body: body.into() }
}
