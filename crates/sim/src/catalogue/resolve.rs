//! What a `modelId` leads to, in all the forms Bedrock takes.

use super::{Catalogue, Kind, Model};
use crate::config::{Config, Lifecycle};
use crate::errors::AwsError;
use crate::families::Family;
use crate::glob;

/// A model that may be called.
pub(crate) struct Target {
    /// What the caller wrote.
    pub(crate) asked: String,
    pub(crate) model: &'static Model,
    pub(crate) family: Family,
    pub(crate) region: String,
}

impl Target {
    /// The foundation model's id.
    pub(crate) fn base(&self) -> &str {
        &self.model.base_model_id
    }

    /// The most tokens it writes.
    pub(crate) fn max_output(&self) -> u64 {
        self.model.max_output_tokens.unwrap_or(4096)
    }
}

const INVALID: &str = "The provided model identifier is invalid.";

impl Catalogue {
    /// Resolves `asked` for a caller in `region`.
    pub(crate) fn resolve(
        &'static self,
        config: &Config,
        asked: &str,
        region: &str,
    ) -> Result<Target, AwsError> {
        if asked.len() > 2048 {
            return Err(AwsError::validation(format!(
                "1 validation error detected: Value at 'modelId' failed to satisfy constraint: Member must have length less than or equal to 2048, got {}",
                asked.len()
            )));
        }
        let mut region = region.to_string();
        let id = match asked.strip_prefix("arn:") {
            None => asked,
            Some(rest) => {
                let (resource, home) = parts(rest)?;
                if !home.is_empty() {
                    region = home.to_string();
                }
                by_resource(config, rest, resource)?
            }
        };
        let model = self.get(id).ok_or_else(|| AwsError::validation(INVALID))?;
        if model.kind == Kind::FoundationModel && is_profile_only(self, config, model) {
            return Err(AwsError::validation(format!(
                "Invocation of model ID {id} with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model."
            )));
        }
        if config.lifecycle == Lifecycle::Enforce && model.lifecycle.state == "eol-date-passed" {
            return Err(AwsError::end_of_life());
        }
        Ok(Target { asked: asked.to_string(), family: Family::of(model), model, region })
    }

    /// Resolves a model for CountTokens: foundation models by their own id, on demand or not.
    pub(crate) fn resolve_countable(
        &'static self,
        config: &Config,
        asked: &str,
        region: &str,
    ) -> Result<Target, AwsError> {
        let id = asked.rsplit_once("foundation-model/").map_or(asked, |(_, id)| id);
        let refuse = || AwsError::validation("The provided model doesn't support counting tokens.");
        match self.get(id) {
            Some(m) if m.kind == Kind::FoundationModel => {
                let family = Family::of(m);
                if m.mode != "chat" {
                    return Err(refuse());
                }
                Ok(Target { asked: asked.to_string(), family, model: m, region: region.to_string() })
            }
            _ => self.resolve(config, asked, region).and_then(|_| Err(refuse())),
        }
    }
}

/// Whether the bare id has no on-demand access.
pub(crate) fn is_profile_only(catalogue: &Catalogue, config: &Config, model: &Model) -> bool {
    let listed = config.profile_only.iter().any(|p| glob::matches(p, &model.id));
    // without a profile in the list there would be no way in at all
    listed && catalogue.has_profile(&model.id)
}

/// The resource part and the region of an ARN, `arn:` taken off.
fn parts(rest: &str) -> Result<(&str, &str), AwsError> {
    let fields: Vec<&str> = rest.splitn(5, ':').collect();
    match fields[..] {
        [partition, "bedrock" | "sagemaker", region, _, resource] if partition.starts_with("aws") => {
            Ok((resource, region))
        }
        _ => Err(AwsError::validation("The provided ARN is invalid.")),
    }
}

fn by_resource<'a>(config: &'a Config, rest: &'a str, resource: &'a str) -> Result<&'a str, AwsError> {
    let (kind, id) =
        resource.split_once('/').ok_or_else(|| AwsError::validation("The provided ARN is invalid."))?;
    let account = rest.split(':').nth(3).unwrap_or_default();
    let missing = |what: &str| Err(AwsError::not_found(format!("Could not find {what} with ARN arn:{rest}")));
    match kind {
        "foundation-model" => Ok(id),
        "inference-profile" if account == config.account || account.is_empty() => Ok(id),
        "inference-profile" => Err(AwsError::access_denied(format!(
            "You don't have access to the inference profile arn:{rest}."
        ))),
        "application-inference-profile" => {
            match config.application_profile.iter().find(|p| p.id == id && account == config.account) {
                Some(profile) => Ok(&profile.model),
                None => missing("inference profile"),
            }
        }
        "provisioned-model" => missing("provisioned model"),
        "custom-model" | "custom-model-deployment" => missing("custom model"),
        "imported-model" => missing("imported model"),
        "prompt" => missing("prompt"),
        "prompt-router" | "default-prompt-router" => missing("prompt router"),
        "endpoint" => missing("endpoint"),
        _ => Err(AwsError::validation(INVALID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ApplicationProfile;

    fn outcome(asked: &str) -> Result<String, (u16, String)> {
        let config = Config {
            application_profile: vec![ApplicationProfile {
                id: "a1b2c3d4e5f6".into(),
                name: "payments".into(),
                model: "us.amazon.nova-pro-v1:0".into(),
            }],
            ..Config::default()
        };
        let found = Catalogue::shared().unwrap().resolve(&config, asked, "us-east-1");
        found.map(|t| t.model.id.clone()).map_err(|e| (e.status.as_u16(), e.message))
    }

    #[test]
    fn every_form_of_a_model_id_leads_somewhere() {
        for (asked, id) in [
            ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
            (
                "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.amazon.nova-lite-v1:0",
                "us.amazon.nova-lite-v1:0",
            ),
            (
                "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3d4e5f6",
                "us.amazon.nova-pro-v1:0",
            ),
        ] {
            assert_eq!(outcome(asked), Ok(id.to_string()));
        }
    }

    #[test]
    fn what_is_not_there_is_refused_as_aws_does() {
        for (asked, status, says) in [
            ("nope", 400, "identifier is invalid"),
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", 400, "on-demand throughput"),
            (
                "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/zzzzzzzzzzzz",
                404,
                "inference profile",
            ),
            ("arn:aws:bedrock:us-east-1:000000000000:provisioned-model/abc", 404, "provisioned"),
            (
                "arn:aws:bedrock:us-east-1:111111111111:inference-profile/us.amazon.nova-lite-v1:0",
                403,
                "access",
            ),
            ("arn:aws:s3:::bucket/x", 400, "ARN"),
            ("amazon.titan-image-generator-v2:0", 404, "end of its life"),
        ] {
            let (got, text) = outcome(asked).unwrap_err();
            assert!(got == status && text.contains(says), "{asked}: {got} {text}");
        }
    }
}
