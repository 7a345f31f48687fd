//! Calls that come at random, and how they fared.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::Canonical;
use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::pace::Class;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_core::view::{Edits, Stamped, View};
use bedplate_pipeline::{
    Caching, Health, Means, ModelConfig, Native, Pace, PaceConfig, Provider, ProviderFacts, QuotaConfig,
    Refused, RetryConfig, Routes, Single,
};
use bedplate_testkit::MemoryCache;
use tokio::time::Instant;

use super::aws::{Aws, Paused, Seen, Truth, body};
use crate::house::{House, Plain, call};

/// A gateway before an [`Aws`].
pub(super) struct Rig {
    pub(super) house: Arc<House>,
    pub(super) aws: Vec<Arc<Aws>>,
    pub(super) pace: Arc<Pace>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) class: Class,
    pub(super) answered: bool,
    pub(super) code: Option<Code>,
    pub(super) retry: Option<Retry>,
    pub(super) took: Duration,
}

/// Random numbers, the same each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// From 0 to 1.
    pub(super) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }

    pub(super) fn among(&mut self, from: u64, to: u64) -> u64 {
        from + (self.roll() * f64::from(u32::try_from(to - from).unwrap())) as u64
    }
}

impl Rig {
    /// An alias `triage` over one target for each truth; `quota` is what is configured.
    pub(super) fn new(quota: Option<&str>, pace: PaceConfig, truths: &[Truth]) -> Self {
        let quota: Option<QuotaConfig> = quota.map(|quota| toml::from_str(quota).unwrap());
        let clock = Paused::new();
        let facts = |n: usize| ProviderFacts {
            name: format!("p{n}").into(),
            region: "us-east-1".into(),
            account: "".into(),
            stamps: true,
            quota: quota.clone().map(Arc::new),
        };
        let aws: Vec<Arc<Aws>> =
            truths.iter().enumerate().map(|(n, truth)| Aws::new(facts(n), *truth)).collect();
        let mut house = House::over(Arc::clone(&aws[0]) as Arc<dyn Provider>, |_| nothing_kept(&clock));
        let books = Arc::get_mut(&mut house.books).unwrap();
        books.clock = Arc::clone(&clock) as _;
        books.pace = Pace::new(Arc::clone(&clock) as _);
        books.pace.configure(&pace);
        let (health, lanes) = (Health::default(), Arc::clone(&books.pace));
        let providers: Vec<Arc<dyn Provider>> = aws.iter().map(|p| Arc::clone(p) as _).collect();
        let targets: Vec<String> =
            (0..aws.len()).map(|n| format!("'p{n}/us.amazon.nova-lite-v1:0'")).collect();
        let alias = format!("name = 'triage'\nattempts = 2\ntargets = [{}]", targets.join(", "));
        let model: ModelConfig = toml::from_str(&alias).unwrap();
        let pipeline = Arc::get_mut(&mut house.pipeline).unwrap();
        let means = Means {
            providers: &providers,
            timeouts: pipeline.timeouts,
            breaker: Default::default(),
            health: &health,
            pace: &lanes,
            adaptive: pace.adaptive,
        };
        pipeline.routes = Arc::new(Routes::with(RetryConfig::default(), &[model], means).unwrap());
        Self { house: Arc::new(house), aws, pace: lanes }
    }

    /// One call, to its end.
    pub(super) async fn call(&self, class: Class, prompt: u64, most: u64, writes: u64) -> Fate {
        self.ask(class, prompt, Some(most), most, writes).await
    }

    /// The same of one that may not say how long its answer may be: the upstream reserves `most`.
    pub(super) async fn ask(
        &self,
        class: Class,
        prompt: u64,
        says: Option<u64>,
        most: u64,
        writes: u64,
    ) -> Fate {
        let began = Instant::now();
        let mut call = call(Operation::Converse);
        call.name = "triage".into();
        call.tags.class = Some(class);
        call.body = Arc::new(Asking { plain: Plain(body(prompt, most, writes)), most: says });
        let mut record = self.house.open().await.unwrap();
        record.called(Operation::Converse, "triage", &call.tags);
        let (answered, refused) = match self.house.pipeline.run(call, record).await {
            Ok(reply) => (reply.status == 200, None),
            Err(Refused(refused)) => {
                let (refusal, record) = *refused;
                record.refused(&refusal, 429, "ThrottlingException");
                (false, Some((refusal.code, refusal.retry)))
            }
        };
        let (code, retry) = (refused.map(|(code, _)| code), refused.map(|(_, retry)| retry));
        Fate { class, answered, code, retry, took: began.elapsed() }
    }

    /// Calls for so long, so many tokens a minute of the quota as they would settle with a burndown of 1.
    pub(super) async fn load(
        self: &Arc<Self>,
        tpm: f64,
        mix: &[(Class, f64)],
        lasts: Duration,
        seed: u64,
    ) -> (Vec<Fate>, Seen) {
        let mut dice = Dice(seed * 2 + 1);
        let end = Instant::now() + lasts;
        let mut under_way = tokio::task::JoinSet::new();
        // prompts of 400 to 1,600 tokens, answers of 40 to 160, of 300 that they may have
        let each = 1_000.0 + 100.0;
        let gap = 60.0 * each / tpm;
        loop {
            tokio::time::sleep(Duration::from_secs_f64(-gap * (1.0 - dice.roll()).max(1e-9).ln())).await;
            if Instant::now() >= end {
                break;
            }
            let mut at = dice.roll();
            let class = mix.iter().find(|(_, part)| {
                at -= part;
                at <= 0.0
            });
            let class = class.map_or(Class::Interactive, |(class, _)| *class);
            let (prompt, writes) = (dice.among(400, 1_600), dice.among(40, 160));
            let rig = Arc::clone(self);
            under_way.spawn(async move { rig.call(class, prompt, 300, writes).await });
        }
        let seen = self.seen();
        (under_way.join_all().await, seen)
    }

    pub(super) fn seen(&self) -> Seen {
        *self.aws[0].seen.lock()
    }
}

pub(super) fn nothing_kept(clock: &Arc<Paused>) -> Caching {
    let clock: Arc<dyn bedplate_core::clock::Clock> = Arc::clone(clock) as _;
    let single = Single::new(Arc::new(MemoryCache::new(Arc::clone(&clock))));
    bedplate_pipeline::CacheConfig::default().build(&single, &clock)
}

/// A body that says how long its answer may be, or not.
struct Asking {
    plain: Plain,
    most: Option<u64>,
}

impl Native for Asking {
    fn content(&self) -> &Content {
        self.plain.content()
    }

    fn view(&self) -> &dyn View {
        self
    }

    fn sha256(&self, edits: &Edits) -> [u8; 32] {
        self.plain.sha256(edits)
    }

    fn canonical(&self, headers: &Headers) -> Option<Canonical> {
        self.plain.canonical(headers)
    }

    fn fits(&self, model: &str) -> bool {
        self.plain.fits(model)
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        self.plain.answer(text)
    }
}

impl View for Asking {
    fn max_tokens(&self) -> Option<u64> {
        self.most
    }

    fn bound_output(&self, tokens: u64, edits: &mut Edits) -> bool {
        self.plain.bound_output(tokens, edits)
    }

    fn stamp(&self, ours: &[(&str, &str)], reserved: &str, edits: &mut Edits) -> Result<Stamped, Refusal> {
        self.plain.stamp(ours, reserved, edits)
    }
}
