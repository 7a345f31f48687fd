//! The Bedrock door: an AWS SDK whose endpoint URL points here.

mod credentials;
mod evidence;
mod native;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::Wish;
use bedplate_core::call::{Headers, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::pace::Class;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::setting::Span;
use bedplate_pipeline::{Call, Record, Tags};
use bedplate_wire::bedrock::path::Route;
use bedplate_wire::bedrock::view::METADATA_HEADER;
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::body;
use crate::connection::exchange::Conn;
use crate::gateway::{Gateway, Snapshot};
use credentials::Credentials;
use native::Body;

/// Which operation a request asks for, if its path belongs to one.
pub(crate) fn operation(request: &Request<Incoming>) -> Option<Operation> {
    Route::of(request.method().as_str(), request.uri().path()).ok().map(|route| route.operation)
}

/// Reads a request into a call. In this order, so that a stranger costs little: the path, the key and
/// the date, and only then the body.
pub(crate) async fn read(
    gateway: &Gateway,
    snapshot: &Snapshot,
    request: Request<Incoming>,
    conn: &Conn,
    (at, until): (Timestamp, Option<Instant>),
    record: &mut Record,
) -> Result<(Call, body::Held), Refusal> {
    let (parts, incoming) = request.into_parts();
    let tags = Tags { until, ..tags(&parts)? };
    let route = Route::of(parts.method.as_str(), parts.uri.path())?;
    record.called(route.operation, &route.name, &tags);
    let credentials = Credentials::of(&parts)?;
    let key = gateway.keyring.find(credentials.presented(), at)?;
    credentials.check_date(&parts, at, &snapshot.auth)?;

    let asked = gateway.clock.tick();
    let reading = body::read(incoming, &snapshot.limits, &gateway.bodies, conn);
    let (bytes, held) = match until {
        None => reading.await?,
        Some(until) => timeout_at(until, reading).await.unwrap_or_else(|_| Err(unread()))?,
    };
    record.body_read(bytes.len(), gateway.clock.tick().since(asked));
    if route.operation.reads() && !bytes.is_empty() {
        return Err(Refusal::new(Code::BadBody, format!("{} takes no body", route.operation)));
    }

    let headers = upstream_headers(route.operation, &parts, tags.trace.as_ref(), record);
    let model = snapshot.pipeline.routes.read_as(route.operation, &route.name);
    let body = Body::read(route.operation, model, bytes, &headers)?;
    let query = credentials.query_without_signature(&parts);
    let path = parts.uri.path().to_owned();
    let evidence = credentials.evidence(parts, &key, body.digest_hex())?;
    let call = Call {
        operation: route.operation,
        name: route.name,
        path,
        query,
        headers,
        body: Arc::new(body),
        key: Arc::clone(&key),
        evidence,
        tags,
    };
    Ok((call, held))
}

/// What the caller says about the call, in `x-bedplate-*` and `traceparent`.
fn tags(parts: &Parts) -> Result<Tags, Refusal> {
    let tag = |name: &'static str| match parts.headers.get(name) {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Ok(text) if text.len() <= 256 && !text.is_empty() => Ok(Some(text.to_owned())),
            _ => Err(Refusal::new(
                Code::BadValue,
                format!("the header `{name}` takes 1 to 256 ASCII characters"),
            )),
        },
    };
    Ok(Tags {
        feature: tag("x-bedplate-feature")?,
        user: tag("x-bedplate-user")?,
        chain: tag("x-bedplate-chain")?,
        class: class(parts)?,
        conversation: tag("x-bedplate-conversation")?,
        cache: wish(parts)?,
        until: None,
        trace: parts.headers.get("traceparent").and_then(|v| v.to_str().ok()).and_then(traceparent),
    })
}

fn unread() -> Refusal {
    Refusal::of(Code::BodyTimeout).because("the caller's own deadline passed meanwhile")
}

const DEADLINE: &str = "x-bedplate-deadline";

