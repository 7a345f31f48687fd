//! How much callers may ask at a time.
//!
//! A call is decided once, after the cache was looked at and before anything is held or sent: it takes a request from
//! every count that concerns it, and where a model will be asked the tokens that it may use; from all of them, or from
//! none. Its record settles the tokens to what was used, whatever becomes of the call.

mod away;
pub(crate) mod config;
mod slots;
mod stands;
mod toll;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::rate::{CountId, Draw, Kind, Origin, Rates, Short, Taken, Taking, Throttled};
use bedplate_core::refusal::{Code, Refusal, Retry};

use crate::compose::Composed;
use crate::reserve::{USUAL, most_prompt, who};
use crate::scoped::ByScope;
use crate::settle::record::Record;
pub use away::TurnedAway;
use config::Throttle;
pub use toll::Rated;
pub(crate) use toll::{Toll, counted};

/// The throttles of one configuration. What was counted outlives them.
#[derive(Default)]
pub struct Throttles {
    throttles: ByScope<Throttle>,
    rates: Option<Arc<dyn Rates>>,
    turned_away: Arc<TurnedAway>,
}

/// SDKs wait this long at most before they try again.
const LONGEST: Duration = Duration::from_secs(60);

impl Throttles {
    pub fn new(throttles: Vec<Throttle>, rates: Arc<dyn Rates>) -> Self {
        let mut by_scope = ByScope::default();
        for throttle in throttles {
            let scope = throttle.scope.clone();
            by_scope.add(&scope, throttle);
        }
        Self { throttles: by_scope, rates: Some(rates), turned_away: Arc::default() }
    }

    /// The same, which goes on counting what was refused under other configurations.
    #[must_use]
    pub fn counting_on(self, turned_away: Arc<TurnedAway>) -> Self {
        Self { turned_away, ..self }
    }

    /// Takes what the call may use; of one that a kept answer is given to (`kept`) the request alone.
    ///
    /// # Errors
    /// `BP1501` to `BP1503`: nothing was taken. The record says which throttle refused.
    pub(crate) async fn take(
        &self,
        composed: &Composed,
        kept: bool,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        if self.throttles.is_empty() {
            return Ok(());
        }
        let Some(rates) = &self.rates else { return Ok(()) };
        let lines = self.lines(composed, kept, record);
        if lines.draws.is_empty() {
            return Ok(());
        }
        let taken = match rates.take(&lines.draws) {
            Taking::Now(taken) => taken,
            Taking::Asked(asked) => {
                let began = record.tick();
                let taken = asked.await;
                record.notes_mut().waited(began);
                taken
            }
        };
        record.rated(Rated::of(&taken, lines.draws.iter().map(|draw| &draw.count.kind)));
        match taken.short {
            Some(short) => {
                if let Some(draw) = lines.draws.get(short.at) {
                    self.turned_away.count(&draw.count, short.retry == Retry::Never);
                }
                Err(lines.refuse(short, &taken, record))
            }
            None => {
                record.tolls(lines.toll(rates, taken.from));
                Ok(())
            }
        }
    }

    fn lines(&self, composed: &Composed, kept: bool, record: &Record) -> Lines<'_> {
        let who = who(composed);
        let mut lines = Lines { draws: Vec::new(), throttles: Vec::new(), tokens: None };
        let asks = !kept && composed.admitted.call.operation.metered();
        self.throttles.each(&who, |throttle| {
            let Some(of) = throttle.scope.of(&who) else { return };
            if let Some(tpm) = throttle.tpm.filter(|_| asks) {
                let tokens = *lines.tokens.get_or_insert_with(|| expected(composed, record));
                lines.add(throttle, Arc::clone(&of), Kind::Tokens, tpm, tokens);
            }
            if let Some(rpm) = throttle.rpm {
                lines.add(throttle, of, Kind::Requests, rpm, 1);
            }
        });
        lines
    }
}

/// What a call takes, and by which throttles.
struct Lines<'a> {
    draws: Vec<Draw>,
    throttles: Vec<&'a Throttle>,
    /// What the call may use; `None` when no throttle counts tokens.
    tokens: Option<u64>,
}

impl<'a> Lines<'a> {
    fn add(&mut self, throttle: &'a Throttle, of: Arc<str>, kind: Kind, limit: u64, amount: u64) {
        let count = CountId { throttle: Arc::clone(&throttle.counted), of, kind };
        self.draws.push(Draw { count, limit, amount });
        self.throttles.push(throttle);
    }

    fn toll(self, rates: &Arc<dyn Rates>, from: Origin) -> Option<Toll> {
        let taken = self.tokens?;
        let tokens = self.draws.into_iter().filter(|draw| draw.count.kind == Kind::Tokens);
        let counts = tokens.map(|draw| (draw.count, draw.limit)).collect();
        Some(Toll { rates: Arc::clone(rates), from, counts, taken })
    }

    fn refuse(&self, short: Short, taken: &Taken, record: &mut Record) -> Refusal {
        let found = (self.draws.get(short.at), self.throttles.get(short.at), taken.levels.get(short.at));
        let (Some(draw), Some(throttle), Some(level)) = found else {
            return Refusal::of(Code::Bug).because("a count that nobody asked for has no room");
        };
        let (kind, need, name) = (draw.count.kind, draw.amount, &throttle.name);
        let wait = match short.retry {
            Retry::After(wait) => Some(wait),
            Retry::Never | Retry::Elsewhere => None,
        };
        record.throttled(Throttled {
            throttle: Arc::clone(name),
            of: Arc::clone(&draw.count.of),
            kind,
            limit: level.limit,
            need,
            remaining: level.remaining,
            wait_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            alone: taken.from == Origin::Alone,
        });
        let limit = level.limit;
        let (code, said) = match (wait, kind) {
            (None, _) => (
                Code::RateTooLow,
                format!(
                    "this call may use {need} {kind}, more than the throttle `{name}` allows a minute: {limit}"
                ),
            ),
            (Some(_), Kind::Requests) => {
                (Code::RateExceeded, format!("the throttle `{name}` allows {limit} requests a minute"))
            }
            (Some(_), Kind::Tokens) => (
                Code::TokenRateExceeded,
                format!("the throttle `{name}` allows {limit} tokens a minute, and this call may use {need}"),
            ),
        };
        let retry = wait.map_or(Retry::Never, |wait| Retry::After(wait.min(LONGEST)));
        Refusal::new(code, said).retry(retry)
    }
}

/// Tokens that a call may use: its prompt, as far as such prompts are known, and the longest answer it asks for.
fn expected(composed: &Composed, record: &Record) -> u64 {
    let body = &composed.admitted.call.body;
    let view = body.view();
    let bytes = body.content().len() as u64;
    let prompt = record.books().estimates.of(&composed.aim.model, bytes).tokens;
    // a guess beyond what can be would never fit, and nothing would be learned of calls that are refused
    let most = most_prompt(view.attached(), bytes, None).unwrap_or(u64::MAX);
    let answers = view.max_tokens().unwrap_or(USUAL).saturating_mul(view.answers());
    prompt.min(most).saturating_add(answers)
}
