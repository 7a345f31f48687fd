//! What the simulated model says.
//!
//! It reads: it answers with the sentences of its prompt that share most words with the question, says
//! plainly when there are none, fills a JSON schema with values found in the prompt, calls the tool that
//! the question is about, and after a tool's result answers from that. Everything is drawn from
//! the seed and the prompt, so the same request gets the same answer.
//!
//! It also errs, as models do: with the model's error rate it takes a wrong sentence or writes a wrong
//! value. The rates are stated in [`traits`] and shown at `GET /__sim/models`.

pub(crate) mod json_schema;
mod passages;
pub(crate) mod signature;
mod tools;
pub(crate) mod traits;

use serde_json::Value;

use crate::prompt::{Choice, Piece, Prompt};
use crate::seed::{ALPHANUMERIC, Rng};
use crate::tokens;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) blocks: Vec<Block>,
    pub(crate) stop: Stop,
    /// The sequence that ended it, when one did.
    pub(crate) stop_sequence: Option<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Block {
    Thought { text: String, signature: String },
    Text(String),
    Call { id: String, name: String, input: Value },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    EndTurn,
    MaxTokens,
    Sequence,
    ToolUse,
    Guardrail,
}

impl Block {
    pub(crate) fn tokens(&self) -> u64 {
        match self {
            Self::Thought { text, .. } | Self::Text(text) => tokens::text(text).max(1),
            Self::Call { name, input, .. } => 8 + tokens::text(name) + tokens::json(input),
        }
    }
}

impl Answer {
    pub(crate) fn tokens(&self) -> u64 {
        self.blocks.iter().map(Block::tokens).sum()
    }

    /// All text that is no thought.
    pub(crate) fn text(&self) -> String {
        self.blocks
            .iter()
            .filter_map(|b| if let Block::Text(t) = b { Some(t.as_str()) } else { None })
            .collect()
    }
}

/// Answers `prompt`; `error_rate` is the chance to be wrong, `most` the tokens allowed.
pub(crate) fn answer(prompt: &Prompt, error_rate: f64, most: u64, seed: u64) -> Answer {
    let mut rng = Rng::new(seed);
    let wrong = rng.unit() < error_rate;
    let question = passages::question(prompt);
    let mut blocks = Vec::new();
    if prompt.thinks {
        let text = format!("The question is: {question} I look for what the prompt says about it.");
        blocks.push(Block::Thought { text, signature: rng.text(ALPHANUMERIC, 88) });
    }
    let mut stop = Stop::EndTurn;
    if let Some(call) = tools::call(prompt, &question, wrong, &mut rng) {
        if prompt.choice == Choice::Auto {
            blocks.push(Block::Text(format!("I will use {} for that.", call.0)));
        }
        let id = format!("tooluse_{}", rng.text(ALPHANUMERIC, 22));
        blocks.push(Block::Call { id, name: call.0, input: call.1 });
        stop = Stop::ToolUse;
    } else if let Some(schema) = &prompt.schema {
        let value = json_schema::fill(schema, &everything(prompt), &question, wrong, &mut rng);
        blocks.push(Block::Text(value.to_string()));
    } else {
        blocks.push(Block::Text(passages::say(prompt, &question, wrong, &mut rng)));
    }
    limit(Answer { blocks, stop, stop_sequence: None }, &prompt.stops, most)
}

/// All that the prompt says, for values to be found in.
fn everything(prompt: &Prompt) -> String {
    let turns = prompt.turns.iter().flat_map(|t| &t.pieces);
    turns.chain(&prompt.system).map(Piece::text).collect::<Vec<_>>().join("\n")
}

