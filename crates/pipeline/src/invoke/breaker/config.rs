//! When a target is left alone, and how it comes back.

use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[breaker]`: when a target is left alone, and how it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// So many failures one after the other open it; 0 switches breakers off.
    pub failures: u32,
    /// So many percent of the calls of `window` open it, too, from `calls` on.
    pub percent: u8,
    /// Fewer calls than this say nothing about a share.
    pub calls: u32,
    /// Over which failures are counted.
    pub window: Span,
    /// How long it stays open the first time; each time that follows twice as long.
    pub open: Span,
    /// How long at most.
    pub longest: Span,
    /// How long it takes a target to get all of its calls again.
    pub returning: Span,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            percent: 50,
            calls: 20,
            window: Span::secs(30),
            open: Span::secs(5),
            longest: Span::secs(120),
            returning: Span::secs(20),
        }
    }
}

impl BreakerConfig {
    /// Everything that is wrong, each with its member.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let mut must = |good: bool, member: &'static str, what: &str| {
            if !good {
                wrong.push((member, format!("`[breaker] {member}` must be {what}")));
            }
        };
        must((1..=100).contains(&self.percent), "percent", "from 1 to 100");
        must(self.calls > 0, "calls", "at least 1");
        must(self.window >= Span::secs(1), "window", "at least 1s");
        must(self.open >= Span::millis(100), "open", "at least 100ms");
        must(self.longest >= self.open, "longest", "at least `open`");
        wrong
    }
}
