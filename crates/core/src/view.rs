//! How a stage reads and edits a native body: through a [`View`], never by parsing it again.
//!
//! Crate `wire` implements it for each dialect and family. An edit is a range of the original bytes
//! and what stands there instead; everything else reaches the upstream untouched.

use std::ops::Range;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cache::Fingerprint;
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

    /// What the conversation began with: its system prompt and first turn of a user; `None` when the body does not say.
    /// Reads the whole body.
    fn opening(&self) -> Option<Fingerprint> {
        None
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

    /// Takes out what the model of a target refuses, and says in `edits` what that was. To be asked before
    /// [`View::bound_output`]. A body whose form is a family's own goes as it is to models of the family, and is written
    /// anew for others: then [`Edits::refuses`] says what is left out.
    fn adapt(&self, _refuses: Refuses, _edits: &mut Edits) {}

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

/// What a model refuses of what a request may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refuses {
    /// What only another family of models understands: reasoning of earlier turns with its signatures, and fields of
    /// that family's own.
    pub foreign: bool,
    /// `temperature` and its like.
    pub sampling: bool,
    /// The beginning of the answer as the last message.
    pub prefill: bool,
    /// Tools, their uses and results.
    pub tools: bool,
    /// Marks of what is to be written to the prompt cache.
    pub cache_points: bool,
}

/// What a model is known to take of what a request may hold; `None` where nobody says, so that it is left to Bedrock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Takes {
    /// `temperature`, `topP` and a model's own `top_k`.
    pub sampling: Option<bool>,
    /// A conversation that ends with the beginning of the answer.
    pub prefill: Option<bool>,
    /// `toolConfig`, and uses and results of tools.
    pub tools: Option<bool>,
    /// `cachePoint`.
    pub cache_points: Option<bool>,
}

impl Takes {
    /// What `self` says, and of the rest what `base` says.
    pub fn over(self, base: Self) -> Self {
        Self {
            sampling: self.sampling.or(base.sampling),
            prefill: self.prefill.or(base.prefill),
            tools: self.tools.or(base.tools),
            cache_points: self.cache_points.or(base.cache_points),
        }
    }

    /// What is to be taken out of a request; `foreign` when it was written for another family.
    pub fn refuses(self, foreign: bool) -> Refuses {
        let no = |takes| takes == Some(false);
        Refuses {
            foreign,
            sampling: no(self.sampling),
            prefill: no(self.prefill),
            tools: no(self.tools),
            cache_points: no(self.cache_points),
        }
    }
}

impl Refuses {
    pub fn nothing(self) -> bool {
        self == Self::default()
    }
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
    /// What is to be taken out when the body is written in another form.
    pub refuses: Refuses,
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

    /// Whether nothing but space is left of `part`, which begins at `start` of the body.
    pub fn clears(&self, part: &[u8], start: usize) -> bool {
        let end = start + part.len();
        let blank = |from: usize, to: usize| {
            part.get(from - start..to - start).is_some_and(|part| part.trim_ascii().is_empty())
        };
        let mut at = start;
        for s in self.body.iter().filter(|s| s.range.start >= start && s.range.end <= end) {
            if !s.with.is_empty() || !blank(at, s.range.start) {
                return false;
            }
            at = s.range.end;
        }
        blank(at, end)
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

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "one cut is a list, too")]
    fn what_is_cleared_is_known() {
        let body = b"{ \"a\":1, \"b\":2 }";
        let cleared = |cuts: &[(usize, usize)]| {
            let mut edits = Edits::default();
            cuts.iter().for_each(|(from, to)| edits.splice(*from..*to, Bytes::new()));
            edits.clears(&body[1..body.len() - 1], 1)
        };
        assert!(cleared(&[(2, 8), (9, 14)]) && cleared(&[(1, 14)]));
        for some in [&[][..], &[(2, 8)], &[(9, 14)], &[(2, 7), (9, 14)]] {
            assert!(!cleared(some), "{some:?}");
        }
    }
}