/// Cuts at the first stop sequence and at the most tokens allowed.
fn limit(mut answer: Answer, stops: &[String], most: u64) -> Answer {
    let mut left = most;
    let mut kept = Vec::new();
    for mut block in std::mem::take(&mut answer.blocks) {
        if let Block::Text(text) = &mut block
            && let Some((at, stop)) = first_stop(text, stops)
        {
            text.truncate(at);
            answer.stop = Stop::Sequence;
            answer.stop_sequence = Some(stop);
        }
        let size = block.tokens();
        if size > left {
            answer.stop = Stop::MaxTokens;
            answer.stop_sequence = None;
            if let Block::Text(text) | Block::Thought { text, .. } = &mut block
                && left > 0
            {
                *text = text.chars().take(usize::try_from(left * 4).unwrap_or(usize::MAX)).collect();
                kept.push(block);
            }
            break;
        }
        left -= size;
        kept.push(block);
        if answer.stop == Stop::Sequence {
            break;
        }
    }
    answer.blocks = kept;
    answer
}

fn first_stop(text: &str, stops: &[String]) -> Option<(usize, String)> {
    stops.iter().filter(|s| !s.is_empty()).filter_map(|s| Some((text.find(s.as_str())?, s.clone()))).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Offer, Role, Turn};
    use serde_json::json;

    fn ask(system: &str, user: &str) -> Prompt {
        let mut p = Prompt::of_text(user);
        p.system = vec![Piece::Text(system.to_string())];
        p
    }

    #[test]
    fn it_answers_from_its_passages_and_says_when_it_cannot() {
        let p = ask("Refunds are paid within ten days. Parcels leave on Monday.", "When do parcels leave?");
        assert_eq!(answer(&p, 0.0, 100, 1).text(), "Parcels leave on Monday.");
        let unknown = answer(&ask("Parcels leave on Monday.", "Who wrote Faust?"), 0.0, 100, 1).text();
        assert!(unknown.starts_with("I do not know:"), "{unknown}");
    }

    #[test]
    fn an_error_is_another_sentence() {
        let p = ask("Refunds take ten days. Parcels leave on Monday.", "When do parcels leave?");
        assert_eq!(answer(&p, 1.0, 100, 1).text(), "Refunds take ten days.");
    }

    #[test]
    fn limits_and_stop_sequences_cut() {
        let mut p = ask("Parcels leave on Monday.", "When do parcels leave?");
        let cut = answer(&p, 0.0, 2, 1);
        assert_eq!((cut.text().as_str(), cut.stop, cut.tokens()), ("Parcels ", Stop::MaxTokens, 2));
        p.stops = vec![" on".into()];
        let cut = answer(&p, 0.0, 100, 1);
        assert_eq!((cut.text().as_str(), cut.stop), ("Parcels leave", Stop::Sequence));
        assert_eq!(cut.stop_sequence.as_deref(), Some(" on"));
    }

    #[test]
    fn a_tool_is_called_and_its_result_is_told() {
        let mut p = Prompt::of_text("Where is my order A-77?");
        p.offers = vec![Offer::Tool {
            name: "get_order".into(),
            description: "Looks up an order by its id".into(),
            schema: json!({"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}),
        }];
        let first = answer(&p, 0.0, 100, 1);
        assert_eq!(first.stop, Stop::ToolUse);
        let Some(Block::Call { input, id, name }) = first.blocks.last().cloned() else { panic!("no call") };
        assert_eq!(input, json!({"order_id": "A-77"}));
        p.turns
            .push(Turn { role: Role::Assistant, pieces: vec![Piece::Call { id: id.clone(), name, input }] });
        let content = vec![json!({"status": "shipped", "eta": "Tuesday"})];
        p.turns.push(Turn { role: Role::User, pieces: vec![Piece::Outcome { id, content }] });
        let second = answer(&p, 0.0, 100, 1);
        assert_eq!(second.stop, Stop::EndTurn);
        assert!(second.text().contains("shipped"), "{}", second.text());
    }

    #[test]
    fn the_same_prompt_gets_the_same_answer() {
        let p = ask("A is one. A is two. A is three.", "What is A?");
        let all: Vec<String> = (0..5).map(|_| answer(&p, 0.5, 100, p.seed(3, "m")).text()).collect();
        assert!(all.windows(2).all(|w| w[0] == w[1]));
    }
}
