//! How many tokens something is: an estimate, always the same for the same input.
//!
//! Text: one token for every four characters, rounded up, at least one. Each turn adds four, a tool its
//! JSON text plus eight, a picture 1,600, a document its text (or a token per six bytes when it is binary).

use serde_json::Value;

use crate::prompt::{Offer, Piece, Prompt, Turn};

/// Tokens of an image.
pub(crate) const IMAGE: u64 = 1_600;
/// Added for each turn.
pub(crate) const TURN: u64 = 4;

/// Tokens of a text; 0 when it is empty.
pub(crate) fn text(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX).div_ceil(4)
}

pub(crate) fn json(value: &Value) -> u64 {
    text(&value.to_string())
}

/// Tokens of `bytes` bytes that are not text.
pub(crate) fn binary(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(6)
}

pub(crate) fn piece(piece: &Piece) -> u64 {
    match piece {
        Piece::Media { tokens, .. } => *tokens,
        Piece::Mark(_) => 0,
        other => text(&other.text()).max(1),
    }
}

pub(crate) fn offer(offer: &Offer) -> u64 {
    match offer {
        Offer::Mark(_) => 0,
        Offer::Tool { name, description, schema } => 8 + text(name) + text(description) + json(schema),
    }
}

pub(crate) fn turn(turn: &Turn) -> u64 {
    TURN + turn.pieces.iter().map(piece).sum::<u64>()
}

/// Tokens of a whole prompt, cached or not.
pub(crate) fn prompt(prompt: &Prompt) -> u64 {
    let tools: u64 = prompt.offers.iter().map(offer).sum();
    let system: u64 = prompt.system.iter().map(piece).sum();
    tools + system + prompt.turns.iter().map(turn).sum::<u64>()
}

#[cfg(test)]
mod tests {
    #[test]
    fn four_characters_are_a_token() {
        assert_eq!(super::text(""), 0);
        assert_eq!(super::text("abcd"), 1);
        assert_eq!(super::text("abcde"), 2);
        assert_eq!(super::text("ääää"), 1);
    }
}
