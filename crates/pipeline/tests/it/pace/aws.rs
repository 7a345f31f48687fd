//! An upstream with a quota: reserved on arrival, settled with burndown at the end, shared with others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::call::Headers;
use bedplate_core::clock::{Clock, Tick, Timestamp};
use bedplate_core::content::Content;
use bedplate_core::record::AttemptTimings;
use bedplate_core::usage::Usage;
use bedplate_pipeline::{Answer, AnswerBody, Ask, Deadlines, Failed, Metered, Provider, ProviderFacts};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// Tokio's clock as bedplate's: paused with it.
pub(super) struct Paused(Instant);

impl Paused {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_348_800).plus(self.0.elapsed())
    }

    fn tick(&self) -> Tick {
        Tick(u64::try_from(self.0.elapsed().as_nanos()).unwrap())
    }
}

/// What AWS allows, which the gateway need not know.
#[derive(Clone, Copy)]
pub(super) struct Truth {
    pub(super) tpm: f64,
    pub(super) burndown: f64,
    /// Tokens a minute that somebody else uses.
    pub(super) others: f64,
}

pub(super) struct Aws {
    facts: ProviderFacts,
    truth: Truth,
    bucket: Mutex<Bucket>,
    pub(super) seen: Mutex<Seen>,
}

struct Bucket {
    at: Instant,
    used: f64,
}

/// What it saw.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Seen {
    pub(super) requests: u32,
    pub(super) throttled: u32,
    /// Settled, by the rule of quotas.
    pub(super) tokens: f64,
}

/// What a request carries in its body, as text: prompt tokens, the most to write, what it writes.
pub(super) fn body(prompt: u64, most: u64, writes: u64) -> Content {
    let head = format!("{prompt} {most} {writes} ");
    let bytes = usize::try_from(prompt * 4).unwrap();
    let rest = " ".repeat(bytes.saturating_sub(head.len()));
    Content::new(format!("{head}{rest}").into())
}

impl Aws {
    pub(super) fn new(facts: ProviderFacts, truth: Truth) -> Arc<Self> {
        let bucket = Mutex::new(Bucket { at: Instant::now(), used: 0.0 });
        Arc::new(Self { facts, truth, bucket, seen: Mutex::default() })
    }

    fn reserve(&self, tokens: f64) -> bool {
        let mut bucket = self.bucket.lock();
        let now = Instant::now();
        let gone = now.duration_since(bucket.at).as_secs_f64() / 60.0;
        bucket.at = now;
        // the others have a quiet life: what they use comes first
        bucket.used = (bucket.used - gone * (self.truth.tpm - self.truth.others)).max(0.0);
        let fits = bucket.used + tokens <= self.truth.tpm;
        if fits {
            bucket.used += tokens;
        }
        fits
    }
}

impl Provider for Aws {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn attempt(self: Arc<Self>, ask: Ask, _: Deadlines) -> BoxFuture<'static, Result<Answer, Failed>> {
        Box::pin(async move {
            ask.sent.store(true, Ordering::Relaxed);
            let text = ask.body.concat();
            let text = String::from_utf8(text).unwrap();
            let mut numbers = text.split_whitespace().map(|n| n.parse::<u64>().unwrap());
            let [prompt, most, writes] = [(); 3].map(|()| numbers.next().unwrap());
            let (reserved, float) = (prompt + most, |n: u64| f64::from(u32::try_from(n).unwrap()));
            self.seen.lock().requests += 1;
            if !self.reserve(float(reserved)) {
                sleep(Duration::from_millis(15)).await;
                self.seen.lock().throttled += 1;
                return Ok(answer(429, AnswerBody::Whole(Content::default(), Metered::default())));
            }
            sleep(Duration::from_millis(300 + writes * 8)).await;
            let used = float(prompt) + float(writes) * self.truth.burndown;
            self.bucket.lock().used += used - float(reserved);
            self.seen.lock().tokens += used;
            let usage = Some(Usage { input: prompt, output: writes, ..Usage::default() });
            let metered = Metered { usage, ..Metered::default() };
            Ok(answer(200, AnswerBody::Whole(Content::from_static(b"{}"), metered)))
        })
    }
}

fn answer(status: u16, body: AnswerBody) -> Answer {
    Answer {
        status,
        headers: Headers::default(),
        request_id: None,
        error: (status != 200).then(|| "ThrottlingException".to_owned()),
        body,
        timings: AttemptTimings::default(),
        dropped: Vec::new(),
    }
}
