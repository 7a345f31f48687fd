//! Differences that may be: members and headers that the API does not promise, each with the reason.
//!
//! They are shown as optional and do not count. An entry excuses a place that only one side has, or that
//! is null on one side; never one that has two types.

/// The end of a path, and why it may be on one side alone.
pub(super) type Optional = (&'static str, &'static str);

/// What holds for every check.
pub(super) const OPTIONAL: &[Optional] = &[
    ("usage.cacheReadInputTokens", CACHE),
    ("usage.cacheWriteInputTokens", CACHE),
    ("usage.cacheReadInputTokenCount", CACHE),
    ("usage.cacheWriteInputTokenCount", CACHE),
    ("usage.cacheDetails", CACHE),
    ("usage.cache_read_input_tokens", CACHE),
    ("usage.cache_creation_input_tokens", CACHE),
    ("usage.cache_creation", CACHE),
    ("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", CACHE),
    ("amazon-bedrock-invocationMetrics.cacheWriteInputTokenCount", CACHE),
    ("headers.x-amzn-bedrock-cache-read-input-token-count", CACHE),
    ("headers.x-amzn-bedrock-cache-write-input-token-count", CACHE),
    ("serviceTier", ECHO),
    ("performanceConfig", ECHO),
    ("headers.x-amzn-bedrock-service-tier", ECHO),
    ("headers.x-amzn-bedrock-performanceconfig-latency", ECHO),
    ("headers.x-amz-retry-after", HINT),
    ("headers.retry-after", HINT),
    ("amazon-bedrock-guardrailAction", "said where a guardrail was looked for"),
    ("metadata.trace", "said where a guardrail or a router traced"),
    ("modelLifecycle.startOfLifeTime", DATE),
    ("modelLifecycle.legacyTime", DATE),
    ("modelLifecycle.publicExtendedAccessTime", DATE),
    ("modelLifecycle.endOfLifeTime", DATE),
    ("body.nextToken", "there may be one page or more"),
    ("description", "profiles may have a description"),
    ("createdAt", "not promised by the API"),
    ("updatedAt", "not promised by the API"),
    ("body.__type", "AWS names the error in the header; the body may repeat it"),
];

const CACHE: &str = "counted where the model or the request uses the prompt cache";
const ECHO: &str = "echoed when asked for; some models say it always";
const HINT: &str = "sent when the service knows how long to wait";
const DATE: &str = "not every model has that date";

/// Why `path` may be on one side alone; `None` when it may not.
pub(super) fn why(path: &str, more: &[Optional]) -> Option<&'static str> {
    let ends =
        |end: &str| path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    more.iter().chain(OPTIONAL).find(|(end, _)| ends(end)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_excused_by_its_end_at_whole_names_only() {
        assert!(why("body.usage.cacheDetails", &[]).is_some());
        assert!(why("body.myusage.cacheDetails", &[]).is_none());
        assert!(why("body.usage.totalTokens", &[]).is_none());
        assert_eq!(why("blocks.text", &[("blocks.text", "models may speak")]), Some("models may speak"));
    }
}
