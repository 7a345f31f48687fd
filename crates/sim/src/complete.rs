//! One completion: quota, cache, guardrail, answer, usage. The same for every body form.

use bedplate_core::clock::Tick;
use serde_json::{Map, Value, json};

use crate::answer::signature;
use crate::answer::traits::{Traits, traits};
use crate::answer::{Answer, Block, Stop, answer};
use crate::cache::{Split, min_tokens};
use crate::catalogue::Target;
use crate::config::FaultKind;
use crate::errors::AwsError;
use crate::fault::Fault;
use crate::guardrails::{Guardrail, Side};
use crate::latency::Pace;
use crate::prompt::{Piece, Prompt, Role};
use crate::quota::Reservation;
use crate::state::State;
use crate::tokens;

/// A finished answer with all that its body and headers tell.
pub(crate) struct Completion {
    pub(crate) answer: Answer,
    pub(crate) split: Split,
    pub(crate) output: u64,
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
    /// The foundation model's id.
    pub(crate) model: String,
    pub(crate) guardrail_trace: Option<Value>,
    /// Whether a guardrail blocked or masked; none without a guardrail.
    pub(crate) guardrail_acted: Option<bool>,
    pub(crate) held: Option<Reservation>,
    /// Time from arrival until the model was started.
    before_ms: u64,
}

impl Completion {
    /// From arrival to the last token, by plan; at least one.
    pub(crate) fn latency_ms(&self) -> u64 {
        let took = self.pace.first + self.pace.tokens(self.output);
        (self.before_ms + millis(took)).max(1)
    }

    /// From arrival to the first token; at least one.
    pub(crate) fn first_ms(&self) -> u64 {
        (self.before_ms + millis(self.pace.first)).max(1)
    }
}

/// Runs `prompt` on `target`.
pub(crate) fn complete(
    state: &State,
    target: &Target,
    mut prompt: Prompt,
    guardrail: Option<&Guardrail<'_>>,
    fault: Option<&Fault>,
    arrived: Tick,
) -> Result<Completion, AwsError> {
    let seed = prompt.seed(state.config.seed, target.base());
    let traits = traits(&state.config, target.base(), &target.model.id);
    let mut trace = Map::new();
    let mut acted = guardrail.map(|_| false);
    let mut blocked = None;
    if let Some(rail) = guardrail {
        let found = guard_input(rail, &mut prompt, &mut trace);
        acted = Some(found.is_some() || trace.contains_key("actionReason"));
        blocked = found;
    }
    let (answer, split, held) = match blocked {
        Some(text) => (blocked_answer(text), Split::default(), None),
        None => run(state, target, &prompt, &traits, fault, seed)?,
    };
    let mut answer = answer;
    if let Some(rail) = guardrail
        && answer.stop != Stop::Guardrail
    {
        let out = guard_output(rail, &mut answer, &mut trace);
        acted = Some(out || acted == Some(true));
    }
    // a blocked input never reached the model
    let output =
        if split == Split::default() && answer.stop == Stop::Guardrail { 0 } else { answer.tokens() };
    let mut held = held;
    if let Some(held) = &mut held {
        held.settle_at(split.input + split.write() + output * traits.burndown);
    }
    Ok(Completion {
        answer,
        split,
        output,
        pace: Pace::of(&state.config, &traits, seed),
        seed,
        model: target.base().to_string(),
        guardrail_trace: (!trace.is_empty()).then_some(Value::Object(trace)),
        guardrail_acted: acted,
        held,
        before_ms: millis(state.clock.tick().since(arrived)),
    })
}

fn run(
    state: &State,
    target: &Target,
    prompt: &Prompt,
    traits: &Traits,
    fault: Option<&Fault>,
    seed: u64,
) -> Result<(Answer, Split, Option<Reservation>), AwsError> {
    let size = tokens::prompt(prompt);
    if target.model.context_window.is_some_and(|most| size > most) {
        return Err(AwsError::validation("Input is too long for requested model."));
    }
    let most = prompt.max_tokens.unwrap_or_else(|| target.max_output());
    let key = format!("{}/{}", target.region, target.model.id);
    let held = state.quotas.reserve(key.clone(), traits.limits(), size + most)?;
    let least = traits.cache_min_tokens.unwrap_or_else(|| min_tokens(target));
    let split = state.cache.meet(prompt, &key, least, state.clock.now());
    let mut answer = answer(prompt, traits.error_rate, most, seed);
    signature::sign(&mut answer, &target.model.provider);
    if fault.is_some_and(|f| f.kind == FaultKind::MalformedJson) {
        spoil(&mut answer);
    }
    Ok((answer, split, held))
}

/// Breaks the JSON of an answer; other text loses its last third.
fn spoil(answer: &mut Answer) {
    for block in &mut answer.blocks {
        if let Block::Text(text) = block {
            let keep = text.chars().count() * 2 / 3;
            *text = text.chars().take(keep).collect();
        }
    }
}

fn blocked_answer(text: String) -> Answer {
    Answer { blocks: vec![Block::Text(text)], stop: Stop::Guardrail, stop_sequence: None }
}

/// Checks what the user wrote (only guarded parts when there are any), masks it in place; the text to
/// answer with when it is blocked.
fn guard_input(rail: &Guardrail<'_>, prompt: &mut Prompt, trace: &mut Map<String, Value>) -> Option<String> {
    let marked = prompt.system.iter().chain(prompt.turns.iter().flat_map(|t| &t.pieces));
    let only_marked = marked.clone().any(|p| matches!(p, Piece::Guarded(_)));
    let said = prompt.turns.iter_mut().filter(|t| t.role != Role::System).flat_map(|t| &mut t.pieces);
    let mut texts: Vec<&mut String> = said
        .chain(prompt.system.iter_mut().filter(|_| only_marked))
        .filter_map(|p| match p {
            Piece::Guarded(t) => Some(t),
            Piece::Text(t) if !only_marked => Some(t),
            _ => None,
        })
        .collect();
    let plain: Vec<String> = texts.iter().map(|t| (**t).clone()).collect();
    let found = rail.assess(&plain, Side::Input);
    trace.insert("inputAssessment".into(), json!({ rail.id(): found.assessment }));
    if found.blocked || found.masked {
        trace.insert("actionReason".into(), json!(found.reason));
    }
    if found.blocked {
        return found.outputs.into_iter().next();
    }
    for (text, masked) in texts.iter_mut().zip(found.outputs) {
        **text = masked;
    }
    None
}

/// Checks what the model wrote; whether anything was blocked or masked.
fn guard_output(rail: &Guardrail<'_>, answer: &mut Answer, trace: &mut Map<String, Value>) -> bool {
    let plain: Vec<String> = answer
        .blocks
        .iter()
        .filter_map(|b| if let Block::Text(t) = b { Some(t.clone()) } else { None })
        .collect();
    let found = rail.assess(&plain, Side::Output);
    trace.insert("outputAssessments".into(), json!({ rail.id(): [found.assessment] }));
    trace.insert("modelOutput".into(), json!(plain));
    if !found.blocked && !found.masked {
        return false;
    }
    trace.insert("actionReason".into(), json!(found.reason));
    answer.stop = Stop::Guardrail;
    if found.blocked {
        answer.blocks = found.outputs.into_iter().map(Block::Text).collect();
        return true;
    }
    let mut masked = found.outputs.into_iter();
    for block in &mut answer.blocks {
        if let Block::Text(text) = block
            && let Some(new) = masked.next()
        {
            *text = new;
        }
    }
    true
}

fn millis(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
