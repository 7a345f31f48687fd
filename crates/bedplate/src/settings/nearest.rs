//! "Did you mean": the right name that is nearest to a wrong one.

/// Adds the nearest name to serde's list of what it expected.
pub(super) fn with_nearest(message: &str) -> String {
    let message = message.trim();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next() else { return message.to_owned() };
    if !message.starts_with("unknown ") {
        return message.to_owned();
    }
    let nearest = quoted.min_by_key(|name| strsim::damerau_levenshtein(wrong, name));
    match nearest {
        Some(name) if strsim::damerau_levenshtein(wrong, name) <= 3 => {
            format!("{message}; did you mean `{name}`?")
        }
        _ => message.to_owned(),
    }
}
