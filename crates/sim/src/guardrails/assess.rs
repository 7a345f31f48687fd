//! What a guardrail says about texts, in the shapes of ApplyGuardrail and of Converse's trace.

use serde_json::{Value, json};

use super::{Guardrail, detect, text_units};

/// Which way a text goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Input,
    Output,
}

/// A verdict over one list of texts.
pub(crate) struct Assessed {
    pub(crate) blocked: bool,
    pub(crate) masked: bool,
    /// The texts as they may go on; the blocked-message alone when blocked.
    pub(crate) outputs: Vec<String>,
    pub(crate) assessment: Value,
    pub(crate) usage: Value,
    pub(crate) coverage: Value,
    pub(crate) reason: &'static str,
}

impl Guardrail<'_> {
    /// Looks at `texts`.
    pub(crate) fn assess(&self, texts: &[String], side: Side) -> Assessed {
        let mut out = serde_json::Map::new();
        let mut blocked = false;
        let all = texts.join("\n");
        let topics: Vec<Value> = self
            .setting
            .topic
            .iter()
            .filter(|t| t.phrases.iter().any(|p| detect::has_phrase(&all, p)))
            .map(|t| json!({ "name": t.name, "type": "DENY", "action": "BLOCKED", "detected": true }))
            .collect();
        let words: Vec<Value> = self
            .setting
            .words
            .iter()
            .filter(|w| detect::has_phrase(&all, w))
            .map(|w| json!({ "match": w, "action": "BLOCKED", "detected": true }))
            .collect();
        if !topics.is_empty() {
            blocked = true;
            out.insert("topicPolicy".into(), json!({ "topics": topics }));
        }
        if self.setting.prompt_attack && side == Side::Input && is_attack(&all) {
            blocked = true;
            let filter = json!({ "type": "PROMPT_ATTACK", "confidence": "HIGH", "filterStrength": "HIGH", "action": "BLOCKED", "detected": true });
            out.insert("contentPolicy".into(), json!({ "filters": [filter] }));
        }
        if !words.is_empty() {
            blocked = true;
            out.insert("wordPolicy".into(), json!({ "customWords": words, "managedWordLists": [] }));
        }
        let (masked_texts, entities, pii_blocks) = self.personal(texts);
        blocked |= pii_blocks;
        let masked = !blocked && entities.iter().any(|e| e["action"] == "ANONYMIZED");
        if !entities.is_empty() {
            out.insert(
                "sensitiveInformationPolicy".into(),
                json!({ "piiEntities": entities, "regexes": [] }),
            );
        }
        let outputs = if blocked { vec![self.blocked_text(side)] } else { masked_texts };
        let characters = texts.iter().map(|t| t.chars().count()).sum();
        let (usage, coverage) = (self.usage(characters), coverage(characters));
        out.insert(
            "invocationMetrics".into(),
            json!({ "guardrailProcessingLatency": 12, "usage": usage, "guardrailCoverage": coverage }),
        );
        out.insert("appliedGuardrailDetails".into(), self.details());
        let reason = match (blocked, masked) {
            (true, _) => "Guardrail blocked.",
            (_, true) => "Guardrail masked.",
            _ => "No action.",
        };
        Assessed { blocked, masked, outputs, assessment: Value::Object(out), usage, coverage, reason }
    }

    /// Masks what is to be masked; says what was found and whether any of it blocks.
    fn personal(&self, texts: &[String]) -> (Vec<String>, Vec<Value>, bool) {
        let mut entities = Vec::new();
        let mut blocks = false;
        let mut masked = Vec::new();
        for text in texts {
            let chars: Vec<char> = text.chars().collect();
            let mut out = String::with_capacity(text.len());
            let mut from = 0;
            for hit in detect::personal(text) {
                let has = |list: &[String]| list.iter().any(|k| k == hit.kind);
                let action = if has(&self.setting.block) {
                    blocks = true;
                    "BLOCKED"
                } else if has(&self.setting.anonymize) {
                    out.extend(&chars[from..hit.begin]);
                    out.push_str(&format!("{{{}}}", hit.kind));
                    from = hit.end;
                    "ANONYMIZED"
                } else {
                    continue;
                };
                entities
                    .push(json!({ "match": hit.text, "type": hit.kind, "action": action, "detected": true }));
            }
            out.extend(&chars[from..]);
            masked.push(out);
        }
        (masked, entities, blocks)
    }

    fn usage(&self, characters: usize) -> Value {
        let units = text_units(characters);
        let when = |on: bool| if on { units } else { 0 };
        let s = self.setting;
        json!({
            "topicPolicyUnits": when(!s.topic.is_empty()),
            "contentPolicyUnits": when(s.prompt_attack),
            "wordPolicyUnits": when(!s.words.is_empty()),
            "sensitiveInformationPolicyUnits": when(!s.block.is_empty() || !s.anonymize.is_empty()),
            "sensitiveInformationPolicyFreeUnits": 0,
            "contextualGroundingPolicyUnits": 0,
        })
    }

    fn details(&self) -> Value {
        let id = &self.setting.id;
        json!({
            "guardrailId": id,
            "guardrailVersion": self.version,
            "guardrailArn": format!("arn:aws:bedrock:{}:{}:guardrail/{id}", self.region, self.account),
            "guardrailOrigin": ["REQUEST"],
            "guardrailOwnership": "SELF",
        })
    }
}

fn is_attack(text: &str) -> bool {
    ["JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE"].iter().any(|c| detect::attack(text, c) > 0.5)
}

fn coverage(characters: usize) -> Value {
    json!({ "textCharacters": { "guarded": characters, "total": characters } })
}
