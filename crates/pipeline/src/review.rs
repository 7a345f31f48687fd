//! May it go out. Nothing is held back in this version; a stream is forwarded event by event.

pub(crate) mod outflow;

use crate::invoke::Answered;
use crate::provider::{Answer, AnswerBody};
use crate::reply::{Reply, ReplyBody};
use outflow::Outflow;

/// Turns an answer into a reply. A whole one is settled here; a stream takes its record along.
pub(crate) fn review(answered: Answered) -> Reply {
    let Answered { answer, attempting, mut record } = answered;
    let (bounded, degraded) = (record.bounded(), record.degraded());
    match answer {
        Answer { body: AnswerBody::Stream(flow), status, headers, request_id, timings, .. } => {
            record.attempt_answered(status, request_id, None, timings);
            let body = ReplyBody::Stream(Outflow::new(flow, attempting, record));
            Reply { status, headers, body, cache: None, bounded, degraded, rated: None }
        }
        whole => {
            let status = whole.status;
            let (headers, content) = record.finish_whole(&attempting, whole, None);
            Reply {
                status,
                headers,
                body: ReplyBody::Whole(content),
                cache: None,
                bounded,
                degraded,
                rated: None,
            }
        }
    }
}
