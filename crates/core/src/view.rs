//! How a stage reads and edits a native body: through a [`View`], never by parsing it again.
//!
//! Crate `wire` implements it for each dialect and family. An edit is a range of the original bytes
//! and what stands there instead; everything else reaches the upstream untouched.

use std::ops::Range;

use bytes::Bytes;

use crate::content::Content;
use crate::refusal::Refusal;

/// What stages may ask of a request, whatever its dialect.
pub trait View: Send + Sync {
    /// The most output tokens the caller asks for.
    fn max_tokens(&self) -> Option<u64>;

    /// How many answers it asks for, each as long as [`View::max_tokens`].
    fn answers(&self) -> u64 {
        1
    }

    /// What it holds whose tokens its bytes do not bound. Reads the whole body.
    fn attached(&self) -> Attached {
        Attached::default()
    }

    /// Whether [`View::bound_output`] could say a bound, as far as can be known without reading again.
    fn can_bound(&self) -> bool {
        false
    }

    /// The service tier or the latency that the body asks for, as [`way_served`](crate::record::way_served) has it;
    /// empty when it asks for none.
    fn tier(&self) -> &str {
        ""
    }

    /// Asks for a service tier, where the caller asks for none; `false`, and nothing changed, when the body has no
    /// place to say so.
    fn ask_tier(&self, _tier: &str, _edits: &mut Edits) -> bool {
        false
    }

    /// Whether the body asks for a guardrail on the call.
    fn guarded(&self) -> bool {
        false
    }

    /// Bounds the answer to `tokens`, where the caller left it open; `false`, and nothing changed, when the body has
    /// no place to say so.
    fn bound_output(&self, tokens: u64, edits: &mut Edits) -> bool;

    /// Adds pairs to the request metadata that AWS writes into its invocation log, and keeps the
    /// caller's own, which are noted in `edits`; without any of ours it only reads. Pairs that do not fit AWS's limits are left out, the last first.
    ///
    /// # Errors
    /// `BP2002` when the caller uses a key that starts with `reserved`; `BP1205` when the caller's
    /// metadata is not a map of strings.
    fn stamp(&self, ours: &[(&str, &str)], reserved: &str, edits: &mut Edits) -> Result<Stamped, Refusal>;
}

/// Parts of a request that are no text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attached {
    pub images: u64,
    /// It marks what is to be written to the prompt cache.
    pub caches: bool,
    /// There is something whose tokens nothing in the body bounds: a document, which is compressed; a video; what lies
    /// elsewhere and is only named.
    pub boundless: bool,
}

/// What [`View::stamp`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamped {
    /// How many of our pairs stand in the request now.
    pub kept: usize,
    /// How many found no room.
    pub dropped: usize,
}

/// Changes to a request, to be applied when it is sent.
#[derive(Clone, Default)]
pub struct Edits {
    /// Sorted by start, not overlapping.
    body: Vec<Splice>,
    /// Headers to add or replace; lower-case names.
    pub headers: Vec<(&'static str, Bytes)>,
    /// What was done, in words, for the record.
    pub said: Vec<String>,
    /// The caller's own pairs of request metadata, for the record.
    pub metadata: Vec<(String, String)>,
}

/// `with` stands in place of `range`.
#[derive(Clone)]
pub struct Splice {
    pub range: Range<usize>,
    pub with: Content,
}

impl Edits {
    /// Puts `with` in place of `range`. Ranges must not overlap.
    pub fn splice(&mut self, range: Range<usize>, with: Bytes) {
        let at = self.body.partition_point(|s| s.range.start <= range.start);
        debug_assert!(at == 0 || self.body[at - 1].range.end <= range.start, "splices overlap");
        self.body.insert(at, Splice { range, with: Content::new(with) });
    }

    pub fn splices(&self) -> &[Splice] {
        &self.body
    }

    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.headers.is_empty()
    }

    /// The edited body as slices in order; nothing is copied.
    pub fn apply(&self, body: &Content) -> Vec<Bytes> {
        let whole = body.expose();
        let mut out = Vec::with_capacity(2 * self.body.len() + 1);
        let mut at = 0;
        for s in &self.body {
            if at < s.range.start {
                out.push(whole.slice(at..s.range.start));
            }
            if !s.with.is_empty() {
                out.push(s.with.expose().clone());
            }
            at = s.range.end;
        }
        if at < whole.len() {
            out.push(whole.slice(at..));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_apply_in_order_of_place() {
        let body = Content::from_static(b"{\"a\":1,\"b\":2}");
        let mut edits = Edits::default();
        edits.splice(12..12, Bytes::from_static(b",\"c\":3"));
        edits.splice(5..6, Bytes::from_static(b"10"));
        assert_eq!(edits.apply(&body).concat(), b"{\"a\":10,\"b\":2,\"c\":3}");
        assert_eq!(Edits::default().apply(&body).concat(), &body.expose()[..]);
    }
}
