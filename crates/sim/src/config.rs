//! What an operator may set: section `[sim]` of `bedplate.toml`, or the file of `bedplate sim --config`.

use bedplate_core::setting::{SecretRef, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the simulator. Every member has a default, so an empty section is a working one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Regions a signature may be scoped to; empty means any.
    pub regions: Vec<String>,
    /// The account that owns profiles, guardrails and jobs: twelve digits.
    pub account: String,
    /// Answers, ids, latencies and errors are drawn from this number and the request.
    pub seed: u64,
    /// Latencies and quota windows run this many times faster than real time.
    pub time_scale: f64,
    pub auth: Auth,
    /// Key pairs that may sign. With none, [`Sim`](crate::Sim) makes one at start.
    pub credentials: Vec<Credential>,
    /// Bearer keys that are let in.
    pub bearer_tokens: Vec<SecretRef>,
    pub latency: LatencyMode,
    pub lifecycle: Lifecycle,
    /// Globs of base model ids that are served only through an inference profile.
    pub profile_only: Vec<String>,
    /// Settings by model; of several that match a model, the last one that names a value wins.
    pub model: Vec<ModelSetting>,
    pub fault: Vec<FaultRule>,
    pub guardrail: Vec<GuardrailSetting>,
    /// Application inference profiles that exist.
    pub application_profile: Vec<ApplicationProfile>,
    /// How many past requests `GET /__sim/requests` shows.
    pub keep_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            account: "000000000000".into(),
            seed: 1,
            time_scale: 1.0,
            auth: Auth::Verify,
            credentials: Vec::new(),
            bearer_tokens: Vec::new(),
            latency: LatencyMode::Realistic,
            lifecycle: Lifecycle::Enforce,
            profile_only: PROFILE_ONLY.map(String::from).to_vec(),
            model: Vec::new(),
            fault: Vec::new(),
            guardrail: Vec::new(),
            application_profile: Vec::new(),
            keep_requests: 256,
        }
    }
}

/// Models without on-demand access by their bare id: Claude from 3.5 v2 on, the newer Llamas,
/// DeepSeek R1, and the closed OpenAI and xAI models.
const PROFILE_ONLY: [&str; 13] = [
    "anthropic.claude-3-5-haiku-*",
    "anthropic.claude-3-5-sonnet-20241022-*",
    "anthropic.claude-3-7-*",
    "anthropic.claude-*-4-*",
    "anthropic.claude-*-5*",
    "anthropic.claude-mythos-*",
    "meta.llama3-2-*",
    "meta.llama3-3-*",
    "meta.llama4-*",
    "deepseek.r1-*",
    "openai.gpt-5*",
    "openai.gpt-6*",
    "xai.grok-*",
];

/// Whether requests must prove who sent them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Signatures and bearer keys are checked.
    #[default]
    Verify,
    /// Anything is let in, signed or not.
    Any,
}

/// A key pair that may sign requests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// What a signature names: `AKIAEXAMPLEEXAMPLE22`.
    pub access_key_id: String,
    /// Where the secret access key is that the signature is checked with.
    pub secret_access_key: SecretRef,
}

/// Whether answers take time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyMode {
    /// None, but what `[[sim.model]]` says in `first_token` and `per_token`.
    Off,
    /// First token, pace and jitter by model.
    #[default]
    Realistic,
}

/// What happens to a model whose end-of-life date has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Calls are refused as AWS refuses them.
    #[default]
    Enforce,
    Ignore,
}

/// Overrides for the models whose base id or profile id matches `id`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSetting {
    /// A glob: `amazon.nova-*`.
    pub id: String,
    /// Share of answers that are wrong, 0 to 1.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Time to the first token, also with `latency = "off"`.
    #[serde(default)]
    pub first_token: Option<Span>,
    /// Time for each further output token, also with `latency = "off"`.
    #[serde(default)]
    pub per_token: Option<Span>,
    /// Requests a minute; without it there is no limit.
    #[serde(default)]
    pub rpm: Option<u64>,
    /// Tokens a minute; without it there is no limit.
    #[serde(default)]
    pub tpm: Option<u64>,
    /// Tokens a minute of the quota that somebody else uses.
    #[serde(default)]
    pub others: Option<u64>,
    /// Fewest tokens a cache checkpoint must cover.
    #[serde(default)]
    pub cache_min_tokens: Option<u64>,
}

