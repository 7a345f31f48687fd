//! What one thread has counted.

use bedplate_core::budget::Blocked;
use bedplate_core::cache::CacheUse;
use bedplate_core::call::Operation;
use bedplate_core::money::Nanos;
use bedplate_core::rate::Throttled;
use bedplate_core::record::{AttemptRow, CallRow, Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_core::route::is_bedrocks;
use bedplate_core::usage::{Unit, Usage, UsageBasis};

use crate::metrics::histogram::{ADDED, Added, CALL, Calls, TOKEN, Tokens};
use crate::metrics::labels::Label;
use crate::metrics::table::Table;

/// The order of `CallCounts::timeouts`.
pub(crate) const PHASES: [&str; 4] = ["connect", "first_token", "idle", "total"];
/// The order of `CallCounts::tokens`.
pub(crate) const KINDS: [&str; 5] = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output"];
const ENDINGS: [Ending; 5] =
    [Ending::Answered, Ending::Refused, Ending::Failed, Ending::Cut, Ending::Abandoned];

/// The bounded values of every label.
pub(crate) struct Labels {
    pub(crate) model: Label,
    pub(crate) team: Label,
    pub(crate) feature: Label,
    pub(crate) provider: Label,
    pub(crate) error: Label,
    pub(crate) budget: Label,
    pub(crate) throttle: Label,
}

/// The counts of one thread. Whoever reads them merges the threads.
pub(crate) struct Shard {
    /// By model, team, feature; the number is [`ending_of`].
    pub(crate) calls: Table<CallCounts>,
    /// By provider, model, error; the number is the status.
    pub(crate) attempts: Table<u64>,
    /// By alias, provider, model.
    pub(crate) targets: Table<TargetCounts>,
    /// By the model that was called; the other names are empty.
    pub(crate) prompts: Table<Expectation>,
    /// In the order of [`Code::ALL`].
    pub(crate) codes: Vec<u64>,
    pub(crate) units: Vec<(Unit, u64)>,
    /// By budget and why; the third name is empty.
    pub(crate) blocked: Table<u64>,
    /// By throttle and kind; the third name is empty.
    pub(crate) throttled: Table<u64>,
    pub(crate) bounded: u64,
    pub(crate) unstamped: u64,
}

/// Prompt tokens, of requests that were both expected and told.
#[derive(Clone, Copy, Default)]
pub(crate) struct Expectation {
    pub(crate) expected: u64,
    pub(crate) told: u64,
    /// The distance, request by request.
    pub(crate) missed: u64,
}

/// Requests to one target.
#[derive(Default)]
pub(crate) struct TargetCounts {
    pub(crate) duration: Calls,
    pub(crate) first_token: Calls,
    pub(crate) timeouts: [u64; 4],
}

#[derive(Default)]
pub(crate) struct CallCounts {
    pub(crate) calls: u64,
    pub(crate) duration: Calls,
    pub(crate) first_token: Calls,
    pub(crate) output_token: Tokens,
    pub(crate) overhead: Added,
    pub(crate) timeouts: [u64; 4],
    pub(crate) tokens: [u64; 5],
    pub(crate) cost: Nanos,
    pub(crate) unpriced: u64,
    /// In the order of [`Mark::ALL`].
    pub(crate) cache: [u64; 4],
    /// In the order of [`Degraded::ALL`](bedplate_core::record::Degraded::ALL).
    pub(crate) degraded: [u64; 3],
    pub(crate) avoided: Nanos,
    pub(crate) avoided_tokens: [u64; 5],
}

impl Shard {
    pub(crate) fn new(series: usize) -> Self {
        Self {
            calls: Table::new(series),
            attempts: Table::new(series),
            targets: Table::new(series),
            prompts: Table::new(series),
            codes: vec![0; Code::ALL.len()],
            units: Vec::new(),
            blocked: Table::new(series),
            throttled: Table::new(series),
            bounded: 0,
            unstamped: 0,
        }
    }

    pub(crate) fn count(&mut self, outcome: &Outcome, labels: &Labels) {
        let call = &outcome.call;
        let kept = call.cache.as_ref().is_some_and(|cache| cache.avoided.is_some());
        let reached = kept || !outcome.attempts.is_empty();
        let row = row(&mut self.calls, call, reached, labels);
        row.count(outcome);
        if let Some(code) = call.code {
            self.codes[code as usize] += 1;
        }
        for &(unit, n) in &call.usage.units {
            match self.units.iter_mut().find(|(u, _)| *u == unit) {
                Some((_, sum)) => *sum += n,
                None => self.units.push((unit, n)),
            }
        }
        let said = |attempt: &AttemptRow| attempt.code.and_then(Code::timeout_phase);
        let unsaid = call.code.and_then(Code::timeout_phase);
        // a stream that stopped had begun well: of its end only the call knows
        let unsaid = unsaid.filter(|_| !outcome.attempts.iter().any(|attempt| said(attempt).is_some()));
        for (n, attempt) in outcome.attempts.iter().enumerate() {
            self.attempt(attempt, labels);
            let last = n + 1 == outcome.attempts.len();
            self.target(call, attempt, said(attempt).or(unsaid.filter(|_| last)), labels);
            if attempt.basis == UsageBasis::Reported && attempt.expected > 0 && attempt.usage.prompt() > 0 {
                self.prompt(attempt, labels);
            }
        }
        self.bounded += u64::from(call.bounded.is_some());
        self.unstamped += u64::from(call.unstamped);
        if let Some(blocked) = &call.blocked {
            self.blocked(blocked, labels);
        }
        if let Some(throttled) = &call.throttled {
            self.throttled(throttled, labels);
        }
    }

    fn throttled(&mut self, throttled: &Throttled, labels: &Labels) {
        let throttle = labels.throttle.value(&throttled.throttle, true);
        let kind = throttled.kind.name();
        let at = match self.throttled.find([&throttle, kind, ""], 0) {
            Some(at) => at,
            None => self.throttled.shown([throttle, kind.into(), "".into()], 0, &labels.throttle.other()),
        };
        *self.throttled.at(at) += 1;
    }

    fn blocked(&mut self, blocked: &Blocked, labels: &Labels) {
        let budget = labels.budget.value(&blocked.window.account.budget.0, true);
        let why = blocked.why.name();
        let at = match self.blocked.find([&budget, why, ""], 0) {
            Some(at) => at,
            None => self.blocked.shown([budget, why.into(), "".into()], 0, &labels.budget.other()),
        };
        *self.blocked.at(at) += 1;
    }

    fn prompt(&mut self, attempt: &AttemptRow, labels: &Labels) {
        let model = attempt.model.as_deref().unwrap_or(&attempt.target);
        let at = self.prompts.find([model, "", ""], 0).unwrap_or_else(|| {
            let shown = [labels.model.value(model, true), "".into(), "".into()];
            self.prompts.shown(shown, 0, &labels.model.other())
        });
        let (expected, told) = (attempt.expected, attempt.usage.prompt());
        let sums = self.prompts.at(at);
        sums.expected = sums.expected.saturating_add(expected);
        sums.told = sums.told.saturating_add(told);
        sums.missed = sums.missed.saturating_add(expected.abs_diff(told));
    }

    fn target(&mut self, call: &CallRow, attempt: &AttemptRow, phase: Option<&str>, labels: &Labels) {
        if attempt.status != 200 && phase.is_none() {
            return;
        }
        let alias = if is_bedrocks(&call.model) { "" } else { &*call.model };
        let names = [alias, &*attempt.provider, &*attempt.target];
        let at = self.targets.find(names, 0).unwrap_or_else(|| {
            let shown = [
                labels.model.value(names[0], true),
                labels.provider.value(names[1], true),
                labels.model.value(names[2], true),
            ];
            self.targets.shown(shown, 0, &labels.model.other())
        });
        let counts = self.targets.at(at);
        if let Some(at) = PHASES.iter().position(|of| Some(*of) == phase) {
            counts.timeouts[at] += 1;
            return;
        }
        counts.duration.observe(&CALL, attempt.timings.total);
        if let Some(first) = attempt.timings.first_token {
            counts.first_token.observe(&CALL, first);
        }
    }

    fn attempt(&mut self, attempt: &AttemptRow, labels: &Labels) {
        let mut code = [0; 6];
        let error = match (&attempt.error, attempt.code) {
            (Some(error), _) => error.as_str(),
            (None, Some(c)) => code_text(c, &mut code),
            (None, None) => "none",
        };
        let names = [&*attempt.provider, &*attempt.target, error];
        let status = u32::from(attempt.status);
        if let Some(at) = self.attempts.find(names, status) {
            *self.attempts.at(at) += 1;
            return;
        }
        let shown = [
            labels.provider.value(names[0], true),
            labels.model.value(names[1], true),
            labels.error.value(names[2], true),
        ];
        let at = self.attempts.shown(shown, status, &labels.error.other());
        *self.attempts.at(at) += 1;
    }
}

/// The counts of a call's names. A model that no upstream was asked for earns no label: callers
/// without a key could fill the registry with names that they make up.
fn row<'a>(
    table: &'a mut Table<CallCounts>,
    call: &CallRow,
    reached: bool,
    labels: &Labels,
) -> &'a mut CallCounts {
    let names = [&*call.model, &*call.team, &*call.feature];
    let number = ending_number(call.operation, call.ending);
    if let Some(at) = table.find(names, number) {
        return table.at(at);
    }
    let shown = [
        labels.model.value(names[0], reached),
        labels.team.value(names[1], true),
        labels.feature.value(names[2], true),
    ];
    let at = table.shown(shown, number, &labels.model.other());
    table.at(at)
}

