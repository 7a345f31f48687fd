//! What the control endpoint says of a profile, a router or a provisioned model.

use serde::Deserialize;

/// The members of the three answers that name models.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Behind {
    models: Vec<Model>,
    fallback_model: Option<Model>,
    /// Of a provisioned model, which may be a customised one: the model that it began as.
    #[serde(rename = "foundationModelArn")]
    pub(super) base: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    model_arn: String,
}

impl Behind {
    /// Every model that may answer.
    pub(super) fn arns(&self) -> Vec<&str> {
        self.models.iter().chain(&self.fallback_model).map(|model| &*model.model_arn).collect()
    }
}
