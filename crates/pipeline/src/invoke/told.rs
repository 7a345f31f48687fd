//! Answers that no attempt of ours is waiting for any more.

use bedplate_core::call::Headers;
use bedplate_core::content::Content;

use crate::provider::{Answer, AnswerBody};
use crate::reply::{Reply, ReplyBody};
use crate::settle::record::Record;

/// An upstream's error after which others were asked, or an answer of our own.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Content,
    /// The upstream's error name; `None` for an answer.
    pub(crate) error: Option<String>,
    pub(crate) stop_reason: Option<&'static str>,
}

/// How all dialects say that an answer is whole.
const ENDED: &str = "end_turn";

impl Told {
    /// The error that an answer is.
    pub(super) fn error(answer: &Answer) -> Self {
        let body = match &answer.body {
            AnswerBody::Whole(content, _) => content.clone(),
            AnswerBody::Stream(_) => Content::default(),
        };
        let (headers, error) = (answer.headers.clone(), answer.error.clone());
        Self { status: answer.status, headers, body, error, stop_reason: None }
    }

    pub(super) fn own((headers, body): (Headers, Content)) -> Self {
        Self { status: 200, headers, body, error: None, stop_reason: Some(ENDED) }
    }

    /// Settles the record.
    pub(crate) fn reply(self, record: Record) -> Reply {
        let (bounded, degraded) = (record.bounded(), record.degraded());
        record.finish_told(&self);
        let Self { status, headers, body, .. } = self;
        Reply { status, headers, body: ReplyBody::Whole(body), cache: None, bounded, degraded, rated: None }
    }
}
