//! The catalogue calls of service `bedrock`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::catalogue::{Kind, Model, is_profile_only};
use crate::config::ApplicationProfile;
use crate::errors::AwsError;
use crate::state::State;

type Query = [(String, String)];

/// ListFoundationModels, filtered.
pub(crate) fn list_models(state: &State, region: &str, query: &Query) -> Result<Value, AwsError> {
    let outputs = allowed(query, "byOutputModality", &["TEXT", "IMAGE", "EMBEDDING"])?;
    let inference = allowed(query, "byInferenceType", &["ON_DEMAND", "PROVISIONED"])?;
    let custom =
        allowed(query, "byCustomizationType", &["FINE_TUNING", "CONTINUED_PRE_TRAINING", "DISTILLATION"])?;
    let provider = get(query, "byProvider");
    let fits = |summary: &Value| {
        let has = |member: &str, wanted: Option<&str>| {
            wanted.is_none_or(|w| summary[member].as_array().is_some_and(|a| a.iter().any(|v| v == w)))
        };
        has("outputModalities", outputs)
            && has("inferenceTypesSupported", inference)
            && has("customizationsSupported", custom)
            && provider
                .is_none_or(|p| summary["providerName"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(p)))
    };
    let models = state.catalogue.models.iter().filter(|m| m.kind == Kind::FoundationModel);
    let summaries: Vec<Value> = models.map(|m| summary(state, region, m)).filter(fits).collect();
    Ok(json!({ "modelSummaries": summaries }))
}

/// GetFoundationModel.
pub(crate) fn get_model(state: &State, region: &str, id: &str) -> Result<Value, AwsError> {
    let short = id.rsplit_once("foundation-model/").map_or(id, |(_, id)| id);
    match state.catalogue.get(short).filter(|m| m.kind == Kind::FoundationModel) {
        Some(m) => Ok(json!({ "modelDetails": summary(state, region, m) })),
        None => Err(AwsError::validation("The provided model identifier is invalid.")),
    }
}

/// ListInferenceProfiles, by type, in pages.
pub(crate) fn list_profiles(state: &State, region: &str, query: &Query) -> Result<Value, AwsError> {
    let kind = allowed(query, "type", &["SYSTEM_DEFINED", "APPLICATION"])?;
    let (most, from) = page(query)?;
    let mut all: Vec<Value> = Vec::new();
    if kind != Some("APPLICATION") {
        let system = state.catalogue.models.iter().filter(|m| is_profile_in(m, region));
        all.extend(system.map(|m| system_profile(state, region, m)));
    }
    if kind != Some("SYSTEM_DEFINED") {
        all.extend(state.config.application_profile.iter().map(|p| application_profile(state, region, p)));
    }
    let shown: Vec<Value> = all.iter().skip(from).take(most).cloned().collect();
    let mut out = json!({ "inferenceProfileSummaries": shown });
    if from + most < all.len() {
        out["nextToken"] = json!(token(from + most));
    }
    Ok(out)
}

/// GetInferenceProfile, by id or ARN.
pub(crate) fn get_profile(state: &State, region: &str, id: &str) -> Result<Value, AwsError> {
    let short = id.rsplit('/').next().unwrap_or(id);
    if let Some(p) = state.config.application_profile.iter().find(|p| p.id == short) {
        return Ok(application_profile(state, region, p));
    }
    match state.catalogue.get(short).filter(|m| m.kind == Kind::InferenceProfile) {
        Some(m) => Ok(system_profile(state, region, m)),
        None => Err(AwsError::not_found("The provided inference profile identifier does not exist.")),
    }
}

/// The page size and the first row that a query asks for.
pub(crate) fn page(query: &Query) -> Result<(usize, usize), AwsError> {
    let most = match get(query, "maxResults") {
        None => 1000,
        Some(text) => text.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(|| {
            AwsError::validation(format!("1 validation error detected: Value '{text}' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 1000"))
        })?,
    };
    let from = match get(query, "nextToken") {
        None => 0,
        Some(text) => URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|b| String::from_utf8(b).ok()?.strip_prefix("row:")?.parse().ok())
            .ok_or_else(|| AwsError::validation("The provided nextToken is invalid."))?,
    };
    Ok((most, from))
}

pub(crate) fn token(row: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("row:{row}"))
}

pub(crate) fn get<'a>(query: &'a Query, name: &str) -> Option<&'a str> {
    query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// A query value out of a set.
pub(crate) fn allowed<'a>(query: &'a Query, name: &str, set: &[&str]) -> Result<Option<&'a str>, AwsError> {
    match get(query, name) {
        Some(value) if !set.contains(&value) => Err(AwsError::validation(format!(
            "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            set.join(", ")
        ))),
        found => Ok(found),
    }
}

fn summary(state: &State, region: &str, m: &Model) -> Value {
    let inference =
        if is_profile_only(state.catalogue, &state.config, m) { "INFERENCE_PROFILE" } else { "ON_DEMAND" };
    let past = m.lifecycle.state == "eol-date-passed";
    let mut lifecycle = json!({ "status": if past { "LEGACY" } else { "ACTIVE" } });
    if let Some(date) = &m.lifecycle.eol_date {
        lifecycle["endOfLifeTime"] = json!(format!("{date}T00:00:00Z"));
    }
    json!({
        "modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{}", m.id),
        "modelId": m.id,
        "modelName": name(&m.id),
        "providerName": provider(&m.provider),
        "inputModalities": modalities(&m.input_modalities),
        "outputModalities": modalities(&m.output_modalities),
        "responseStreamingSupported": m.supports.streaming.unwrap_or(false),
        "customizationsSupported": [],
        "inferenceTypesSupported": [inference],
        "modelLifecycle": lifecycle,
    })
}

