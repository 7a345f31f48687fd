//! Rerank bodies of Cohere and Amazon.

use serde_json::{Value, json};

use super::{count, list, malformed, required};
use crate::catalogue::Target;
use crate::embeddings::{cosine, embed};
use crate::errors::AwsError;
use crate::tokens;

/// Orders documents by how near they lie to the query.
pub(super) fn rerank(body: &Value, target: &Target) -> Result<(Value, u64), AwsError> {
    if target.base().starts_with("cohere.") {
        let version = required(body, "api_version")?;
        if version.as_u64().is_none_or(|v| v < 2) {
            return Err(malformed(&format!("#/api_version: {version} is not greater or equal to 2")));
        }
    }
    let query = required(body, "query")?.as_str().filter(|q| !q.is_empty());
    let query = query.ok_or_else(|| malformed("#/query: expected minLength: 1, actual: 0"))?;
    let documents: Vec<String> = list(required(body, "documents")?)
        .map(|d| d.as_str().map_or_else(|| d.to_string(), String::from))
        .collect();
    if documents.is_empty() || documents.len() > 1000 {
        return Err(malformed(&format!(
            "#/documents: expected item count: 1 to 1000, found: {}",
            documents.len()
        )));
    }
    let most =
        count(body, "top_n", 1, 1000)?.and_then(|n| usize::try_from(n).ok()).unwrap_or(documents.len());
    let asked = embed(query, 512);
    let mut scored: Vec<(usize, f32)> = documents
        .iter()
        .enumerate()
        .map(|(i, d)| (i, cosine(&asked, &embed(d, 512)).clamp(0.0, 1.0)))
        .collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(most);
    let results: Vec<Value> = scored
        .into_iter()
        .map(|(index, score)| json!({ "index": index, "relevance_score": score }))
        .collect();
    let size = tokens::text(query) + documents.iter().map(|d| tokens::text(d)).sum::<u64>();
    Ok((json!({ "results": results }), size))
}