impl CallCounts {
    fn count(&mut self, outcome: &Outcome) {
        let call = &outcome.call;
        self.calls += 1;
        self.overhead.observe(&ADDED, call.timings.overhead);
        if !outcome.attempts.is_empty() {
            self.duration.observe(&CALL, call.timings.total);
        }
        if let Some(first) = call.timings.first_token {
            self.first_token.observe(&CALL, first);
            if call.usage.output > 1 && call.ending == Ending::Answered {
                let rest = call.timings.total.saturating_sub(first);
                self.output_token.observe(&TOKEN, rest / (call.usage.output - 1));
            }
        }
        self.timeouts(outcome);
        for (sum, n) in self.tokens.iter_mut().zip(tokens(&call.usage)) {
            *sum += n;
        }
        self.cost = self.cost.saturating_add(call.cost.priced());
        self.unpriced += u64::from(!call.cost.is_known());
        if let Some(by) = call.degraded {
            self.degraded[by as usize] += 1;
        }
        if let Some(cache) = &call.cache {
            self.cached(cache);
        }
    }

    fn cached(&mut self, cache: &CacheUse) {
        self.cache[cache.mark as usize] += 1;
        if let Some(avoided) = &cache.avoided {
            self.avoided = self.avoided.saturating_add(avoided.cost.priced());
            for (sum, n) in self.avoided_tokens.iter_mut().zip(tokens(&avoided.usage)) {
                *sum += n;
            }
        }
    }

