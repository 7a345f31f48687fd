//! Whole answers.

use std::borrow::Cow;

use bedplate_core::conversation::{Answer, Choice, Json, Rest, Text};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::blocks::blocks;
use super::ids::Ids;
use super::known::must;
use super::request::{MessageBody, TierBody};
use super::write::write_blocks;
use super::{stop, usage};
use crate::bedrock::usage::counted;
use crate::json::object::{Bad, object, read};
use crate::json::one::{One, text};
use crate::json::pick;
use crate::json::write::{self, Object};

object!(AnswerBody {
    "output" => output: One<'a>,
    "stopReason" => stop: Text<'a>,
    "usage" => usage: &'a RawValue,
    "metrics" => metrics: MetricsBody<'a>,
    "additionalModelResponseFields" => fields: Json<'a>,
    "trace" => trace: &'a RawValue,
    "serviceTier" => tier: TierBody<'a>,
});
object!(MetricsBody { "latencyMs" => latency_ms: u64 });

/// # Errors
/// When there is no message in it.
pub(super) fn read_answer(body: &str) -> Result<Answer<'_>, Bad> {
    let body: AnswerBody<'_> = read(body)?;
    let output = must(body.output, "output")?;
    let trace = body.trace.map(RawValue::get);
    Ok(Answer {
        id: None,
        model: trace.and_then(routed),
        created: None,
        choices: vec![choice(Form::Converse, &output, body.stop.as_ref())?],
        // numbers that cannot be are told to no one; the meter knows of them
        usage: body.usage.and_then(|usage| counted(usage.get(), false)).unwrap_or_default(),
        latency_ms: body.metrics.and_then(|metrics| metrics.latency_ms),
        tier: body.tier.and_then(|tier| tier.kind).map(|kind| Cow::Owned(kind.decode().into_owned())),
        trace: trace.map(Json::from_raw),
        fields: body.fields,
        rest: Rest::of(Form::Converse, body.rest),
    })
}

/// Reads `output` and `stopReason`.
///
/// # Errors
/// When there is no message in it.
pub(crate) fn choice<'a>(form: Form, output: &One<'a>, said: Option<&Text<'a>>) -> Result<Choice<'a>, Bad> {
    if output.name != "message" {
        return Err(Bad::value("output", "it is no message"));
    }
    let message: MessageBody<'a> = read(output.value).map_err(|bad| bad.within("output.message"))?;
    let content = message.content.unwrap_or_default().0;
    Ok(Choice {
        content: blocks(form, &content).map_err(|bad| bad.within("output.message.content"))?,
        stop: stop::read(must(said, "stopReason")?),
        stopped_by: None,
        logprobs: None,
    })
}

pub(super) fn write_answer(answer: &Answer<'_>, out: &mut String) {
    let mut o = write::object(out);
    output(Form::Converse, answer, &mut o);
    usage::usage(&answer.usage, &mut o.object("usage"));
    o.object("metrics").number("latencyMs", answer.latency_ms.unwrap_or(0));
    o.maybe_json("additionalModelResponseFields", answer.fields.as_ref());
    o.maybe_json("trace", answer.trace.as_ref());
    if let Some(tier) = &answer.tier {
        o.object("serviceTier").string("type", tier);
    }
    for member in answer.rest.to(Form::Converse) {
        o.member(member);
    }
}

/// Writes `output` and `stopReason`: of several answers the first.
pub(crate) fn output(form: Form, answer: &Answer<'_>, o: &mut Object<'_>) {
    let choice = answer.choices.first();
    {
        let mut output = o.object("output");
        let mut message = output.object("message");
        message.raw("role", "\"assistant\"");
        let mut content = message.list("content");
        if let Some(choice) = choice {
            write_blocks(form, &choice.content, &mut Ids::default(), &mut content);
        }
    }
    o.string("stopReason", choice.map_or("end_turn", |choice| stop::word(&choice.stop)));
}

/// The model that a prompt router chose.
fn routed(trace: &str) -> Option<Text<'_>> {
    let router = pick(trace, &["promptRouter"]).ok()?.text(0)?;
    text(pick(router, &["invokedModelId"]).ok()?.text(0)?).ok()
}