/// The modalities that this API has names for.
fn modalities(all: &[String]) -> Vec<String> {
    all.iter()
        .map(|m| m.to_uppercase())
        .filter(|m| ["TEXT", "IMAGE", "EMBEDDING"].contains(&m.as_str()))
        .collect()
}

/// `amazon.nova-lite-v1:0` → `Nova Lite`, at most twenty characters.
fn name(id: &str) -> String {
    let base = id.split_once('.').map_or(id, |(_, b)| b);
    let version = |p: &&str| {
        p.len() == 8 && p.bytes().all(|b| b.is_ascii_digit())
            || p.starts_with('v') && p[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    let parts = base.split('-').filter(|p| !version(p)).map(|p| {
        let mut c = p.chars();
        c.next().map_or_else(String::new, |first| first.to_uppercase().chain(c).collect())
    });
    let name = parts.collect::<Vec<_>>().join(" ");
    let name = if name.is_empty() { base } else { &name };
    name.chars().take(20).collect::<String>().trim().to_string()
}

fn provider(id: &str) -> &str {
    let names = [
        ("amazon", "Amazon"),
        ("anthropic", "Anthropic"),
        ("meta", "Meta"),
        ("mistral", "Mistral AI"),
        ("cohere", "Cohere"),
        ("ai21", "AI21 Labs"),
        ("deepseek", "DeepSeek"),
        ("openai", "OpenAI"),
        ("qwen", "Qwen"),
        ("stability", "Stability AI"),
        ("twelvelabs", "TwelveLabs"),
        ("writer", "Writer"),
        ("google", "Google"),
        ("nvidia", "NVIDIA"),
        ("moonshotai", "Moonshot AI"),
        ("minimax", "MiniMax"),
        ("zai", "Z.AI"),
        ("xai", "xAI"),
    ];
    names.iter().find(|(k, _)| *k == id).map_or(id, |(_, v)| v)
}

/// Where a geography's profiles may send a call.
fn regions(geo: &str, home: &str) -> Vec<String> {
    let list: &[&str] = match geo {
        "us" => &["us-east-1", "us-east-2", "us-west-2"],
        "eu" => &["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"],
        "apac" => &["ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2"],
        "jp" => &["ap-northeast-1", "ap-northeast-3"],
        "au" => &["ap-southeast-2", "ap-southeast-4"],
        "in" => &["ap-south-1", "ap-south-2"],
        "us-gov" => &["us-gov-east-1", "us-gov-west-1"],
        // a global profile names its own region and one without a region
        _ => return vec![home.to_string(), String::new()],
    };
    list.iter().map(ToString::to_string).collect()
}

fn is_profile_in(m: &Model, region: &str) -> bool {
    let geo = m.geo.as_deref().unwrap_or_default();
    m.kind == Kind::InferenceProfile && (geo == "global" || serves(geo, region))
}

fn serves(geo: &str, region: &str) -> bool {
    match geo {
        "us" => region.starts_with("us-") && !region.starts_with("us-gov-"),
        "us-gov" => region.starts_with("us-gov-"),
        "eu" => region.starts_with("eu-"),
        "apac" => region.starts_with("ap-"),
        _ => regions(geo, region).iter().any(|r| r == region),
    }
}

fn targets(geo: &str, home: &str, base: &str) -> Vec<Value> {
    let arn = |r: &String| json!({ "modelArn": format!("arn:aws:bedrock:{r}::foundation-model/{base}") });
    regions(geo, home).iter().map(arn).collect()
}

fn system_profile(state: &State, region: &str, m: &Model) -> Value {
    let geo = m.geo.as_deref().unwrap_or("us");
    let label = format!("{} {}", geo.to_uppercase(), name(&m.base_model_id)).replace('.', " ");
    json!({
        "inferenceProfileName": label.trim(),
        "description": format!("Routes requests to {} in {geo}.", name(&m.base_model_id)),
        "createdAt": "2025-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "inferenceProfileArn": format!("arn:aws:bedrock:{region}:{}:inference-profile/{}", state.config.account, m.id),
        "models": targets(geo, region, &m.base_model_id),
        "inferenceProfileId": m.id,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    })
}

fn application_profile(state: &State, region: &str, p: &ApplicationProfile) -> Value {
    let model = state.catalogue.get(&p.model);
    let base = model.map_or(p.model.as_str(), |m| m.base_model_id.as_str());
    let models = match model.and_then(|m| m.geo.as_deref()) {
        Some(geo) => targets(geo, region, base),
        None => vec![json!({ "modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{base}") })],
    };
    json!({
        "inferenceProfileName": p.name,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "inferenceProfileArn": format!("arn:aws:bedrock:{region}:{}:application-inference-profile/{}", state.config.account, p.id),
        "models": models,
        "inferenceProfileId": p.id,
        "status": "ACTIVE",
        "type": "APPLICATION",
    })
}
