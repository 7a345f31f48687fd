//! Bytes that people or models wrote.
//!
//! [`Content`] has no `Debug`, no `Display` and no `Serialize`: it cannot slip into a log line, an
//! error, a trace or a record by accident. Whoever sends it on asks for [`Content::expose`], which
//! is easy to search for.
//!
//! ```compile_fail
//! let c = bedplate_core::content::Content::from_static(b"my card is 4111 1111 1111 1111");
//! println!("{c:?}");
//! ```
//! ```compile_fail
//! let c = bedplate_core::content::Content::from_static(b"my card is 4111 1111 1111 1111");
//! println!("{c}");
//! ```
//! ```compile_fail
//! fn log(_: impl serde::Serialize) {}
//! log(bedplate_core::content::Content::from_static(b"my card is 4111 1111 1111 1111"));
//! ```

use bytes::Bytes;

/// A request body, a response body or a piece of a stream. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Content(Bytes);

impl Content {
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(Bytes::from_static(bytes))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes themselves. For those who parse them or send them on, never for those who write
    /// logs: stored text comes from a redactor.
    pub fn expose(&self) -> &Bytes {
        &self.0
    }

    pub fn into_exposed(self) -> Bytes {
        self.0
    }
}