    /// Each attempt that ran out of time, and the call that did so outside of any.
    fn timeouts(&mut self, outcome: &Outcome) {
        let mut of_attempts = outcome.attempts.iter().filter_map(|a| a.code?.timeout_phase()).peekable();
        if of_attempts.peek().is_none()
            && let Some(phase) = outcome.call.code.and_then(Code::timeout_phase)
        {
            self.timeout(phase);
        }
        of_attempts.for_each(|phase| self.timeout(phase));
    }

    fn timeout(&mut self, phase: &str) {
        if let Some(at) = PHASES.iter().position(|p| *p == phase) {
            self.timeouts[at] += 1;
        }
    }
}

/// In the order of [`KINDS`].
fn tokens(usage: &Usage) -> [u64; 5] {
    [usage.input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output]
}

/// An operation and an ending as one number.
fn ending_number(operation: Option<Operation>, ending: Ending) -> u32 {
    let operation = operation.map_or(Operation::ALL.len(), |op| op as usize);
    let number = operation * ENDINGS.len() + ending as usize;
    u32::try_from(number).unwrap_or(0)
}

/// The names of what [`ending_number`] made.
pub(crate) fn ending_of(number: u32) -> (&'static str, &'static str) {
    let number = number as usize;
    let operation = Operation::ALL.get(number / ENDINGS.len()).map_or("none", |op| op.name());
    (operation, ENDINGS[number % ENDINGS.len()].name())
}

/// `BP4001`, without allocating.
fn code_text(code: Code, out: &mut [u8; 6]) -> &str {
    let n = code.number();
    *out = *b"BP0000";
    for (i, scale) in [1_000, 100, 10, 1].into_iter().enumerate() {
        out[2 + i] = b'0' + u8::try_from(n / scale % 10).unwrap_or(0);
    }
    std::str::from_utf8(out).unwrap_or("BP")
}
