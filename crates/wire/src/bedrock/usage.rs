//! What an answer says it used.
//!
//! [`answer`] reads whole answers, [`Meter`] streams. Numbers that cannot be (negative, broken, beyond
//! 2⁴⁰) make the usage unknown; they are never zero.

use bedplate_core::call::{Headers, Operation};
use bedplate_core::usage::Usage;

use super::Family;

mod meter;

pub use meter::{Exception, Heard, Meter};

/// What was read from an answer. Everything may be missing; an answer without usage has `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metered {
    pub usage: Option<Usage>,
    /// The service tier that served: `default`, `flex`, `priority`, `reserved`.
    pub tier: Option<String>,
    pub stop_reason: Option<String>,
    /// What the upstream says it took, in milliseconds.
    pub latency_ms: Option<u64>,
    /// An upper bound for the bytes of text in a stream's content, for an estimate when it was cut; 0
    /// for whole answers.
    pub output_bytes: u64,
}

/// Reads a whole answer. `headers` are those of the answer, names in lower case; `request` is needed for
/// what is priced by what was asked (documents to rerank, images to embed).
pub fn answer(
    _operation: Operation,
    _family: Family,
    _request: &[u8],
    _headers: &Headers,
    _response: &[u8],
) -> Metered {
    Metered::default()
}
