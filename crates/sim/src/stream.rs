//! Event streams: events, their frames, their pace, and the faults that spoil them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::body::{Body, Step};
use crate::config::FaultKind;
use crate::errors::AwsError;
use crate::fault::Fault;
use crate::latency::Pace;
use crate::seed::{LOWER, Rng};

/// One event before it is framed.
pub(crate) struct Event {
    name: &'static str,
    payload: Value,
    /// Output tokens that it took to make.
    tokens: u64,
}

impl Event {
    pub(crate) fn new(name: &'static str, payload: Value) -> Self {
        Self { name, payload, tokens: 0 }
    }

    pub(crate) fn paced(name: &'static str, payload: Value, tokens: u64) -> Self {
        Self { name, payload, tokens }
    }
}

/// A text in pieces of one to four words, with the tokens of each; together they are the text.
pub(crate) fn pieces(text: &str, seed: u64) -> Vec<(String, u64)> {
    let mut rng = Rng::new(seed ^ 0x9a7c);
    let mut out: Vec<String> = Vec::new();
    let mut left = 0;
    for word in text.split_inclusive(' ') {
        if left == 0 {
            out.push(String::new());
            left = 1 + rng.below(4);
        }
        if let Some(last) = out.last_mut() {
            last.push_str(word);
        }
        left -= 1;
    }
    out.into_iter().map(|t| (crate::tokens::text(&t), t)).map(|(n, t)| (t, n)).collect()
}

/// The body that plays `events` at `pace`, spoiled by `fault`.
pub(crate) fn body(
    events: Vec<Event>,
    pace: Pace,
    fault: Option<&Fault>,
    seed: u64,
    reset: Arc<AtomicBool>,
) -> Result<Body, AwsError> {
    let mut rng = Rng::new(seed ^ 0xb0d7);
    let mut steps = vec![Step::Wait(pace.first)];
    let spoil = fault.map(|f| (f, f.after.unwrap_or(default_after(f.kind))));
    for (i, event) in events.into_iter().enumerate() {
        if let Some((fault, after)) = spoil
            && i == after
            && !spoiled(fault, &event, &mut rng, &mut steps)?
        {
            return Ok(Body::script(steps, reset));
        }
        steps.push(Step::Wait(pace.tokens(event.tokens)));
        steps.push(Step::Send(frame(&event, &mut rng)?));
    }
    Ok(Body::script(steps, reset))
}

fn default_after(kind: FaultKind) -> usize {
    match kind {
        FaultKind::ExceptionBeforeContent => 0,
        FaultKind::ExceptionAfterContent => 3,
        _ => 2,
    }
}

/// Adds what the fault does before `event`; false when the stream ends there.
fn spoiled(fault: &Fault, event: &Event, rng: &mut Rng, steps: &mut Vec<Step>) -> Result<bool, AwsError> {
    match fault.kind {
        FaultKind::Stall => {
            steps.push(Step::Wait(fault.delay.unwrap_or(Duration::from_secs(60))));
            return Ok(true);
        }
        FaultKind::Reset => steps.push(Step::Reset),
        FaultKind::ExceptionBeforeContent | FaultKind::ExceptionAfterContent => {
            steps.push(Step::Send(exception(fault)?));
        }
        FaultKind::TruncatedFrame => {
            let whole = frame(event, rng)?;
            steps.push(Step::Send(whole.slice(..whole.len() / 2)));
        }
        FaultKind::CrcDamage => {
            let mut damaged = frame(event, rng)?.to_vec();
            if let Some(last) = damaged.last_mut() {
                *last ^= 0xff;
            }
            steps.push(Step::Send(damaged.into()));
        }
        _ => return Ok(true),
    }
    Ok(false)
}

fn frame(event: &Event, rng: &mut Rng) -> Result<Bytes, AwsError> {
    let mut payload = event.payload.clone();
    // Bedrock pads its events to hide how long each token is
    let n = 1 + rng.below(36);
    payload["p"] = json!(padding(n));
    let headers =
        [(":event-type", event.name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, &payload)
}

fn padding(n: usize) -> String {
    let alphabet = [LOWER.get(..26).unwrap_or_default(), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"].concat();
    alphabet.iter().take(n).map(|b| char::from(*b)).collect()
}

fn exception(fault: &Fault) -> Result<Bytes, AwsError> {
    let said = fault.as_error("model").message;
    let headers = [
        (":exception-type", fault.exception.as_str()),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, &json!({ "message": said }))
}

fn message(headers: &[(&str, &str)], payload: &Value) -> Result<Bytes, AwsError> {
    let mut m = Message::new(Bytes::from(payload.to_string()));
    for (name, value) in headers {
        let value = HeaderValue::String((*value).to_string().into());
        m = m.add_header(Header::new((*name).to_string(), value));
    }
    let mut out = Vec::new();
    write_message_to(&m, &mut out).map_err(|_| AwsError::internal())?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_text_again() {
        let text = "One two three,  four five\nsix seven eight nine ten eleven.";
        let parts = pieces(text, 4);
        assert!(parts.len() > 2);
        assert_eq!(parts.into_iter().map(|p| p.0).collect::<String>(), text);
    }
}
