//! One pass over a chunk: how much text it carries, and whether it is worth parsing.

/// What a glance told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Glance {
    /// Bytes of text, as JSON writes them (escapes counted as written: an upper bound).
    pub(super) text_bytes: u64,
    /// Usage, metrics or a reason to stop may be in it.
    pub(super) matters: bool,
    /// The metrics that come last.
    pub(super) last: bool,
}

/// Looks over a JSON text without parsing it. Never fails: what is no JSON gives some answer.
pub(super) fn over(json: &[u8]) -> Glance {
    let mut seen = Glance::default();
    let mut at = 0;
    while let Some((name, after)) = string(json, at) {
        let Some(value_at) = value(json, after) else {
            at = after;
            continue;
        };
        if json.get(value_at) == Some(&b'"') {
            let Some((text, end)) = string(json, value_at) else { break };
            if is_text(name) {
                seen.text_bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
            }
            seen.matters |= ends(name);
            at = end;
        } else {
            seen.matters |= counts(name) && json.get(value_at) != Some(&b'n');
            seen.last |= name == b"amazon-bedrock-invocationMetrics";
            at = value_at;
        }
    }
    seen
}

/// The next string from `at` on: what is between its quotes, and where it ends.
fn string(json: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let start = at + memchr::memchr(b'"', json.get(at..)?)? + 1;
    let mut from = start;
    loop {
        let hit = from + memchr::memchr2(b'"', b'\\', json.get(from..)?)?;
        if json[hit] == b'"' {
            return Some((&json[start..hit], hit + 1));
        }
        from = hit + 2;
    }
}

/// Where the value begins, when a colon follows.
fn value(json: &[u8], at: usize) -> Option<usize> {
    let skip = |mut at: usize| {
        while matches!(json.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            at += 1;
        }
        at
    };
    let colon = skip(at);
    (json.get(colon) == Some(&b':')).then(|| skip(colon + 1))
}

/// Members whose strings are what a model wrote. The padding member `p` is none of them.
fn is_text(name: &[u8]) -> bool {
    matches!(
        name,
        b"text"
            | b"input"
            | b"partial_json"
            | b"thinking"
            | b"content"
            | b"reasoning"
            | b"reasoning_content"
            | b"arguments"
            | b"generation"
            | b"outputText"
            | b"completion"
            | b"redactedContent"
            | b"data"
    )
}

fn ends(name: &[u8]) -> bool {
    matches!(name, b"stop_reason" | b"stopReason" | b"finish_reason" | b"finishReason" | b"completionReason")
}

fn counts(name: &[u8]) -> bool {
    matches!(
        name,
        b"usage"
            | b"metadata"
            | b"amazon-bedrock-invocationMetrics"
            | b"amazon-bedrock-trace"
            | b"prompt_token_count"
            | b"inputTextTokenCount"
            | b"totalOutputTextTokenCount"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> (u64, bool, bool) {
        let g = over(json.as_bytes());
        (g.text_bytes, g.matters, g.last)
    }

    #[test]
    fn text_is_counted_and_padding_is_not() {
        assert_eq!(of(r#"{"contentBlockIndex":0,"delta":{"text":"h\"i"},"p":"abcdef"}"#), (4, false, false));
        assert_eq!(of(r#"{"delta":{"type":"text_delta","text": "abc"}}"#), (3, false, false));
        assert_eq!(of(r#"{"delta":{"toolUse":{"input":"{\"a\":1}"}}}"#), (9, false, false));
    }

    #[test]
    fn words_inside_text_do_not_matter() {
        assert!(!of(r#"{"text":"say \"usage\":{} and \"stop_reason\":\"x\""}"#).1);
        assert_eq!(of(r#"{"stop_reason":null}"#), (0, false, false));
        assert_eq!(of(r#"{"delta":{"stop_reason" : "end_turn"}}"#), (0, true, false));
        assert_eq!(of(r#"{"amazon-bedrock-invocationMetrics":{}}"#), (0, true, true));
    }

    #[test]
    fn anything_gives_some_answer() {
        for text in ["", "\"", "\"\\", "\"a\":", "\"text\":\"", "}{\"", "\"text\":\"\\"] {
            let _ = of(text);
        }
    }
}
