//! Whole answers.

use std::time::Duration;

use bedplate_core::refusal::Code;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::Wrong;

/// The largest answer that is read whole: far above what any model gives, far below what would hurt.
const MOST: usize = 256 * 1024 * 1024;

/// The whole body; `idle` is how long it may stand still between two pieces.
pub(crate) async fn whole(mut body: Incoming, idle: Duration) -> Result<Bytes, Wrong> {
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
