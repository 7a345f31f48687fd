//! What guardrails used, in text units by policy.

use bedplate_core::usage::Unit;
use serde_json::value::RawValue;

use super::counts;
use crate::json;

const POLICIES: [(&str, Unit); 8] = [
    ("contentPolicyUnits", Unit::GuardrailContent),
    ("topicPolicyUnits", Unit::GuardrailTopic),
    ("wordPolicyUnits", Unit::GuardrailWord),
    ("sensitiveInformationPolicyUnits", Unit::GuardrailSensitive),
    ("sensitiveInformationPolicyFreeUnits", Unit::GuardrailSensitiveFree),
    ("contextualGroundingPolicyUnits", Unit::GuardrailGrounding),
    ("automatedReasoningPolicyUnits", Unit::GuardrailReasoning),
    ("contentPolicyImageUnits", Unit::GuardrailImage),
];

/// The units of an ApplyGuardrail answer.
pub(super) fn applied(response: &str) -> Option<Vec<(Unit, u64)>> {
    let mut units = Vec::new();
    policies(json::pick(response, &["usage"]).ok()?.text(0)?, &mut units)?;
    Some(units)
}

/// The units of an InvokeGuardrailChecks answer: each check is priced as the policy it is of.
pub(super) fn checks(response: &str) -> Option<Vec<(Unit, u64)>> {
    const CHECKS: [(&str, Unit); 3] = [
        ("contentFilter", Unit::GuardrailContent),
        ("promptAttack", Unit::GuardrailContent),
        ("sensitiveInformation", Unit::GuardrailSensitive),
    ];
    let usage = json::pick(response, &["usage"]).ok()?.text(0)?;
    let picked = json::pick(usage, &CHECKS.map(|(name, _)| name)).ok()?;
    let mut units = Vec::new();
    for (place, (_, unit)) in CHECKS.into_iter().enumerate() {
        if let Some(check) = picked.text(place)
            && let Some(n) = json::pick(check, &["textUnits"]).ok()?.text(0)
        {
            add(&mut units, unit, counts::number(n)?);
        }
    }
    Some(units)
}

/// The units that a `trace` of Converse tells of the guardrails that rode on a call; `None` when there
/// are none in it or one of them cannot be read. Without a trace AWS does not say.
pub(super) fn traced(trace: &str) -> Option<Vec<(Unit, u64)>> {
    let guardrail = json::pick(trace, &["guardrail"]).ok()?.text(0)?;
    let picked = json::pick(guardrail, &["inputAssessment", "outputAssessments"]).ok()?;
    let mut units = Vec::new();
    if let Some(input) = picked.text(0) {
        for assessment in values(input)? {
            assessed(assessment, &mut units)?;
        }
    }
    if let Some(output) = picked.text(1) {
        for list in values(output)? {
            let assessments: Vec<&RawValue> = serde_json::from_str(list).ok()?;
            for assessment in assessments {
                assessed(assessment.get(), &mut units)?;
            }
        }
    }
    (!units.is_empty()).then_some(units)
}

fn assessed(assessment: &str, units: &mut Vec<(Unit, u64)>) -> Option<()> {
    let picked = json::pick(assessment, &["invocationMetrics"]).ok()?;
    let Some(metrics) = picked.text(0) else { return Some(()) };
    match json::pick(metrics, &["usage"]).ok()?.text(0) {
        Some(usage) => policies(usage, units),
        None => Some(()),
    }
}

fn policies(usage: &str, units: &mut Vec<(Unit, u64)>) -> Option<()> {
    let picked = json::pick(usage, &POLICIES.map(|(name, _)| name)).ok()?;
    for (place, (_, unit)) in POLICIES.into_iter().enumerate() {
        if let Some(text) = picked.text(place) {
            add(units, unit, counts::number(text)?);
        }
    }
    Some(())
}

fn add(units: &mut Vec<(Unit, u64)>, unit: Unit, n: u64) {
    match units.iter_mut().find(|(u, _)| *u == unit) {
        Some((_, sum)) => *sum = sum.saturating_add(n),
        None if n > 0 => units.push((unit, n)),
        None => {}
    }
}

fn values(object: &str) -> Option<Vec<&str>> {
    let mut values = Vec::new();
    json::each(object, &mut |_, value| values.push(value.get())).ok()?;
    Some(values)
}
