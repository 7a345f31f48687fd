//! Reading `additionalModelRequestFields`: what the models have of their own, in the words of each.

use bedplate_core::conversation::{Conversation, Json, Member, Text, Thinking};
use serde_json::value::RawValue;

use crate::json::object::{Bad, List, object, read};

object!(FieldsBody {
    // Claude
    "thinking" => thinking: &'a RawValue,
    "anthropic_beta" => betas: &'a RawValue,
    // most
    "top_k" => top_k: &'a RawValue,
    "topK" => top_k_too: &'a RawValue,
    // gpt-oss
    "reasoning_effort" => effort: &'a RawValue,
    // GPT
    "reasoning" => reasoning: &'a RawValue,
    // Nova
    "inferenceConfig" => inference: &'a RawValue,
    "reasoningConfig" => reasoning_nova: &'a RawValue,
});
object!(ThinkingBody { "type" => kind: Text<'a>, "budget_tokens" => budget: u64 });
object!(ReasoningBody { "effort" => effort: Text<'a> });
object!(InferenceBody { "topK" => top_k: &'a RawValue });
object!(NovaBody { "type" => kind: Text<'a>, "maxReasoningEffort" => effort: Text<'a> });

/// Takes what the normal form models into its members. Everything else stays a field as it stood, also what has one of
/// these names and another form than is known of it: the model will say what it thinks of that.
///
/// # Errors
/// When they are no object, or name a member twice.
pub(crate) fn fields<'a>(value: &'a str, c: &mut Conversation<'a>) -> Result<(), Bad> {
    let body: FieldsBody<'a> = read(value)?;
    let mut left = Vec::new();
    let mut each = |name: &'static str, value: Option<&'a RawValue>, take: Take<'a>| {
        if let Some(raw) = value.map(RawValue::get)
            && take(raw, c).is_none()
        {
            left.push(Member { name: name.into(), value: Json::from_raw(raw) });
        }
    };
    each("thinking", body.thinking, thinking);
    each("anthropic_beta", body.betas, betas);
    each("top_k", body.top_k, top_k);
    each("topK", body.top_k_too, top_k);
    each("reasoning_effort", body.effort, |raw, c| effort(read(raw).ok()?, c));
    each("reasoning", body.reasoning, reasoning);
    each("inferenceConfig", body.inference, inference);
    each("reasoningConfig", body.reasoning_nova, reasoning_nova);
    c.fields.extend(left);
    c.fields.extend(body.rest);
    Ok(())
}

/// Takes a field over; `None` when it has not the form that is known of it, or another said the same already.
type Take<'a> = fn(&'a str, &mut Conversation<'a>) -> Option<()>;

fn thinking<'a>(raw: &'a str, c: &mut Conversation<'a>) -> Option<()> {
    let body: ThinkingBody<'a> = read(raw).ok()?;
    let kind = body.kind.filter(|_| body.rest.is_empty())?;
    c.thinking = Some(match body.budget {
        budget if kind.is("enabled") => Thinking::On { budget },
        None if kind.is("adaptive") => Thinking::Adaptive,
        None if kind.is("disabled") => Thinking::Off,
        _ => return None,
    });
    Some(())
}

fn betas<'a>(raw: &'a str, c: &mut Conversation<'a>) -> Option<()> {
    c.betas = read::<List<Text<'a>>>(raw).ok()?.0;
    Some(())
}

/// A number; the first of them.
pub(crate) fn top_k<'a>(raw: &'a str, c: &mut Conversation<'a>) -> Option<()> {
    let known = raw.starts_with(|first: char| first.is_ascii_digit()) && c.sampling.top_k.is_none();
    c.sampling.top_k = Some(Json::from_raw(raw)).filter(|_| known).or(c.sampling.top_k.take());
    known.then_some(())
}

fn effort<'a>(said: Text<'a>, c: &mut Conversation<'a>) -> Option<()> {
    if c.effort.is_some() {
        return None;
    }
    c.effort = Some(said);
    Some(())
}

fn reasoning<'a>(raw: &'a str, c: &mut Conversation<'a>) -> Option<()> {
    let body: ReasoningBody<'a> = read(raw).ok()?;
    effort(body.effort.filter(|_| body.rest.is_empty())?, c)
}

fn inference<'a>(raw: &'a str, c: &mut Conversation<'a>) -> Option<()> {
    let body: InferenceBody<'a> = read(raw).ok()?;
    top_k(body.top_k.filter(|_| body.rest.is_empty())?.get(), c)
}

/// Nova's `reasoningConfig`.
pub(crate) fn reasoning_nova<'a>(raw: &'a str, c: &mut Conversation<'a>) -> Option<()> {
    let body: NovaBody<'a> = read(raw).ok()?;
    let kind = body.kind.filter(|_| body.rest.is_empty() && c.thinking.is_none())?;
    let thinking = match body.effort {
        None if kind.is("disabled") => Thinking::Off,
        None if kind.is("enabled") => Thinking::On { budget: None },
        Some(said) if kind.is("enabled") => {
            effort(said, c)?;
            Thinking::On { budget: None }
        }
        _ => return None,
    };
    c.thinking = Some(thinking);
    Some(())
}
