//! Writing what a model has of its own, in the words of its family.

use bedplate_core::conversation::{Conversation, Json, Text, Thinking};

use crate::bedrock::Family;
use crate::bedrock::family::base_id;
use crate::json::write::Object;

/// Writes `additionalModelRequestFields`, when there is something in them.
pub(super) fn fields(c: &Conversation<'_>, model: &str, o: &mut Object<'_>) {
    let effort = c.effort.as_ref().filter(|_| !effort_is_portable(c, model));
    let none = c.fields.is_empty() && c.betas.is_empty() && c.thinking.is_none();
    if none && effort.is_none() && c.sampling.top_k.is_none() {
        return;
    }
    let mut o = o.object("additionalModelRequestFields");
    let nova = Family::of(model) == Family::Nova;
    match (nova, c.thinking) {
        (true, _) => reasoning_nova(c.thinking, effort, "reasoningConfig", &mut o),
        (false, Some(thinking)) => write_thinking(thinking, &mut o),
        (false, None) => {}
    }
    match effort {
        Some(effort) if !nova && words_of(model) == Words::Gpt => {
            o.object("reasoning").text("effort", effort);
        }
        Some(effort) if !nova => {
            o.text("reasoning_effort", effort);
        }
        _ => {}
    }
    top_k(c, nova && !has(c, "inferenceConfig"), &mut o);
    if !c.betas.is_empty() {
        let mut list = o.list("anthropic_beta");
        for beta in &c.betas {
            list.text(beta);
        }
    }
    for member in &c.fields {
        o.member(member);
    }
}

/// Whether the effort goes to `outputConfig.effort`, and not to a field of the model's own.
pub(super) fn effort_is_portable(c: &Conversation<'_>, model: &str) -> bool {
    match words_of(model) {
        Words::Portable => true,
        Words::GptOss => has(c, "reasoning_effort"),
        Words::Gpt => has(c, "reasoning"),
        Words::Nova => has(c, "reasoningConfig"),
    }
}

/// How a model is told to make an effort.
#[derive(PartialEq, Eq)]
enum Words {
    Portable,
    Nova,
    Gpt,
    GptOss,
}

fn words_of(model: &str) -> Words {
    match Family::of(model) {
        Family::Nova => Words::Nova,
        Family::OpenAi if !base_id(model).starts_with("openai.gpt-oss") => Words::Gpt,
        Family::OpenAi | Family::OpenAiForm => Words::GptOss,
        _ => Words::Portable,
    }
}

fn has(c: &Conversation<'_>, name: &str) -> bool {
    c.fields.iter().any(|member| member.name == name)
}

fn write_thinking(thinking: Thinking, o: &mut Object<'_>) {
    let mut o = o.object("thinking");
    match thinking {
        Thinking::Off => o.raw("type", "\"disabled\""),
        Thinking::Adaptive => o.raw("type", "\"adaptive\""),
        Thinking::On { budget } => o.raw("type", "\"enabled\"").maybe_number("budget_tokens", budget),
    };
}

/// Nova has a switch, and effort in three steps.
pub(crate) fn reasoning_nova(
    thinking: Option<Thinking>,
    effort: Option<&Text<'_>>,
    name: &str,
    o: &mut Object<'_>,
) {
    let effort = effort.map(|effort| effort.decode());
    let step = match effort.as_deref() {
        Some("minimal" | "low") => Some("low"),
        Some("medium") => Some("medium"),
        Some("high" | "xhigh" | "max") => Some("high"),
        _ => None,
    };
    if thinking == Some(Thinking::Off) || thinking.is_none() && effort.as_deref() == Some("none") {
        o.object(name).raw("type", "\"disabled\"");
    } else if thinking.is_some() || effort.is_some() {
        let mut o = o.object(name);
        o.raw("type", "\"enabled\"");
        match (step, effort) {
            (Some(step), _) => o.string("maxReasoningEffort", step),
            // a word of another day: the model will say what it thinks of it
            (None, Some(other)) if other != "none" => o.string("maxReasoningEffort", &other),
            (None, _) => o.maybe_json("maxReasoningEffort", by_budget(thinking).as_ref()),
        };
    }
}

/// What a budget of tokens is in steps.
fn by_budget(thinking: Option<Thinking>) -> Option<Json<'static>> {
    let Some(Thinking::On { budget: Some(budget) }) = thinking else { return None };
    Some(Json::from_raw(match budget {
        ..=4_096 => "\"low\"",
        4_097..=16_384 => "\"medium\"",
        _ => "\"high\"",
    }))
}

fn top_k(c: &Conversation<'_>, inside: bool, o: &mut Object<'_>) {
    let Some(top_k) = &c.sampling.top_k else { return };
    match inside {
        true => {
            o.object("inferenceConfig").json("topK", top_k);
        }
        false => {
            o.json("top_k", top_k);
        }
    }
}
