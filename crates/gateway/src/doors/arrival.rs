//! What every door does first: who calls, what they say of the call, and the body.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::Wish;
use bedplate_core::call::Headers;
use bedplate_core::key::Key;
use bedplate_core::pace::Class;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::setting::Span;
use bedplate_pipeline::{Record, Tags};
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::Came;
use super::credentials::Credentials;
use crate::body;
use crate::connection::exchange::Conn;
use crate::gateway::{Gateway, Snapshot};

/// A request whose key is known and whose body is there; that the caller holds the key is still to be proven.
pub(super) struct Arrived {
    pub(super) parts: Parts,
    pub(super) bytes: Bytes,
    pub(super) held: body::Held,
    pub(super) key: Arc<Key>,
    pub(super) credentials: Credentials,
}

/// # Errors
/// `BP1001` to `BP1008` for the key, `BP1202`, `BP1204` and `BP1302` for the body.
pub(super) async fn arrive(
    gateway: &Gateway,
    snapshot: &Snapshot,
    (parts, incoming): (Parts, Incoming),
    conn: &Conn,
    came: Came,
    record: &mut Record,
) -> Result<Arrived, Refusal> {
    let credentials = Credentials::of(&parts)?;
    let key = gateway.keyring.find(credentials.presented(), came.at)?;
    credentials.check_date(&parts, came.at, &snapshot.auth)?;
    let asked = gateway.clock.tick();
    let reading = body::read(incoming, &snapshot.limits, &gateway.bodies, conn);
    let (bytes, held) = match came.until {
        None => reading.await?,
        Some(until) => timeout_at(until, reading).await.unwrap_or_else(|_| Err(unread()))?,
    };
    record.body_read(bytes.len(), gateway.clock.tick().since(asked));
    Ok(Arrived { parts, bytes, held, key, credentials })
}

/// What the caller says about the call, in `x-bedplate-*` and `traceparent`.
pub(super) fn tags(parts: &Parts) -> Result<Tags, Refusal> {
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

/// The trace that a call belongs to, as the upstream is told.
pub(super) fn pass_trace(out: &mut Headers, trace: Option<&(String, String)>, record: &Record) {
    if let Some((trace, _)) = trace {
        let span = u64::from_be_bytes(record.id().span());
        out.push("traceparent", format!("00-{trace}-{span:016x}-01"));
    }
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
