//! Rules between members, which shapes cannot say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::answer::signature;
use crate::catalogue::Target;
use crate::errors::AwsError;

const MOST_IMAGES: usize = 20;
const MOST_IMAGE_BYTES: usize = 3_750_000;
const MOST_DOCUMENTS: usize = 5;
const MOST_DOCUMENT_BYTES: usize = 4_500_000;

/// Checks what Bedrock checks before a model sees the request.
pub(super) fn rules(body: &Value, target: &Target) -> Result<(), AwsError> {
    model(body, target)?;
    let messages: Vec<&Value> = list(&body["messages"]).collect();
    turns(&messages)?;
    earlier(&messages, target)?;
    media(&messages, target)?;
    tools(body, &messages, target)?;
    output(body)
}

fn no(text: impl Into<String>) -> AwsError {
    AwsError::validation(text)
}

fn model(body: &Value, target: &Target) -> Result<(), AwsError> {
    if target.model.mode != "chat" {
        return Err(no(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
        ));
    }
    let most = target.max_output();
    if body["inferenceConfig"]["maxTokens"].as_u64().is_some_and(|n| n > most) {
        return Err(no(format!(
            "The maximum tokens you requested exceeds the model limit of {most}. Try again with a maximum tokens value that is lower than {most}."
        )));
    }
    let sampling = ["temperature", "topP"].iter().find(|k| !body["inferenceConfig"][**k].is_null());
    if let Some(name) = sampling.filter(|_| target.model.supports.sampling_params == Some(false)) {
        return Err(no(format!("This model doesn't support the {name} field. Remove {name} and try again.")));
    }
    own_fields(&body["additionalModelRequestFields"], target)
}

/// Fields that only one provider's models know, and what draws lots.
fn own_fields(fields: &Value, target: &Target) -> Result<(), AwsError> {
    const OWN: [(&str, &str); 4] = [
        ("thinking", "anthropic"),
        ("anthropic_beta", "anthropic"),
        ("reasoningConfig", "amazon"),
        ("schemaVersion", "amazon"),
    ];
    let foreign =
        |(name, provider): &&(&str, &str)| *provider != target.model.provider && !fields[*name].is_null();
    if let Some((name, _)) = OWN.iter().find(foreign) {
        return Err(no(format!(
            "The model returned the following errors: Malformed input request: #: extraneous key [{name}] is not permitted, please reformat your input and try again."
        )));
    }
    let lots = ["temperature", "top_p", "top_k"].iter().find(|k| !fields[**k].is_null());
    match lots.filter(|_| target.model.supports.sampling_params == Some(false)) {
        Some(name) => Err(no(format!(
            "The model returned the following errors: `{name}` is not supported for this model."
        ))),
        None => Ok(()),
    }
}

