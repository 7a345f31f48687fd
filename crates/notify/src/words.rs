//! A notice as people and programs read it.

use std::error::Error;

use bedplate_core::notice::Notice;
use serde_json::{Map, Value, json};

/// What webhooks and SNS carry.
pub(crate) fn json(notice: &Notice) -> Value {
    let fields: Map<String, Value> =
        notice.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    json!({
        "id": notice.id,
        "at": notice.at.to_string(),
        "kind": notice.kind,
        "severity": notice.severity,
        "subject": notice.subject,
        "text": notice.text,
        "fields": fields,
        "dedup": notice.dedup,
    })
}

/// The subject of a mail: one line.
pub(crate) fn subject(notice: &Notice) -> String {
    line(&format!("[bedplate] {}: {}", notice.severity, notice.subject), 200)
}

/// A mail's text.
pub(crate) fn plain(notice: &Notice) -> String {
    let mut out = format!("{}\n", notice.subject);
    if !notice.text.is_empty() {
        out.push_str(&format!("\n{}\n", notice.text));
    }
    if !notice.fields.is_empty() {
        out.push('\n');
    }
    for (name, value) in &notice.fields {
        out.push_str(&format!("{name}: {value}\n"));
    }
    out.push_str(&format!("\n{} {} {} {}\n", notice.at, notice.kind, notice.severity, notice.id));
    out
}

/// Text on one line of `most` characters.
pub(crate) fn line(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    short(plain.trim(), most)
}

/// The beginning of a text that is longer than `most` characters, with an ellipsis.
pub(crate) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// An error with its causes, each said once.
pub(crate) fn causes(e: &dyn Error) -> String {
    let mut said = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        let more = e.to_string();
        if !said.ends_with(&more) {
            said = format!("{said}: {more}");
        }
        cause = e.source();
    }
    line(&said, 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_and_short() {
        assert_eq!(line(" a\r\nb\u{7} ", 9), "a  b");
        assert_eq!(line("grüße", 5), "grüße");
        assert_eq!(line("grüßen", 5), "grüß…");
        assert_eq!(short("abc", 2), "a…");
    }
}
