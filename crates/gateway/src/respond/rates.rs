//! How rates stand, in the headers that clients of OpenAI made customary, or in those of Anthropic's.

use std::time::Duration;

use bedplate_core::call::Dialect;
use bedplate_core::clock::Timestamp;
use bedplate_core::rate::Level;
use bedplate_pipeline::Rated;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Limit, remaining, reset.
type Names = [HeaderName; 3];

const REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

const ANTHROPIC_REQUESTS: Names = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const ANTHROPIC_TOKENS: Names = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

/// Tells the caller how the tightest counts stand that concern the call, which began at `began`.
pub(super) fn show(rated: Option<Rated>, headers: &mut HeaderMap, dialect: Dialect, began: Timestamp) {
    let Some(Rated { requests, tokens }) = rated else { return };
    let (of_requests, of_tokens) = match dialect {
        Dialect::Anthropic => (ANTHROPIC_REQUESTS, ANTHROPIC_TOKENS),
        Dialect::Bedrock | Dialect::OpenAi => (REQUESTS, TOKENS),
    };
    for (names, level) in [(of_requests, requests), (of_tokens, tokens)] {
        let (names, Some(Level { limit, remaining, full_in })) = (names, level) else { continue };
        let [limits, remains, resets] = names;
        headers.insert(limits, HeaderValue::from(limit));
        headers.insert(remains, HeaderValue::from(remaining));
        let reset = match dialect {
            // a point in time
            Dialect::Anthropic => began.plus(full_in).to_string(),
            Dialect::Bedrock | Dialect::OpenAi => length(full_in),
        };
        if let Ok(reset) = HeaderValue::from_str(&reset) {
            headers.insert(resets, reset);
        }
    }
}

/// `120ms`, `1.2s`, `6m0s`.
fn length(length: Duration) -> String {
    let millis = length.as_millis();
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let (minutes, seconds, rest) = (millis / 60_000, millis / 1_000 % 60, millis % 1_000);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    let seconds = format!("{seconds}{}s", fraction.trim_end_matches('0'));
    if minutes == 0 { seconds } else { format!("{minutes}m{seconds}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_clients_expect_them() {
        let cases = [
            (0, "0ms"),
            (120, "120ms"),
            (1_000, "1s"),
            (1_200, "1.2s"),
            (59_999, "59.999s"),
            (60_000, "1m0s"),
            (360_050, "6m0.05s"),
        ];
        for (millis, said) in cases {
            assert_eq!(length(Duration::from_millis(millis)), said);
        }
    }

    #[test]
    fn a_kind_that_no_throttle_counts_is_not_told() {
        let mut headers = HeaderMap::new();
        let began = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        show(None, &mut headers, Dialect::OpenAi, began);
        assert!(headers.is_empty());
        let level = Level { limit: 60, remaining: 59, full_in: Duration::from_secs(1) };
        show(Some(Rated { requests: Some(level), tokens: None }), &mut headers, Dialect::OpenAi, began);
        let said: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(said.len(), 3);
        assert!(said.contains(&("x-ratelimit-reset-requests", "1s")));
        let mut headers = HeaderMap::new();
        show(Some(Rated { requests: None, tokens: Some(level) }), &mut headers, Dialect::Anthropic, began);
        assert_eq!(headers["anthropic-ratelimit-tokens-remaining"], "59");
        let reset = headers["anthropic-ratelimit-tokens-reset"].to_str().unwrap();
        assert!(reset.starts_with("2026-11-22T12:00:01"), "{reset}");
    }
}
