//! Image bodies: one plain pixel for every picture asked for, in the real shape.

use serde_json::{Value, json};

use super::{count, malformed};
use crate::errors::AwsError;
use crate::tokens;

/// A PNG of one transparent pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub(super) fn draw(body: &Value) -> Result<(Value, u64), AwsError> {
    if body.get("taskType").is_some() {
        let n = count(&body["imageGenerationConfig"], "numberOfImages", 1, 5)?.unwrap_or(1);
        let images: Vec<&str> = (0..n).map(|_| PIXEL).collect();
        return Ok((json!({ "images": images }), tokens::json(&body["textToImageParams"])));
    }
    let text = body["prompt"].as_str().or(body["text_prompts"][0]["text"].as_str());
    if text.is_none() && body.get("image").is_none() {
        return Err(malformed("#: required key [prompt] not found"));
    }
    let seed = body["seed"].as_u64().unwrap_or(0);
    let answer = json!({ "seeds": [seed], "finish_reasons": [null], "images": [PIXEL] });
    Ok((answer, tokens::text(text.unwrap_or_default())))
}
