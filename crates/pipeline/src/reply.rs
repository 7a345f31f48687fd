//! What goes back through the door.

use bedplate_core::cache::Mark;
use bedplate_core::call::Headers;
use bedplate_core::content::Content;
use bedplate_core::record::Degraded;

pub use crate::review::outflow::Outflow;
use crate::throttle::Rated;

/// An answer for the caller, in the caller's dialect. Its record is settled, or goes with the stream.
pub struct Reply {
    pub status: u16,
    pub headers: Headers,
    pub body: ReplyBody,
    /// What the cache did; `None` when no rule concerns the call.
    pub cache: Option<Mark>,
    /// The output tokens that the answer was bounded to, because a budget had room for no more or the model's maximum
    /// is not known.
    pub bounded: Option<u64>,
    /// The answer is not what was asked for, but what there was.
    pub degraded: Option<Degraded>,
    /// How the rates stood that concern the call; `None` when none does.
    pub rated: Option<Rated>,
}

pub enum ReplyBody {
    Whole(Content),
    Stream(Outflow),
}
