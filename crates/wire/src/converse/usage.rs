//! Writing what an answer used.

use bedplate_core::usage::Usage;

use crate::json::write::Object;

/// Converse's `usage`: input tokens leave cached ones out, their sum does not.
pub(super) fn usage(usage: &Usage, o: &mut Object<'_>) {
    o.number("inputTokens", usage.input)
        .number("outputTokens", usage.output)
        .number("totalTokens", usage.total());
    let written = usage.cache_write_5m + usage.cache_write_1h;
    if usage.cache_read + written == 0 {
        return;
    }
    o.number("cacheReadInputTokens", usage.cache_read).number("cacheWriteInputTokens", written);
    if written > 0 {
        let mut list = o.list("cacheDetails");
        for (ttl, n) in [("1h", usage.cache_write_1h), ("5m", usage.cache_write_5m)] {
            if n > 0 {
                list.object().string("ttl", ttl).number("inputTokens", n);
            }
        }
    }
}

/// Nova's: with names of its own, and no lifetimes.
pub(crate) fn of_nova(usage: &Usage, o: &mut Object<'_>) {
    o.number("inputTokens", usage.input)
        .number("outputTokens", usage.output)
        .number("totalTokens", usage.total())
        .number("cacheReadInputTokenCount", usage.cache_read)
        .number("cacheWriteInputTokenCount", usage.cache_write_5m + usage.cache_write_1h);
}
