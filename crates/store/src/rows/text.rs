//! Text that every database takes.

use std::borrow::Cow;
use std::sync::Arc;

/// The longest text in an indexed column, in bytes. PostgreSQL takes at most 2,704 bytes in one
/// entry of an index, and one name that is too long would keep a whole batch from being written.
const LONGEST: usize = 512;

/// PostgreSQL cannot hold the character NUL; it becomes U+FFFD, in every store alike.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// The same, cut to 512 bytes: for columns with an index.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    clean(&text[..text.floor_char_boundary(LONGEST)])
}

/// The same for a name that many rows share: not copied when it may stand as it is.
pub(crate) fn shared(name: &Arc<str>) -> Arc<str> {
    match bounded(name) {
        Cow::Borrowed(same) if same.len() == name.len() => Arc::clone(name),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(bounded("a"), "a");
        let long = bounded(&"é".repeat(300)).into_owned();
        assert_eq!(long, "é".repeat(256));
        assert_eq!(bounded(&format!("a{}", "é".repeat(300))).len(), 511);
    }

    #[test]
    fn nul_is_replaced() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
    }
}
