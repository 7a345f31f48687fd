//! Guardrails: simple detectors, real offsets, Bedrock's answers.
//!
//! Beside the configured guardrails there is always one, [`BUILT_IN`], so that the calls can be tried
//! with nothing configured: it blocks card numbers and prompt attacks, and masks e-mail addresses and
//! phone numbers.

mod assess;
pub(crate) mod checks;
pub(crate) mod detect;

use serde_json::Value;

use crate::config::{Config, GuardrailSetting, TopicSetting};
use crate::errors::AwsError;
pub(crate) use assess::Side;

/// The guardrail that always exists, versions `DRAFT` and `1`.
pub(crate) const BUILT_IN: &str = "gr0simulator";

const BLOCKED_INPUT: &str = "Sorry, the model cannot answer this question.";
const BLOCKED_OUTPUT: &str = "Sorry, the model cannot answer this question.";

/// The guardrails that exist.
pub(crate) struct Guardrails {
    all: Vec<GuardrailSetting>,
    account: String,
}

/// A guardrail asked for by a request, with its version.
pub(crate) struct Guardrail<'a> {
    setting: &'a GuardrailSetting,
    version: String,
    account: &'a str,
    region: String,
}

impl Guardrails {
    pub(crate) fn new(config: &Config) -> Self {
        let mut all = config.guardrail.clone();
        if !all.iter().any(|g| g.id == BUILT_IN) {
            all.push(GuardrailSetting {
                id: BUILT_IN.into(),
                versions: vec!["1".into()],
                block: vec!["CREDIT_DEBIT_CARD_NUMBER".into()],
                anonymize: vec!["EMAIL".into(), "PHONE".into()],
                words: Vec::new(),
                topic: vec![TopicSetting {
                    name: "Investment advice".into(),
                    phrases: vec!["which stocks should i buy".into(), "investment advice".into()],
                }],
                prompt_attack: true,
                blocked_input: None,
                blocked_output: None,
            });
        }
        Self { all, account: config.account.clone() }
    }

    /// The guardrail `id` (an id or an ARN) at `version`.
    ///
    /// # Errors
    /// The text AWS gives when there is none such.
    pub(crate) fn find(&self, id: &str, version: &str, region: &str) -> Result<Guardrail<'_>, String> {
        let short = id.rsplit('/').next().unwrap_or(id);
        self.all
            .iter()
            .find(|g| g.id == short && (version == "DRAFT" || g.versions.iter().any(|v| v == version)))
            .map(|setting| Guardrail {
                setting,
                version: version.to_string(),
                account: &self.account,
                region: region.to_string(),
            })
            .ok_or_else(|| {
                "The guardrail identifier or version provided in the request does not exist.".into()
            })
    }

    /// The guardrail that a `guardrailConfig` names.
    pub(crate) fn of_config(&self, config: &Value, region: &str) -> Result<Option<Guardrail<'_>>, AwsError> {
        let (Some(id), version) =
            (config["guardrailIdentifier"].as_str(), config["guardrailVersion"].as_str())
        else {
            return Ok(None);
        };
        let version = version.unwrap_or("DRAFT");
        self.find(id, version, region).map(Some).map_err(AwsError::validation)
    }
}

impl Guardrail<'_> {
    pub(crate) fn id(&self) -> &str {
        &self.setting.id
    }

    fn blocked_text(&self, side: Side) -> String {
        match side {
            Side::Input => self.setting.blocked_input.clone().unwrap_or_else(|| BLOCKED_INPUT.into()),
            Side::Output => self.setting.blocked_output.clone().unwrap_or_else(|| BLOCKED_OUTPUT.into()),
        }
    }
}

/// Text units: one for each thousand characters begun.
pub(crate) fn text_units(characters: usize) -> u64 {
    u64::try_from(characters).unwrap_or(u64::MAX).div_ceil(1000)
}
