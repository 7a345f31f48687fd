//! What an answer used, in the pipeline's words.

use bedplate_core::record::way_served;
use bedplate_pipeline::Metered;
use bedplate_wire::bedrock::{Family, cache, usage};

/// What was read of an answer of a family.
pub(crate) fn metered(m: usage::Metered, family: Family) -> Metered {
    let finish = cache::finish(family, m.stop_reason.as_deref());
    Metered {
        usage: m.usage,
        prompt: m.prompt.map(Box::new),
        tier: way_served(m.tier.unwrap_or_default(), m.latency.as_deref()),
        model: m.model,
        stop_reason: m.stop_reason,
        finish,
        latency_ms: m.latency_ms,
        output_bytes: m.output_bytes,
    }
}