/// When the caller has no use for an answer any more, by `x-bedplate-deadline` of a request that arrived at `arrived`.
///
/// # Errors
/// `BP1205` for a value that says no length of time.
pub(crate) fn until(request: &Request<Incoming>, arrived: Instant) -> Result<Option<Instant>, Refusal> {
    let Some(value) = request.headers().get(DEADLINE) else { return Ok(None) };
    let Some(length) = value.to_str().ok().and_then(length) else {
        let said = "the header `x-bedplate-deadline` takes milliseconds, `1500`, or a length of time, `8s`";
        return Err(Refusal::new(Code::BadValue, said));
    };
    // beyond what the clock counts there is none
    Ok(arrived.checked_add(length))
}

/// Whole milliseconds, or a span.
fn length(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let length = match digits {
        true => text.parse().ok().map(Duration::from_millis),
        false => text.parse().ok().map(|Span(length)| length),
    };
    length.filter(|length| !length.is_zero())
}

/// Which calls go first, as the caller says.
fn class(parts: &Parts) -> Result<Option<Class>, Refusal> {
    let Some(value) = parts.headers.get("x-bedplate-priority") else { return Ok(None) };
    let class = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = "the header `x-bedplate-priority` takes `interactive`, `batch` or `background`";
    class.map(Some).ok_or_else(|| Refusal::new(Code::BadValue, wrong))
}

/// What the caller wishes of the cache.
fn wish(parts: &Parts) -> Result<Option<Wish>, Refusal> {
    match parts.headers.get("x-bedplate-cache").map(|value| value.as_bytes()) {
        None => Ok(None),
        Some(b"bypass") => Ok(Some(Wish::Bypass)),
        Some(b"refresh") => Ok(Some(Wish::Refresh)),
        Some(_) => {
            Err(Refusal::new(Code::BadValue, "the header `x-bedplate-cache` takes `bypass` or `refresh`"))
        }
    }
}

/// `00-TRACE-SPAN-FLAGS`; what is malformed is ignored, as W3C asks.
fn traceparent(value: &str) -> Option<(String, String)> {
    let mut parts = value.split('-');
    let (version, trace, span, _flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |s: &str, n: usize| {
        s.len() == n
            && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && s.bytes().any(|b| b != b'0')
    };
    let version_ok = version.len() == 2 && version != "ff";
    (version_ok && hex(trace, 32) && hex(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

/// What goes on to AWS beside the body. Not the caller's signature, not `x-bedplate-*`, not what
/// belongs to the connection.
fn upstream_headers(
    operation: Operation,
    parts: &Parts,
    trace: Option<&(String, String)>,
    record: &Record,
) -> Headers {
    let mut out = Headers::with_capacity(8);
    for (name, value) in &parts.headers {
        let n = name.as_str();
        // where metadata has a member of the body, nobody may say another in the header
        let metadata = n == METADATA_HEADER && !by_header(operation);
        if matches!(n, "content-type" | "accept" | "user-agent" | "tracestate")
            || (n.starts_with("x-amzn-bedrock-") && !metadata)
        {
            out.push(Bytes::copy_from_slice(n.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    if let Some((trace, _)) = trace {
        let span = u64::from_be_bytes(record.id().span());
        out.push("traceparent", format!("00-{trace}-{span:016x}-01"));
    }
    out
}

/// Whether the operation takes request metadata in a header.
fn by_header(operation: Operation) -> bool {
    matches!(operation, Operation::InvokeModel | Operation::InvokeModelWithResponseStream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_milliseconds_or_a_length_of_time() {
        for (text, millis) in [("1500", 1_500), ("8s", 8_000), ("250ms", 250), (" 1m ", 60_000)] {
            assert_eq!(length(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "0", "0s", "-1", "1.5", "8 s", "8S", "soon", "99999999999999999999", "1500S"] {
            assert_eq!(length(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_traceparent_is_read_and_a_bad_one_ignored() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (trace, span) = traceparent(good).unwrap();
        assert_eq!((trace.len(), span.len()), (32, 16));
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(traceparent(bad).is_none(), "{bad}");
        }
    }
}
