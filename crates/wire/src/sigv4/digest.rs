//! SHA-256 of a body, kept in such a way that an edit at its end does not cost a second pass.

use aws_lc_rs::digest::{Context, SHA256, digest};

use bedplate_core::content::Content;
use bedplate_core::view::Edits;

/// The SHA-256 of nothing.
pub const EMPTY_SHA256_HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Below this many bytes hashing again is cheaper than keeping a state.
const MIDSTATE_FROM: usize = 1_024;

/// The digest of a body, and the hash's state just before its last `}`.
#[derive(Clone)]
pub struct BodyDigest {
    whole: [u8; 32],
    /// How many bytes the state has seen, and the state.
    mid: Option<(usize, Context)>,
}

impl BodyDigest {
    /// Hashes a body once.
    pub fn of(body: &[u8]) -> Self {
        let tail = memchr::memrchr(b'}', body).filter(|at| *at >= MIDSTATE_FROM);
        let Some(at) = tail else {
            return Self { whole: sha256(body), mid: None };
        };
        let mut state = Context::new(&SHA256);
        state.update(&body[..at]);
        let mid = Some((at, state.clone()));
        state.update(&body[at..]);
        Self { whole: finish(state), mid }
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.whole
    }

    pub fn hex(&self) -> Hex64 {
        hex(&self.whole)
    }

    /// The digest of `body` (the body this digest is of) after `edits`. From the kept state when every
    /// splice lies behind it; otherwise the slices are hashed afresh.
    pub fn with_edits(&self, body: &Content, edits: &Edits) -> [u8; 32] {
        let Some(first) = edits.splices().first() else {
            return self.whole;
        };
        let whole = body.expose();
        let (mut at, mut state) = match &self.mid {
            Some((seen, state)) if first.range.start >= *seen => (*seen, state.clone()),
            _ => (0, Context::new(&SHA256)),
        };
        for splice in edits.splices() {
            state.update(whole.get(at..splice.range.start).unwrap_or_default());
            state.update(splice.with.expose());
            at = splice.range.end;
        }
        state.update(whole.get(at..).unwrap_or_default());
        finish(state)
    }
}

/// 32 bytes as 64 lower-case hexadecimal digits, on the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex64([u8; 64]);

impl Hex64 {
    pub fn as_str(&self) -> &str {
        // only hexadecimal digits are ever written here
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::ops::Deref for Hex64 {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

/// Writes a digest in hexadecimal.
pub fn hex(digest: &[u8; 32]) -> Hex64 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    Hex64(out)
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(digest(&SHA256, bytes).as_ref())
}

fn finish(state: Context) -> [u8; 32] {
    fixed(state.finish().as_ref())
}

fn fixed(digest: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // SHA-256 is 32 bytes long
    out.copy_from_slice(&digest[..32]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn the_empty_digest_is_what_everybody_says() {
        assert_eq!(BodyDigest::of(b"").hex().as_str(), EMPTY_SHA256_HEX);
        assert_eq!(hex::encode(sha256(b"")), EMPTY_SHA256_HEX);
    }

    #[test]
    fn edits_anywhere_give_the_digest_of_the_edited_body() {
        for len in [0, 10, 900, 1_100, 5_000] {
            let text = format!("{{\"a\":\"{}\",\"b\":{{}}}}  \n", "x".repeat(len));
            let body = Content::new(Bytes::from(text.clone()));
            let digest = BodyDigest::of(body.expose());
            assert_eq!(*digest.bytes(), sha256(text.as_bytes()));
            let last = text.rfind('}').unwrap();
            for places in [vec![], vec![last], vec![3], vec![3, last], vec![last, last + 1], vec![text.len()]]
            {
                let mut edits = Edits::default();
                for at in places {
                    edits.splice(at..at, Bytes::from_static(b",\"c\":1"));
                }
                let edited = edits.apply(&body).concat();
                assert_eq!(digest.with_edits(&body, &edits), sha256(&edited));
            }
        }
    }
}
