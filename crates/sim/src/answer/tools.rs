//! Which tool to call, and with what.

use serde_json::{Value, json};

use super::json_schema;
use crate::prompt::{Choice, Offer, Piece, Prompt, Role};
use crate::seed::Rng;
use crate::words;

/// The tool's name and its input; none when no tool is called for.
pub(super) fn call(prompt: &Prompt, question: &str, wrong: bool, rng: &mut Rng) -> Option<(String, Value)> {
    let tools: Vec<(&str, &str, &Value)> = prompt
        .offers
        .iter()
        .filter_map(|o| match o {
            Offer::Tool { name, description, schema } => Some((name.as_str(), description.as_str(), schema)),
            Offer::Mark(_) => None,
        })
        .collect();
    let scored = tools.iter().map(|t| (score(t, question), t));
    let best = scored.rev().max_by_key(|(score, _)| *score);
    let (name, _, schema) = match &prompt.choice {
        Choice::Never => return None,
        Choice::Tool(wanted) => tools.iter().find(|t| t.0 == wanted)?,
        Choice::Any => best?.1,
        Choice::Auto if has_result(prompt) => return None,
        Choice::Auto => best.filter(|(score, _)| *score >= 3)?.1,
    };
    let source = super::everything(prompt);
    let input = json_schema::fill(schema, &source, question, wrong, rng);
    Some(((*name).to_string(), if input.is_object() { input } else { json!({}) }))
}

/// A word of the name counts three, of the description two, of a parameter one.
fn score((name, description, schema): &(&str, &str, &Value), question: &str) -> usize {
    let asked = words::set(question);
    let shared = |text: &str| words::set(text).intersection(&asked).count();
    let params: Vec<&str> =
        schema["properties"].as_object().map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
    3 * shared(name) + 2 * shared(description) + shared(&params.join(" "))
}

fn has_result(prompt: &Prompt) -> bool {
    let last = prompt.turns.last().filter(|t| t.role == Role::User);
    last.is_some_and(|t| t.pieces.iter().any(|p| matches!(p, Piece::Outcome { .. })))
}
