//! A kept answer on its way back to a caller.

use std::sync::Arc;

use bedplate_core::cache::{Entry, Mark};
use bedplate_core::record::Degraded;

use crate::reply::{Reply, ReplyBody};
use crate::settle::record::Record;

/// An answer that nobody has to ask for.
pub(crate) struct Kept(pub(crate) Arc<Entry>);

impl Kept {
    /// The answer as it was given first, all of it at once; settles the record.
    pub(crate) fn reply(self, record: Record, mark: Mark) -> Reply {
        record.finish_kept(&self.0, mark);
        let body = ReplyBody::Whole(self.0.body.clone());
        let degraded = (mark == Mark::Stale).then_some(Degraded::Stale);
        Reply {
            status: 200,
            headers: self.0.headers.clone(),
            body,
            cache: Some(mark),
            bounded: None,
            degraded,
            rated: None,
        }
    }
}
