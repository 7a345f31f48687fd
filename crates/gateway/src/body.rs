//! Reads a request's body: once, whole, within limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::refusal::{Code, Refusal, Retry};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::config::Limits;
use crate::connection::GRACE;
use crate::connection::exchange::Conn;

/// Counts the bytes of request bodies in memory, over all workers.
#[derive(Default)]
pub(crate) struct InFlight(AtomicU64);

/// Bytes counted by [`InFlight`], given back when dropped.
pub(crate) struct Held {
    counter: Arc<InFlight>,
    bytes: u64,
}

impl Held {
    fn none(counter: &Arc<InFlight>) -> Self {
        Self { counter: Arc::clone(counter), bytes: 0 }
    }

    fn take(&mut self, bytes: u64, most: u64) -> Result<(), Refusal> {
        let before = self.counter.0.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes <= most {
            return Ok(());
        }
        Err(Refusal::new(Code::Overloaded, "too many request bytes in flight")
            .retry(Retry::After(Duration::from_secs(1)))
            .because(format_args!("{} of {most} bytes are held", before)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The whole body, and the hold on its bytes.
pub(crate) async fn read(
    mut body: Incoming,
    limits: &Limits,
    counter: &Arc<InFlight>,
    conn: &Conn,
) -> Result<(Bytes, Held), Refusal> {
    let mut held = Held::none(counter);
    if body.is_end_stream() {
        return Ok((Bytes::new(), held));
    }
    let (most, held_most) = (limits.body.0, limits.bodies_in_flight.0);
    let hint = body.size_hint();
    if hint.lower() > most {
        return Err(too_large(most));
    }
    let reading = async {
        let mut whole = BytesMut::new();
        let mut first = Bytes::new();
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                // a client that says no more does not hold up a drain
                () = conn.stopped_for(GRACE) => return Err(stopping()),
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|e| Refusal::new(Code::BadBody, "the body broke off").because(e))?;
            let Ok(data) = frame.into_data() else { continue };
            let read = (first.len() + whole.len() + data.len()) as u64;
            if read > most {
                return Err(too_large(most));
            }
            if read > held.bytes {
                held.take(read - held.bytes, held_most)?;
            }
            // a body that comes in one piece is not copied
            if first.is_empty() && whole.is_empty() {
                first = data;
            } else {
                if whole.is_empty() {
                    let expected = usize::try_from(hint.upper().unwrap_or(read).min(most)).unwrap_or(0);
                    whole.reserve(expected.max(first.len() + data.len()));
                    whole.extend_from_slice(&std::mem::take(&mut first));
                }
                whole.extend_from_slice(&data);
            }
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    };
    match tokio::time::timeout(limits.body_timeout.0, reading).await {
        Ok(Ok(bytes)) => Ok((bytes, held)),
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::of(Code::BodyTimeout)),
    }
}

fn stopping() -> Refusal {
    Refusal::new(Code::BodyTimeout, "bedplate stops and the body does not arrive").retry(Retry::Elsewhere)
}

fn too_large(most: u64) -> Refusal {
    Refusal::new(Code::BodyTooLarge, format!("the request body is larger than {most} bytes"))
}
