//! Names with `*`.

/// Whether `name` matches `pattern`, in which `*` stands for any characters.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, is) in [
            ("*", "x", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*nova*", "us.amazon.nova-lite", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("anthropic.claude-*-4-*", "anthropic.claude-sonnet-4-5-x", true),
            ("anthropic.claude-*-4-*", "anthropic.claude-3-haiku", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }
}
