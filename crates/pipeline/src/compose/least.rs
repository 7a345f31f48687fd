//! What a request takes of a quota even when the guess of its prompt is a bad one.

use std::sync::Arc;

use crate::admit::Admitted;
use crate::settle::notes::Notes;

/// Tokens of a request if its text has half of those that are expected, and the longest answer that it asks for. What is
/// not text, a picture, may have next to none, and is left out. Reads the whole body.
pub(crate) fn least(admitted: &Admitted, model: &Arc<str>, notes: &Notes) -> u64 {
    let (body, view) = (&admitted.call.body, admitted.call.body.view());
    if !admitted.call.operation.metered() {
        return 0;
    }
    let prompt = notes.books.estimates.of(model, text(body.content().expose())).tokens / 2;
    prompt.saturating_add(view.max_tokens().unwrap_or(0).saturating_mul(view.answers()))
}

/// Longer than any word: what is encoded in Base64.
const ENCODED: u64 = 256;

/// Bytes that are not part of something encoded.
fn text(body: &[u8]) -> u64 {
    let words =
        body.split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')));
    // each with the byte that ends it
    words.map(|word| word.len() as u64).map(|len| if len < ENCODED { len + 1 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_no_text() {
        let words = "a word and another ".repeat(100);
        assert_eq!(text(words.as_bytes()), 1_901);
        let picture = format!("{words}\"{}\"", "iVBORw0KGgo/+".repeat(10_000));
        assert!((1_900..1_910).contains(&text(picture.as_bytes())));
    }
}
