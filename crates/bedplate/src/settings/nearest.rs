//! "Did you mean": the right name that is nearest to a wrong one.

/// What serde says in the words of people: numbers by no type of ours, and the nearest name to its list of what it
/// expected.
pub(super) fn with_nearest(message: &str) -> String {
    let message = message.trim();
    for number in ["u8", "u16", "u32", "u64", "usize", "i64"] {
        if let Some(before) = message.strip_suffix(number).filter(|before| before.ends_with("expected ")) {
            return format!("{before}a whole number");
        }
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next() else { return message.to_owned() };
    if !message.starts_with("unknown ") {
        return message.to_owned();
    }
    match of(wrong, quoted) {
        Some(name) => format!("{message}; did you mean `{name}`?"),
        None => message.to_owned(),
    }
}

/// The name that is not far from a wrong one.
pub(crate) fn of<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let nearest = names.min_by_key(|name| strsim::damerau_levenshtein(wrong, name))?;
    (strsim::damerau_levenshtein(wrong, nearest) <= 3).then_some(nearest)
}
