//! What an answer used, in the vendor's counters: they are disjoint, like ours.

use std::borrow::Cow;

use bedplate_core::conversation::Text;
use bedplate_core::usage::Usage;

use crate::json::object::object;
use crate::json::write::Object;

object!(RawUsage {
    "input_tokens" => input: u64,
    "output_tokens" => output: u64,
    "cache_read_input_tokens" => read: u64,
    "cache_creation_input_tokens" => written: u64,
    "cache_creation" => creation: Creation<'a>,
    "output_tokens_details" => details: Details<'a>,
    "service_tier" => tier: Text<'a>,
});
object!(Creation {
    "ephemeral_5m_input_tokens" => five_minutes: u64,
    "ephemeral_1h_input_tokens" => hour: u64,
});
object!(Details { "thinking_tokens" => thinking: u64 });

/// More than any call can use: what an upstream says beyond it is cut, so that sums are sums.
pub(super) const BOUND: u64 = 1 << 40;

impl RawUsage<'_> {
    /// Adds what is said to what was: counters are of the whole answer so far.
    pub(super) fn put(&self, usage: &mut Usage) {
        let set = |place: &mut u64, said: Option<u64>| {
            if let Some(said) = said {
                *place = said.min(BOUND);
            }
        };
        set(&mut usage.input, self.input);
        set(&mut usage.output, self.output);
        set(&mut usage.cache_read, self.read);
        if let Some(creation) = &self.creation {
            usage.cache_write_1h = creation.hour.unwrap_or(0).min(BOUND);
            usage.cache_write_5m = creation.five_minutes.unwrap_or(0).min(BOUND);
        }
        if let Some(written) = self.written {
            // what is not said to live an hour lives five minutes
            usage.cache_write_5m = written.min(BOUND).saturating_sub(usage.cache_write_1h);
        }
        if let Some(thinking) = self.details.as_ref().and_then(|details| details.thinking) {
            usage.reasoning = Some(thinking.min(usage.output));
        }
    }

    /// The tier that served, in AWS's word.
    pub(super) fn tier(&self) -> Option<Cow<'static, str>> {
        let tier = self.tier.as_ref()?.decode();
        Some(match &*tier {
            "standard" => "default".into(),
            other => other.to_owned().into(),
        })
    }
}

/// Writes the members of `usage`; `tier` in AWS's word.
pub(super) fn write(o: &mut Object<'_>, usage: &Usage, tier: Option<&str>) {
    o.number("input_tokens", usage.input);
    o.number("cache_creation_input_tokens", usage.cache_write_5m.saturating_add(usage.cache_write_1h));
    o.number("cache_read_input_tokens", usage.cache_read);
    if usage.cache_write_5m > 0 || usage.cache_write_1h > 0 {
        o.object("cache_creation")
            .number("ephemeral_5m_input_tokens", usage.cache_write_5m)
            .number("ephemeral_1h_input_tokens", usage.cache_write_1h);
    }
    o.number("output_tokens", usage.output);
    if let Some(thinking) = usage.reasoning {
        o.object("output_tokens_details").number("thinking_tokens", thinking);
    }
    // SDKs know no other words
    let tier = match tier {
        Some("default") => "standard",
        Some("priority") => "priority",
        _ => return,
    };
    o.string("service_tier", tier);
}
