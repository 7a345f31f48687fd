//! Everything of a request but messages and tools.

use std::fmt;

use bedplate_core::conversation::{Conversation, Json, Output, Text, Thinking};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Request, Unknown};
use crate::chat::tier;
use crate::json::object::{Bad, List, object, read, within};

object!(StreamOptions { "include_usage" => include_usage: bool });
object!(Format { "type" => kind: Text<'a>, "json_schema" => schema: Schema<'a> });
object!(Schema {
    "name" => name: Text<'a>,
    "description" => description: Text<'a>,
    "schema" => schema: Json<'a>,
    "strict" => strict: bool,
});
// as LiteLLM's users say it
object!(Wish { "type" => kind: Text<'a>, "budget_tokens" => budget: u64 });

pub(super) fn read_all<'a>(
    r: Request<'a>,
    c: &mut Conversation<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    if r.stream_options.is_some() && r.stream != Some(true) {
        return Err(Bad::value("stream_options", "it is for streams: `stream` must be true"));
    }
    c.max_tokens = max_tokens(r.max_tokens, r.max_completion_tokens)?;
    let s = &mut c.sampling;
    s.temperature = number("temperature", r.temperature, 0.0..=2.0)?;
    s.top_p = number("top_p", r.top_p, 0.0..=1.0)?;
    s.top_k = whole("top_k", r.top_k)?;
    s.frequency_penalty = number("frequency_penalty", r.frequency_penalty, -2.0..=2.0)?;
    s.presence_penalty = number("presence_penalty", r.presence_penalty, -2.0..=2.0)?;
    s.seed = whole("seed", r.seed)?;
    s.logit_bias = match r.logit_bias.map(RawValue::get) {
        Some(raw) if raw.starts_with('{') => Some(Json::from_raw(raw)),
        Some(_) => return Err(Bad::value("logit_bias", "expected an object")),
        None => None,
    };
    s.logprobs = match (r.logprobs, r.top_logprobs) {
        (Some(true), top) => Some(top.unwrap_or(0)),
        (_, Some(1..)) => return Err(Bad::value("top_logprobs", "`logprobs` must be true")),
        (_, _) => None,
    };
    c.stop = stop(r.stop)?;
    c.answers = match r.n {
        Some(0) => return Err(Bad::value("n", "expected 1 or more")),
        n => n.unwrap_or(0),
    };
    c.output = r.response_format.map(output).transpose().map_err(|e| e.within("response_format"))?.flatten();
    c.effort = r.reasoning_effort;
    c.thinking = r.thinking.map(thinking).transpose()?;
    c.service.tier = match r.service_tier {
        Some(tier) => tier::read(&tier.decode()).map_err(|why| Bad::value("service_tier", why))?,
        None => None,
    };
    c.metadata = r.metadata.unwrap_or_default().0;
    c.user = r.user;
    if let Some(id) = r.safety_identifier {
        match c.user {
            None => c.user = Some(id),
            Some(_) => unknown.keep("safety_identifier", id.into()),
        }
    }
    Ok(())
}

fn max_tokens(old: Option<u64>, new: Option<u64>) -> Result<Option<u64>, Bad> {
    if let (Some(old), Some(new)) = (old, new)
        && old != new
    {
        return Err(Bad::value(
            "max_completion_tokens",
            "`max_tokens` says another number: send one of them",
        ));
    }
    match (old, new) {
        (Some(0), _) => Err(Bad::value("max_tokens", "expected 1 or more")),
        (_, Some(0)) => Err(Bad::value("max_completion_tokens", "expected 1 or more")),
        (old, new) => Ok(new.or(old)),
    }
}

fn number<'a>(
    at: &str,
    json: Option<Json<'a>>,
    range: std::ops::RangeInclusive<f64>,
) -> Result<Option<Json<'a>>, Bad> {
    match json {
        Some(json) if !is_number(&json) => Err(Bad::value(at, "expected a number")),
        Some(json) if json.number().is_some_and(|n| !range.contains(&n)) => {
            let why = format!("expected a number from {} to {}", range.start(), range.end());
            Err(Bad::value(at, why))
        }
        json => Ok(json),
    }
}

fn whole<'a>(at: &str, json: Option<Json<'a>>) -> Result<Option<Json<'a>>, Bad> {
    match &json {
        Some(json) if json.raw().parse::<i64>().is_err() => Err(Bad::value(at, "expected a whole number")),
        _ => Ok(json),
    }
}

/// A value that is no string, list, object, truth or null: JSON has nothing else.
fn is_number(json: &Json<'_>) -> bool {
    json.raw().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn stop(raw: Option<&RawValue>) -> Result<Vec<Text<'_>>, Bad> {
    match raw.map(RawValue::get) {
        None => Ok(Vec::new()),
        Some(raw) if raw.starts_with('"') => Ok(vec![Text::from_raw(raw)]),
        Some(raw) if raw.starts_with('[') => {
            let list: List<Text<'_>> = read(raw).map_err(|e| e.within("stop"))?;
            Ok(list.0)
        }
        Some(_) => Err(Bad::value("stop", "expected a string or a list of strings")),
    }
}

fn output(format: Format<'_>) -> Result<Option<Output<'_>>, Bad> {
    match format.kind.as_ref().map(Text::decode).as_deref() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Output::Json)),
        Some("json_schema") => {
            let Some(Schema { name, description, schema, strict, .. }) = format.schema else {
                return Err(Bad::value("json_schema", "it must be there"));
            };
            let schema = schema.filter(|schema| schema.raw().starts_with('{'));
            let schema =
                schema.ok_or_else(|| Bad::value("json_schema.schema", "expected a schema: an object"))?;
            Ok(Some(Output::Schema { name, description, schema, strict }))
        }
        Some(_) => Err(Bad::value("type", "expected `text`, `json_object` or `json_schema`")),
        None => Err(Bad::value("type", "it must be there")),
    }
}

fn thinking(wish: Wish<'_>) -> Result<Thinking, Bad> {
    match wish.kind.as_ref().map(Text::decode).as_deref() {
        Some("enabled") => Ok(Thinking::On { budget: wish.budget }),
        Some("adaptive") => Ok(Thinking::Adaptive),
        Some("disabled") => Ok(Thinking::Off),
        _ => Err(Bad::value("thinking.type", "expected `enabled`, `adaptive` or `disabled`")),
    }
}

/// The members of an object of strings.
#[derive(Default)]
pub(in crate::chat) struct Pairs<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    let value =
                        map.next_value().map_err(|e| within(format_args!("{}", name.decode()), &e))?;
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }

        d.deserialize_map(Reader)
    }
}