/// A fault by script: what goes wrong, for which calls, and how often.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    pub kind: FaultKind,
    /// A glob over the model id as called; any model without it.
    #[serde(default)]
    pub model: Option<String>,
    /// The API's name, `ConverseStream`; any operation without it.
    #[serde(default)]
    pub operation: Option<String>,
    /// Every n-th matching call.
    #[serde(default)]
    pub every: Option<u64>,
    /// The first n matching calls.
    #[serde(default)]
    pub first: Option<u64>,
    /// Share of matching calls, 0 to 1, drawn from the seed.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Stream events that pass before the fault.
    #[serde(default)]
    pub after: Option<usize>,
    /// How long `slow_first_byte` and `stall` wait.
    #[serde(default)]
    pub delay: Option<Span>,
    /// Member name of an exception event: `throttlingException`.
    #[serde(default)]
    pub exception: Option<String>,
    /// `x-amz-retry-after` of a `throttle`.
    #[serde(default)]
    pub retry_after: Option<Span>,
}

impl FaultRule {
    /// # Errors
    /// When it cannot be followed: why.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) || self.every == Some(0) {
            return Err("a fault needs `rate` between 0 and 1 and `every` of at least 1".into());
        }
        Ok(())
    }
}

/// What can go wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// ThrottlingException 429.
    Throttle,
    /// InternalServerException 500.
    Internal,
    /// ServiceUnavailableException 503.
    Unavailable,
    /// The response head comes late, by `delay` (default 5 s).
    SlowFirstByte,
    /// A stream stops for `delay` (default 60 s) `after` events; a whole answer stops halfway.
    Stall,
    /// TCP reset: before the response, or in a stream `after` events when `after` is given.
    Reset,
    /// A stream whose first event is an exception.
    ExceptionBeforeContent,
    /// A stream that breaks off with an exception event `after` events (default 3).
    ExceptionAfterContent,
    /// A stream that ends in the middle of a frame, `after` events (default 2).
    TruncatedFrame,
    /// A frame whose checksum is wrong, `after` events (default 2).
    CrcDamage,
    /// The model writes broken JSON where JSON was asked for; other text loses its end.
    MalformedJson,
    /// AccessDeniedException 403.
    AccessDenied,
    /// ResourceNotFoundException 404 that names end of life.
    EndOfLife,
    /// ModelNotReadyException 429.
    ModelNotReady,
    /// ModelTimeoutException 408.
    ModelTimeout,
    /// ModelErrorException 424.
    ModelError,
    /// A stream without its metadata event or invocation metrics; a whole answer is as ever.
    NoUsage,
}

/// A guardrail that exists, in every region.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardrailSetting {
    /// The identifier that requests name, alone or at the end of its ARN.
    pub id: String,
    /// Versions beside `DRAFT`.
    #[serde(default)]
    pub versions: Vec<String>,
    /// Kinds of personal data that block the call: `CREDIT_DEBIT_CARD_NUMBER`.
    #[serde(default)]
    pub block: Vec<String>,
    /// Kinds of personal data that are masked: `EMAIL`.
    #[serde(default)]
    pub anonymize: Vec<String>,
    /// Words and phrases that block the call.
    #[serde(default)]
    pub words: Vec<String>,
    /// Denied topics, each known by the phrases that give it away.
    #[serde(default)]
    pub topic: Vec<TopicSetting>,
    /// Whether prompt attacks in the input block the call.
    #[serde(default)]
    pub prompt_attack: bool,
    /// What is answered in place of the model when the input is blocked.
    #[serde(default)]
    pub blocked_input: Option<String>,
    /// What is answered in place of the model's text when that is blocked.
    #[serde(default)]
    pub blocked_output: Option<String>,
}

/// A denied topic.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicSetting {
    /// How assessments name it.
    pub name: String,
    /// A text that has one of these in it, as whole words, is about the topic.
    pub phrases: Vec<String>,
}

/// An application inference profile: its own id before a model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationProfile {
    /// The last part of its ARN, twelve characters.
    pub id: String,
    /// The name that listings of profiles show.
    pub name: String,
    /// The foundation model or system profile id it copies.
    pub model: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_it_all_and_nothing_else() {
        let config: Config = toml::from_str(
            r#"
            time_scale = 60.0
            latency = "off"
            auth = "any"
            credentials = [{ access_key_id = "AKIA", secret_access_key = { env = "SECRET" } }]

            [[model]]
            id = "*nova*"
            error_rate = 0.5
            first_token = "80ms"
            tpm = 1000

            [[fault]]
            kind = "exception_after_content"
            model = "*nova*"
            every = 3
            exception = "modelStreamErrorException"

            [[application_profile]]
            id = "a1b2c3d4e5f6"
            name = "payments"
            model = "amazon.nova-pro-v1:0"
            "#,
        )
        .unwrap();
        assert_eq!(config.fault[0].kind, FaultKind::ExceptionAfterContent);
        assert_eq!(config.model[0].first_token, Some(Span::millis(80)));
        assert_eq!(config.account, Config::default().account);
        assert!(toml::from_str::<Config>("latancy = \"off\"").unwrap_err().to_string().contains("latancy"));
        assert!(toml::from_str::<Config>("[[fault]]\nkind = \"explode\"").is_err());
    }
}