/// Reasoning of earlier turns goes to the family that made it, and the newest models begin their answers themselves.
fn earlier(messages: &[&Value], target: &Target) -> Result<(), AwsError> {
    let provider = &target.model.provider;
    for (i, message) in messages.iter().enumerate() {
        for (j, block) in list(&message["content"]).enumerate() {
            let signature = block["reasoningContent"]["reasoningText"]["signature"].as_str();
            if signature.is_some_and(|signature| !signature::is_of(signature, provider)) {
                return Err(no(format!(
                    "The model returned the following errors: messages.{i}.content.{j}: Invalid `signature` in `thinking` block"
                )));
            }
        }
    }
    let prefilled = messages.last().is_some_and(|last| last["role"] == "assistant");
    if prefilled && target.model.supports.assistant_prefill == Some(false) {
        return Err(no(
            "The model returned the following errors: This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    Ok(())
}

fn turns(messages: &[&Value]) -> Result<(), AwsError> {
    let said: Vec<(usize, &Value)> =
        messages.iter().copied().enumerate().filter(|(_, m)| m["role"] != "system").collect();
    let Some((_, first)) = said.first() else {
        return Err(no(
            "A conversation must have at least one message. Try again with at least one message.",
        ));
    };
    if first["role"] != "user" {
        return Err(no(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    if said.windows(2).any(|w| w[0].1["role"] == w[1].1["role"]) {
        return Err(no(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
        ));
    }
    for (i, message) in messages.iter().enumerate() {
        let blocks: Vec<&Value> = list(&message["content"]).collect();
        if blocks.is_empty() {
            return Err(no(format!(
                "The content field in the Message object at messages.{i} is empty. Add a ContentBlock object to the content field and try again."
            )));
        }
        for (j, block) in blocks.iter().enumerate() {
            if block["text"].as_str().is_some_and(|t| t.trim().is_empty()) {
                return Err(no(format!(
                    "The text field in the ContentBlock object at messages.{i}.content.{j} is blank. Add text to the text field, and try again."
                )));
            }
            if j == 0 && block.get("cachePoint").is_some() && blocks.len() == 1 {
                return Err(no(format!(
                    "The content field in the Message object at messages.{i} holds nothing but a cachePoint. Add a ContentBlock object before it and try again."
                )));
            }
        }
    }
    Ok(())
}

fn media(messages: &[&Value], target: &Target) -> Result<(), AwsError> {
    let (mut images, mut documents) = (0, 0);
    for (i, message) in messages.iter().enumerate() {
        let blocks: Vec<&Value> = list(&message["content"]).collect();
        for (j, block) in blocks.iter().enumerate() {
            if let Some(image) = block.get("image") {
                images += 1;
                if message["role"] != "user" {
                    return Err(no(format!(
                        "The image at messages.{i}.content.{j} is in an {} message. Images are allowed in user messages only.",
                        message["role"].as_str().unwrap_or_default()
                    )));
                }
                if target.model.supports.vision == Some(false)
                    || target.model.input_modalities.iter().all(|m| m != "image")
                {
                    return Err(no(
                        "This model doesn't support the image content block that you provided. Update the content block and try again.",
                    ));
                }
                sized(&image["source"]["bytes"], MOST_IMAGE_BYTES, "image", i, j)?;
            }
            if let Some(document) = block.get("document") {
                documents += 1;
                sized(&document["source"]["bytes"], MOST_DOCUMENT_BYTES, "document", i, j)?;
                let name = document["name"].as_str().unwrap_or_default();
                let fits =
                    |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "-()[]".contains(c);
                if !name.chars().all(fits) || name.contains("  ") {
                    return Err(no(
                        "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character. Edit the file name, and try again.",
                    ));
                }
                if !blocks.iter().any(|b| b.get("text").is_some()) {
                    return Err(no(format!(
                        "messages.{i} has a document but no text block. Include a text block with the document and try again."
                    )));
                }
            }
        }
    }
    if images > MOST_IMAGES {
        return Err(no(format!(
            "The request has {images} images, which is more than the limit of {MOST_IMAGES}."
        )));
    }
    if documents > MOST_DOCUMENTS {
        return Err(no(format!(
            "The request has {documents} documents, which is more than the limit of {MOST_DOCUMENTS}."
        )));
    }
    Ok(())
}

fn sized(bytes: &Value, most: usize, what: &str, i: usize, j: usize) -> Result<(), AwsError> {
    let Some(text) = bytes.as_str() else { return Ok(()) };
    let size = STANDARD.decode(text).map_or(0, |b| b.len());
    if size > most {
        return Err(no(format!(
            "The {what} at messages.{i}.content.{j} has {size} bytes, which is more than the limit of {most} bytes."
        )));
    }
    Ok(())
}

fn tools(body: &Value, messages: &[&Value], target: &Target) -> Result<(), AwsError> {
    let config = &body["toolConfig"];
    if config.is_object() {
        if target.model.supports.tools == Some(false) {
            return Err(no("This model doesn't support tool use."));
        }
        let names: Vec<&str> =
            list(&config["tools"]).filter_map(|t| t["toolSpec"]["name"].as_str()).collect();
        if let Some(name) = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)).map(|(_, n)| n) {
            return Err(no(format!("The toolConfig field has more than one tool with the name {name}.")));
        }
        let fits = |n: &&&str| n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if let Some(name) = names.iter().find(|n| !fits(n)) {
            return Err(no(format!(
                "1 validation error detected: Value '{name}' at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            )));
        }
        for (i, tool) in list(&config["tools"]).enumerate() {
            let schema = &tool["toolSpec"]["inputSchema"]["json"];
            if tool.get("toolSpec").is_some() && schema["type"] != "object" {
                return Err(no(format!(
                    "The value at toolConfig.tools.{i}.toolSpec.inputSchema.json.type must be one of the following: object."
                )));
            }
        }
        if let Some(name) = config["toolChoice"]["tool"]["name"].as_str()
            && !names.contains(&name)
        {
            return Err(no(format!("The tool {name} in toolChoice is not defined in toolConfig.tools.")));
        }
        if !config["toolChoice"].is_null() && !body["additionalModelRequestFields"]["tool_choice"].is_null() {
            return Err(no("The additional field tool_choice conflicts with an existing field."));
        }
    }
    let uses = |m: &Value, kind: &str, id: &str| -> Vec<String> {
        list(&m["content"]).filter_map(|b| b[kind][id].as_str().map(String::from)).collect()
    };
    let any = messages
        .iter()
        .any(|m| list(&m["content"]).any(|b| b.get("toolUse").is_some() || b.get("toolResult").is_some()));
    if any && !config.is_object() {
        return Err(no(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ));
    }
    let mut before: Vec<String> = Vec::new();
    for (i, message) in messages.iter().enumerate() {
        let results = uses(message, "toolResult", "toolUseId");
        if results.len() > before.len() {
            return Err(no(format!(
                "The number of toolResult blocks at messages.{i}.content exceeds the number of toolUse blocks of previous turn."
            )));
        }
        let missing: Vec<&String> = before.iter().filter(|id| !results.contains(id)).collect();
        if !missing.is_empty() {
            let ids: Vec<&str> = missing.iter().map(|s| s.as_str()).collect();
            return Err(no(format!(
                "Expected toolResult blocks at messages.{i}.content for the following Ids: {}",
                ids.join(", ")
            )));
        }
        before = uses(message, "toolUse", "toolUseId");
    }
    Ok(())
}

fn output(body: &Value) -> Result<(), AwsError> {
    let Some(text) = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"].as_str() else {
        return Ok(());
    };
    let schema: Value = serde_json::from_str(text)
        .map_err(|_| no("The schema in outputConfig.textFormat.structure.jsonSchema is not valid JSON."))?;
    closed(&schema, 0)
}

/// Every object of the schema must refuse members it does not name.
fn closed(schema: &Value, depth: usize) -> Result<(), AwsError> {
    if depth > 64 {
        return Err(no("output_config.format.schema: the schema is nested too deeply."));
    }
    if schema["type"] == "object" && schema["additionalProperties"] != Value::Bool(false) {
        return Err(no(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        ));
    }
    let inner = schema["properties"].as_object().into_iter().flat_map(|p| p.values());
    let of = ["anyOf", "oneOf", "allOf"].iter().flat_map(|k| list(&schema[*k]));
    let defs = schema["$defs"].as_object().into_iter().flat_map(|p| p.values());
    inner.chain(of).chain(defs).chain(schema.get("items")).try_for_each(|s| closed(s, depth + 1))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
