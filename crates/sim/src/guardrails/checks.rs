//! ApplyGuardrail and InvokeGuardrailChecks.

use serde_json::{Map, Value, json};

use super::{Side, detect, text_units};
use crate::errors::AwsError;
use crate::shape::{self, Shape};
use crate::state::State;

static APPLY: Shape = Shape::Struct(&[
    ("source", true, &Shape::Enum(&["INPUT", "OUTPUT"])),
    ("content", true, &Shape::List(&APPLY_BLOCK, 0, usize::MAX)),
    ("outputScope", false, &Shape::Enum(&["INTERVENTIONS", "FULL"])),
]);
static APPLY_BLOCK: Shape = Shape::Union(&[
    (
        "text",
        &Shape::Struct(&[
            ("text", true, &Shape::TEXT),
            (
                "qualifiers",
                false,
                &Shape::List(&Shape::Enum(&["grounding_source", "query", "guard_content"]), 0, usize::MAX),
            ),
        ]),
    ),
    (
        "image",
        &Shape::Struct(&[("format", true, &Shape::Enum(&["png", "jpeg"])), ("source", true, &Shape::Any)]),
    ),
]);

/// Answers ApplyGuardrail.
pub(crate) fn apply(
    state: &State,
    id: &str,
    version: &str,
    region: &str,
    body: &Value,
) -> Result<Value, AwsError> {
    shape::check(body, &APPLY)?;
    let rail = state.guardrails.find(id, version, region).map_err(AwsError::not_found)?;
    let side = if body["source"] == "OUTPUT" { Side::Output } else { Side::Input };
    let texts: Vec<String> = body["content"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|b| b["text"]["text"].as_str().map(String::from))
        .collect();
    let found = rail.assess(&texts, side);
    let acted = found.blocked || found.masked;
    let outputs: Vec<Value> =
        if acted { found.outputs.iter().map(|t| json!({ "text": t })).collect() } else { Vec::new() };
    let mut answer = json!({
        "usage": found.usage,
        "action": if acted { "GUARDRAIL_INTERVENED" } else { "NONE" },
        "outputs": outputs,
        "assessments": [found.assessment],
        "guardrailCoverage": found.coverage,
    });
    if acted {
        answer["actionReason"] = json!(found.reason);
    }
    Ok(answer)
}

static CHECKS: Shape = Shape::Struct(&[
    (
        "messages",
        true,
        &Shape::List(
            &Shape::Struct(&[
                ("role", true, &Shape::Enum(&["user", "assistant", "system"])),
                (
                    "content",
                    true,
                    &Shape::List(&Shape::Union(&[("text", &Shape::Text(1, usize::MAX))]), 1, usize::MAX),
                ),
            ]),
            1,
            usize::MAX,
        ),
    ),
    (
        "checks",
        true,
        &Shape::Struct(&[
            ("contentFilter", false, &Shape::Struct(&[("categories", true, &Shape::List(&HARMS, 1, 5))])),
            ("promptAttack", false, &Shape::Struct(&[("categories", true, &Shape::List(&ATTACKS, 1, 3))])),
            (
                "sensitiveInformation",
                false,
                &Shape::Struct(&[("entities", true, &Shape::List(&ENTITY, 1, 31))]),
            ),
        ]),
    ),
]);
static HARMS: Shape = Shape::Struct(&[(
    "category",
    true,
    &Shape::Enum(&["VIOLENCE", "HATE", "SEXUAL", "MISCONDUCT", "INSULTS"]),
)]);
static ATTACKS: Shape =
    Shape::Struct(&[("category", true, &Shape::Enum(&["JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE"]))]);
static ENTITY: Shape = Shape::Struct(&[("type", true, &Shape::Text(1, 64))]);

/// Answers InvokeGuardrailChecks.
pub(crate) fn invoke(body: &Value) -> Result<Value, AwsError> {
    shape::check(body, &CHECKS)?;
    let texts: Vec<(usize, usize, &str)> = list(&body["messages"])
        .enumerate()
        .flat_map(|(m, message)| {
            list(&message["content"]).enumerate().filter_map(move |(c, b)| Some((m, c, b["text"].as_str()?)))
        })
        .collect();
    let units = text_units(texts.iter().map(|t| t.2.chars().count()).sum());
    let all = texts.iter().map(|t| t.2).collect::<Vec<_>>().join("\n");
    let (mut results, mut usage) = (Map::new(), Map::new());
    let mut scored = |name: &str, score: fn(&str, &str) -> f64| {
        if let Some(categories) = body["checks"][name]["categories"].as_array() {
            let rows: Vec<Value> = categories
                .iter()
                .map(|c| {
                    let category = c["category"].as_str().unwrap_or_default();
                    json!({ "category": category, "severityScore": score(&all, category) })
                })
                .collect();
            results.insert(name.into(), json!({ "results": rows }));
            usage.insert(name.into(), json!({ "textUnits": units }));
        }
    };
    scored("contentFilter", detect::harm);
    scored("promptAttack", detect::attack);
    if let Some(entities) = body["checks"]["sensitiveInformation"]["entities"].as_array() {
        let wanted = |kind: &str| entities.iter().any(|e| e["type"] == kind);
        let rows: Vec<Value> = texts
            .iter()
            .flat_map(|(m, c, text)| detect::personal(text).into_iter().map(move |h| (*m, *c, h)))
            .filter(|(_, _, h)| wanted(h.kind))
            .map(|(m, c, h)| {
                json!({ "type": h.kind, "confidenceScore": 0.99, "beginOffset": h.begin, "endOffset": h.end, "messageIndex": m, "contentIndex": c })
            })
            .collect();
        results.insert("sensitiveInformation".into(), json!({ "results": rows, "truncated": false }));
        usage.insert("sensitiveInformation".into(), json!({ "textUnits": units }));
    }
    Ok(json!({ "results": results, "usage": usage }))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
