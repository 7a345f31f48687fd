//! Embedding bodies: Titan, Nova, Cohere, Marengo.

use serde_json::{Map, Value, json};

use super::{list, malformed, required};
use crate::catalogue::Target;
use crate::embeddings::embed;
use crate::errors::AwsError;
use crate::seed::Rng;
use crate::tokens;

/// Titan text v1, v2 and multimodal.
pub(super) fn titan(body: &Value, target: &Target) -> Result<(Value, u64), AwsError> {
    let image = target.base().contains("embed-image");
    let v2 = target.base().contains("text-v2");
    let text = body["inputText"].as_str();
    if text.is_none() && !(image && body["inputImage"].is_string()) {
        required(body, "inputText")?;
        return Err(malformed(&format!(
            "#/inputText: expected type: String, found: {}",
            super::kind(&body["inputText"])
        )));
    }
    if text == Some("") {
        return Err(malformed("#/inputText: expected minLength: 1, actual: 0"));
    }
    let size = if image {
        size(&body["embeddingConfig"]["outputEmbeddingLength"], &[256, 384, 1024], 1024)?
    } else if v2 {
        size(&body["dimensions"], &[256, 512, 1024], 1024)?
    } else {
        target.model.embedding_dimensions.unwrap_or(1536)
    };
    let source = text.or(body["inputImage"].as_str()).unwrap_or_default();
    let tokens = tokens::text(text.unwrap_or_default());
    if tokens > target.model.context_window.unwrap_or(8192) {
        return Err(AwsError::validation(format!(
            "400 Bad Request: Too many input tokens. Max input tokens: {}, request input token count: {tokens} ",
            target.model.context_window.unwrap_or(8192)
        )));
    }
    let mut vector = embed(source, size);
    if body["normalize"] == Value::Bool(false) {
        vector.iter_mut().for_each(|x| *x *= 12.0);
    }
    let mut out = json!({ "inputTextTokenCount": tokens });
    let kinds: Vec<&str> = list(&body["embeddingTypes"]).filter_map(Value::as_str).collect();
    if kinds.is_empty() || kinds.contains(&"float") {
        out["embedding"] = json!(vector);
    }
    if v2 {
        let mut by_type = Map::new();
        if kinds.is_empty() || kinds.contains(&"float") {
            by_type.insert("float".into(), json!(vector));
        }
        if kinds.contains(&"binary") {
            by_type.insert("binary".into(), vector.iter().map(|x| u8::from(*x > 0.0)).collect());
        }
        out["embeddingsByType"] = Value::Object(by_type);
    }
    Ok((out, tokens))
}

fn size(asked: &Value, allowed: &[usize], usual: usize) -> Result<usize, AwsError> {
    if asked.is_null() {
        return Ok(usual);
    }
    let n = asked.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| allowed.contains(n));
    n.ok_or_else(|| malformed(&format!("#/dimensions: {asked} is not a valid enum value")))
}

/// Nova multimodal embeddings.
pub(super) fn nova(body: &Value) -> Result<(Value, u64), AwsError> {
    let params = required(body, "singleEmbeddingParams")?;
    if body["taskType"] != "SINGLE_EMBEDDING" {
        return Err(malformed("#/taskType: only SINGLE_EMBEDDING is valid here"));
    }
    let size = size(&params["embeddingDimension"], &[256, 384, 1024, 3072], 3072)?;
    let (kind, source) = match params["text"]["value"].as_str() {
        Some(text) => ("TEXT", text.to_string()),
        None => ("IMAGE", params.to_string()),
    };
    let answer = json!({ "embeddings": [{ "embeddingType": kind, "embedding": embed(&source, size) }] });
    Ok((answer, tokens::text(&source)))
}

/// Cohere v3 and v4.
pub(super) fn cohere(body: &Value, target: &Target, seed: u64) -> Result<(Value, u64), AwsError> {
    let v4 = target.base().contains("embed-v4");
    let input = required(body, "input_type")?.as_str().unwrap_or_default();
    let known = ["search_document", "search_query", "classification", "clustering", "image"];
    if !known.contains(&input) {
        return Err(malformed(&format!("#/input_type: {input} is not a valid enum value")));
    }
    let texts: Vec<String> = list(&body["texts"]).filter_map(|t| t.as_str().map(String::from)).collect();
    let images = list(&body["images"]).map(Value::to_string);
    let mixed = list(&body["inputs"]).map(|i| {
        list(&i["content"])
            .map(|c| c["text"].as_str().map_or_else(|| c.to_string(), String::from))
            .collect::<Vec<_>>()
            .join("\n")
    });
    let all: Vec<String> = texts.iter().cloned().chain(images).chain(mixed).collect();
    if all.is_empty() {
        return Err(malformed("#: required key [texts] not found"));
    }
    if all.len() > 96 {
        return Err(malformed(&format!("#/texts: expected maximum item count: 96, found: {}", all.len())));
    }
    if !v4 && let Some(n) = texts.iter().map(|t| t.chars().count()).find(|n| *n > 2048) {
        return Err(malformed(&format!("#/texts/0: expected maxLength: 2048, actual: {n}")));
    }
    let size = if v4 {
        size(&body["output_dimension"], &[256, 512, 1024, 1536], 1536)?
    } else {
        target.model.embedding_dimensions.unwrap_or(1024)
    };
    let vectors: Vec<Vec<f32>> = all.iter().map(|t| embed(t, size)).collect();
    let mut rng = Rng::new(seed);
    let id = u128::from(rng.next()) << 64 | u128::from(rng.next());
    let kinds: Vec<&str> = list(&body["embedding_types"]).filter_map(Value::as_str).collect();
    let mut out = json!({ "id": uuid::Uuid::from_u128(id).as_hyphenated().to_string(), "texts": texts });
    if kinds.is_empty() {
        out["response_type"] = json!("embeddings_floats");
        out["embeddings"] = json!(vectors);
    } else {
        out["response_type"] = json!("embeddings_by_type");
        for kind in kinds {
            out["embeddings"][kind] = vectors.iter().map(|v| converted(v, kind)).collect();
        }
    }
    Ok((out, all.iter().map(|t| tokens::text(t)).sum()))
}

/// A vector in one of Cohere's number types.
fn converted(vector: &[f32], kind: &str) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "numbers of a vector of length 1")]
    let bytes = || vector.iter().map(|x| (x * 127.0).round() as i64);
    let bits = |signed: i64| -> Vec<i64> {
        let byte = |eight: &[f32]| eight.iter().fold(0i64, |b, x| b << 1 | i64::from(*x > 0.0));
        vector.chunks(8).map(|eight| byte(eight) - signed).collect()
    };
    match kind {
        "int8" => bytes().collect(),
        "uint8" => bytes().map(|b| b + 128).collect(),
        "ubinary" => json!(bits(0)),
        "binary" => json!(bits(128)),
        _ => json!(vector),
    }
}

/// TwelveLabs Marengo, text only.
pub(super) fn marengo(body: &Value, target: &Target) -> Result<(Value, u64), AwsError> {
    let text = body["inputText"].as_str().or(body["text"]["inputText"].as_str());
    let text = text.ok_or_else(|| malformed("#: required key [inputText] not found"))?;
    let vector = embed(text, target.model.embedding_dimensions.unwrap_or(1024));
    Ok((json!({ "data": [{ "embedding": vector }] }), tokens::text(text)))
}
