//! The models and profiles that exist: `data/models.json`, read once, only the members needed here.

mod resolve;

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

pub(crate) use resolve::{Target, is_profile_only};

/// Every model and system profile of bedrock-runtime.
pub(crate) struct Catalogue {
    pub(crate) models: Vec<Model>,
    by_id: HashMap<String, usize>,
}

impl Catalogue {
    /// The catalogue in the binary, parsed at first use.
    pub(crate) fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<Catalogue, String>> = OnceLock::new();
        SHARED.get_or_init(Self::read).as_ref().map_err(Clone::clone)
    }

    fn read() -> Result<Self, String> {
        let file: File = serde_json::from_slice(include_bytes!("../data/models.json"))
            .map_err(|e| format!("the embedded model list cannot be read: {e}"))?;
        let more: File = serde_json::from_str(MORE)
            .map_err(|e| format!("the models beside the list cannot be read: {e}"))?;
        let models: Vec<Model> =
            file.models.into_iter().chain(more.models).filter(|m| m.endpoint == "bedrock-runtime").collect();
        let by_id = models.iter().enumerate().map(|(i, m)| (m.id.clone(), i)).collect();
        Ok(Self { models, by_id })
    }

    /// The row whose id is exactly `id`.
    pub(crate) fn get(&self, id: &str) -> Option<&Model> {
        self.by_id.get(id).map(|i| &self.models[*i])
    }

    /// Whether any profile leads to the foundation model `base`.
    pub(crate) fn has_profile(&self, base: &str) -> bool {
        self.models.iter().any(|m| m.kind == Kind::InferenceProfile && m.base_model_id == base)
    }
}

/// Models that Bedrock serves and the list lacks.
const MORE: &str = r#"{"models": [
{"id": "cohere.command-r-v1:0", "endpoint": "bedrock-runtime", "kind": "foundation-model", "provider": "cohere",
 "base_model_id": "cohere.command-r-v1:0", "geo": null, "mode": "chat", "input_modalities": ["text"], "output_modalities": ["text"],
 "context_window": 128000, "max_output_tokens": 4096, "supports": {"streaming": true, "tools": true, "vision": false},
 "prompt_cache": null, "lifecycle": {"eol_date": null, "state": "unknown"}},
{"id": "cohere.command-r-plus-v1:0", "endpoint": "bedrock-runtime", "kind": "foundation-model", "provider": "cohere",
 "base_model_id": "cohere.command-r-plus-v1:0", "geo": null, "mode": "chat", "input_modalities": ["text"], "output_modalities": ["text"],
 "context_window": 128000, "max_output_tokens": 4096, "supports": {"streaming": true, "tools": true, "vision": false},
 "prompt_cache": null, "lifecycle": {"eol_date": null, "state": "unknown"}}
]}"#;

#[derive(Deserialize)]
struct File {
    models: Vec<Model>,
}

/// One row.
#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) id: String,
    endpoint: String,
    pub(crate) kind: Kind,
    pub(crate) provider: String,
    pub(crate) base_model_id: String,
    pub(crate) geo: Option<String>,
    pub(crate) mode: String,
    pub(crate) input_modalities: Vec<String>,
    pub(crate) output_modalities: Vec<String>,
    pub(crate) context_window: Option<u64>,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) supports: Supports,
    pub(crate) prompt_cache: Option<CacheRule>,
    pub(crate) lifecycle: LifecycleDates,
    pub(crate) embedding_dimensions: Option<usize>,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    FoundationModel,
    InferenceProfile,
    MantleModel,
}

/// What a model can do; none where the source is silent.
#[derive(Deserialize)]
pub(crate) struct Supports {
    pub(crate) streaming: Option<bool>,
    pub(crate) tools: Option<bool>,
    pub(crate) vision: Option<bool>,
    pub(crate) reasoning: Option<bool>,
    #[serde(default)]
    pub(crate) assistant_prefill: Option<bool>,
    #[serde(default)]
    pub(crate) sampling_params: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct CacheRule {
    pub(crate) min_tokens: Option<u64>,
    pub(crate) ttl: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct LifecycleDates {
    pub(crate) eol_date: Option<String>,
    pub(crate) state: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_reads_and_knows_its_profiles() {
        let c = Catalogue::shared().unwrap();
        assert_eq!(c.models.len(), 360);
        assert_eq!(c.get("us.amazon.nova-lite-v1:0").unwrap().base_model_id, "amazon.nova-lite-v1:0");
        assert!(c.has_profile("amazon.nova-lite-v1:0"));
        assert!(!c.has_profile("amazon.titan-embed-text-v2:0"));
    }
}
