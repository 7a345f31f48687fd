//! Reads an answer: a whole body, or a stream up to its first event.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::record::way_served;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Answer, AnswerBody, Metered};
use bedplate_wire::bedrock::usage::{self, Meter};
use bedplate_wire::bedrock::{Family, cache};
use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::exchange::Attempt;
use super::flow::{First, open};
use super::headers::{end_to_end, error_name, request_id};
use crate::pool::Lease;

/// What was asked, as far as reading the answer needs it.
pub(super) struct Asked {
    pub(super) operation: Operation,
    /// The model behind the target, which decides how bodies are read.
    pub(super) model: Arc<str>,
    pub(super) body_len: usize,
    /// The request's first slice: what is priced by what was asked is read from it.
    pub(super) body: Option<Bytes>,
    /// How long a whole answer may stand still once it has begun.
    pub(super) idle: Duration,
}

/// The largest answer that is read whole: far above what any model gives, far below what would hurt.
const MOST: usize = 256 * 1024 * 1024;

pub(super) async fn read(
    attempt: &mut Attempt,
    lease: Lease,
    response: Response<Incoming>,
    asked: Asked,
) -> Result<Answer, (Code, String)> {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let family = Family::of(&asked.model);
    let request_id = request_id(&parts.headers);
    let mut headers = end_to_end(&parts.headers);
    let host = if asked.operation.is_catalogue() { Host::Control } else { Host::Runtime };
    if status == 200 && asked.operation.streams() {
        let kept = (Arc::clone(&attempt.provider), lease);
        let mut meter = Meter::new(asked.operation, family);
        meter.headers(&headers);
        return match open(kept, body, (asked.operation, family), meter).await? {
            First::Event(flow) => {
                attempt.timings.first_token = Some(attempt.elapsed());
                let body = AnswerBody::Stream(flow);
                let timings = attempt.timings;
                Ok(Answer { status, headers, request_id, error: None, body, timings, dropped: Vec::new() })
            }
            First::Exception(exception) => {
                // an error before any content is an error, not a broken stream
                let content = Content::new(exception.body());
                headers = exception.headers(request_id.as_deref());
                attempt.timings.total = attempt.elapsed();
                Ok(Answer {
                    status: exception.status,
                    headers,
                    request_id,
                    error: Some(exception.name),
                    body: AnswerBody::Whole(content, Metered::default()),
                    timings: attempt.timings,
                    dropped: Vec::new(),
                })
            }
        };
    }
    let bytes = whole(body, asked.idle).await?;
    match host {
        Host::Runtime => attempt.provider.runtime.pool.give_back(lease),
        Host::Control => attempt.provider.control.pool.give_back(lease),
    }
    attempt.timings.total = attempt.elapsed();
    let error = if status >= 400 {
        Some(error_name(&parts.headers, &bytes).unwrap_or_else(|| format!("Http{status}")))
    } else {
        None
    };
    let metered =
        if error.is_some() { Metered::default() } else { metered(&asked, family, &headers, &bytes) };
    let body = AnswerBody::Whole(Content::new(bytes), metered);
    Ok(Answer { status, headers, request_id, error, body, timings: attempt.timings, dropped: Vec::new() })
}

enum Host {
    Runtime,
    Control,
}

fn metered(asked: &Asked, family: Family, headers: &Headers, bytes: &[u8]) -> Metered {
    if !asked.operation.metered() {
        return Metered::default();
    }
    let request = asked.body.as_deref().filter(|b| b.len() == asked.body_len).unwrap_or_default();
    convert(usage::answer(asked.operation, family, request, headers, bytes), family)
}

/// The same facts in the pipeline's words.
pub(super) fn convert(m: usage::Metered, family: Family) -> Metered {
    let finish = cache::finish(family, m.stop_reason.as_deref());
    Metered {
        usage: m.usage,
        prompt: m.prompt.map(Box::new),
        tier: way_served(m.tier.unwrap_or_default(), m.latency.as_deref()),
        model: m.model,
        stop_reason: m.stop_reason,
        finish,
        latency_ms: m.latency_ms,
        output_bytes: m.output_bytes,
    }
}

/// The whole body; `idle` is how long it may stand still between two pieces.
async fn whole(mut body: Incoming, idle: Duration) -> Result<Bytes, (Code, String)> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(MOST);
    loop {
        let frame = timeout(idle, body.frame()).await;
        let Some(frame) =
            frame.map_err(|_| (Code::IdleTimeout, "the answer stood still halfway".to_owned()))?
        else {
            break;
        };
        let frame = frame.map_err(|e| (Code::BrokenAnswer, format!("the answer broke off: {e}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > MOST {
            return Err((Code::BrokenAnswer, format!("the answer is larger than {MOST} bytes")));
        }
        // an answer that comes in one piece is not copied
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.reserve(expected.max(first.len() + data.len()));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
