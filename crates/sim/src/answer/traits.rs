//! How good, how fast and how costly in quota each simulated model is.
//!
//! | models | error rate | first token | per token |
//! |---|---|---|---|
//! | Nova Micro, Llama 1B and 3B, Ministral 3B | 12% | 120 ms | 4 ms |
//! | Nova Lite, Haiku, Llama 8B and 11B, 7B to 20B open models, Titan Lite | 8% | 150 ms | 5 ms |
//! | Nova Pro, Premier, 70B class and all others | 4% | 260 ms | 9 ms |
//! | Claude Sonnet, Opus, Fable, Mythos; GPT; Grok | 1% | 420 ms | 14 ms |

use std::time::Duration;

use crate::config::{Config, LatencyMode};
use crate::glob;
use crate::quota::Limits;

/// A model's defaults, or what the configuration says instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Traits {
    /// Share of wrong answers.
    pub(crate) error_rate: f64,
    pub(crate) first_token: Duration,
    pub(crate) per_token: Duration,
    pub(crate) rpm: Option<u64>,
    pub(crate) tpm: Option<u64>,
    /// Tokens a minute that somebody else uses.
    pub(crate) others: u64,
    pub(crate) cache_min_tokens: Option<u64>,
    /// How many quota tokens an output token uses.
    pub(crate) burndown: u64,
}

impl Traits {
    /// What may be called in a minute.
    pub(crate) fn limits(&self) -> Limits {
        Limits { rpm: self.rpm, tpm: self.tpm, others: self.others }
    }
}

const TINY: &[&str] = &["*nova-micro*", "*llama3-2-1b*", "*llama3-2-3b*", "*ministral-3-3b*"];
const SMALL: &[&str] = &[
    "*nova-lite*",
    "*nova-2-lite*",
    "*haiku*",
    "*-8b-*",
    "*-11b-*",
    "*-7b-*",
    "*-9b-*",
    "*-12b-*",
    "*-14b-*",
    "*gpt-oss-20b*",
    "*titan-text-lite*",
    "*mini*",
    "*flash*",
    "*nano*",
];
const LARGE: &[&str] = &["anthropic.claude-*", "openai.gpt-5*", "openai.gpt-6*", "xai.grok*"];

/// What holds for the model with this base id, called as `id`.
pub(crate) fn traits(config: &Config, base: &str, id: &str) -> Traits {
    let is = |patterns: &[&str]| patterns.iter().any(|p| glob::matches(p, base));
    let (error_rate, first, per) = if is(TINY) {
        (0.12, 120, 4)
    } else if is(SMALL) {
        (0.08, 150, 5)
    } else if is(LARGE) {
        (0.01, 420, 14)
    } else {
        (0.04, 260, 9)
    };
    // what the configuration says of a model is said on purpose, and stands over this
    let (first, per) = if config.latency == LatencyMode::Off { (0, 0) } else { (first, per) };
    let mut t = Traits {
        error_rate,
        first_token: Duration::from_millis(first),
        per_token: Duration::from_millis(per),
        rpm: None,
        tpm: None,
        others: 0,
        cache_min_tokens: None,
        burndown: burndown(base),
    };
    let settings = config.model.iter().filter(|m| glob::matches(&m.id, base) || glob::matches(&m.id, id));
    for m in settings {
        t.error_rate = m.error_rate.unwrap_or(t.error_rate);
        t.first_token = m.first_token.map_or(t.first_token, |s| s.0);
        t.per_token = m.per_token.map_or(t.per_token, |s| s.0);
        t.rpm = m.rpm.or(t.rpm);
        t.tpm = m.tpm.or(t.tpm);
        t.others = m.others.unwrap_or(t.others);
        t.cache_min_tokens = m.cache_min_tokens.or(t.cache_min_tokens);
    }
    t
}

/// Five for Claude 3.7 and later, one for all others.
fn burndown(base: &str) -> u64 {
    let Some(name) = base.strip_prefix("anthropic.claude-") else { return 1 };
    let old = ["3-5", "3-haiku", "3-opus", "3-sonnet", "instant", "v1", "v2"];
    if old.iter().any(|o| name.starts_with(o)) { 1 } else { 5 }
}

#[cfg(test)]
mod tests {
    use bedplate_core::setting::Span;

    use super::*;
    use crate::config::ModelSetting;

    #[test]
    fn smaller_models_err_more_and_settings_win() {
        let plain = Config::default();
        let rate = |base| traits(&plain, base, base).error_rate;
        assert_eq!(
            ["amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"].map(rate),
            [0.12, 0.08, 0.04]
        );
        assert_eq!(rate("anthropic.claude-sonnet-4-5-20250929-v1:0"), 0.01);
        let model = vec![ModelSetting { id: "*nova*".into(), error_rate: Some(0.0), ..Default::default() }];
        let set = Config { model, ..Config::default() };
        assert_eq!(traits(&set, "amazon.nova-micro-v1:0", "us.amazon.nova-micro-v1:0").error_rate, 0.0);
    }

    #[test]
    fn without_latency_a_model_takes_the_time_that_is_said_of_it_and_no_other() {
        let slow = ModelSetting {
            id: "*lite*".into(),
            first_token: Some(Span::millis(80)),
            ..ModelSetting::default()
        };
        let config = Config { latency: LatencyMode::Off, model: vec![slow], ..Config::default() };
        let times = |base| {
            let of = traits(&config, base, base);
            (of.first_token, of.per_token)
        };
        assert_eq!(times("amazon.nova-pro-v1:0"), (Duration::ZERO, Duration::ZERO));
        assert_eq!(times("amazon.nova-lite-v1:0"), (Duration::from_millis(80), Duration::ZERO));
    }

    #[test]
    fn claude_from_3_7_on_burns_five() {
        assert_eq!(
            [
                "anthropic.claude-3-haiku-x",
                "anthropic.claude-3-7-sonnet-x",
                "anthropic.claude-opus-5",
                "meta.llama3"
            ]
            .map(burndown),
            [1, 5, 5, 1]
        );
    }
}
