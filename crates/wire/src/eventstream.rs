//! The framing of streamed answers (`application/vnd.amazon.eventstream`).
//!
//! [`Scanner`] cuts a byte stream into [`Frame`]s without copying when a frame lies in one chunk;
//! [`encode_event`] and [`encode_exception`] write frames as Bedrock does.

mod encode;
mod frame;
mod scanner;

pub use encode::{encode_event, encode_exception};
pub use frame::{Frame, HeaderIter, Kind, Value};
pub use scanner::{Damage, MAX_FRAME, Scanner};

/// The content type of a stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
