//! Streams: one `chat.completion.chunk` after the other.

mod open;
mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;
