//! Answers in words: the sentences of the prompt that are about the question.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::prompt::{Piece, Prompt, Role};
use crate::seed::Rng;
use crate::words::{self, sentences};

/// What is asked: what follows "Question:", else the last question, else the last line.
pub(super) fn question(prompt: &Prompt) -> String {
    let turns = prompt.turns.iter().rev().filter(|t| t.role == Role::User);
    for turn in turns {
        let text: String = turn
            .pieces
            .iter()
            .filter_map(|p| if let Piece::Text(t) | Piece::Guarded(t) = p { Some(t.as_str()) } else { None })
            .collect::<Vec<_>>()
            .join("\n");
        let text = without_template(&text);
        if let Some((_, after)) = text.rsplit_once("Question:")
            && let Some(line) = after.lines().find(|l| !l.trim().is_empty())
        {
            return line.trim().to_string();
        }
        let all = sentences(&text);
        if let Some(found) = all.iter().rev().find(|s| s.ends_with('?')).or(all.last()) {
            return found.clone();
        }
    }
    String::new()
}

/// Takes out the special tokens of Llama, Mistral and DeepSeek templates.
fn without_template(text: &str) -> String {
    let mut out = text.to_string();
    for (open, close) in [("<|", "|>"), ("<\u{ff5c}", "\u{ff5c}>")] {
        while let Some(at) = out.find(open)
            && let Some(end) = out[at..].find(close)
        {
            out.replace_range(at..at + end + close.len(), "\n");
        }
    }
    for token in ["[INST]", "[/INST]", "<s>", "</s>"] {
        out = out.replace(token, "\n");
    }
    for role in ["\nassistant\n", "\nuser\n", "\nsystem\n"] {
        out = out.replace(role, "\n");
    }
    out.lines().filter(|l| l.trim() != "assistant").collect::<Vec<_>>().join("\n")
}

/// The answer in words.
pub(super) fn say(prompt: &Prompt, question: &str, wrong: bool, rng: &mut Rng) -> String {
    if let Some(words) = echo(question).filter(|_| !wrong) {
        return words;
    }
    if let Some(told) = from_results(prompt, question) {
        return if wrong { "The tool gave no result.".to_string() } else { told };
    }
    let context = context(prompt, question);
    if let Some(label) = label(prompt, question, wrong, rng) {
        return label;
    }
    let asked = words::set(question);
    let ranked = rank(&context, &asked);
    let best = ranked.first().filter(|(score, _)| *score > 0.0);
    match best {
        Some((_, best)) if wrong => another(&context, best, rng),
        Some((score, best)) => {
            let second = ranked.get(1).filter(|(s, _)| *s >= 0.9 * score && *s > 1.0);
            match second {
                Some((_, second)) => format!("{best} {second}"),
                None => (*best).clone(),
            }
        }
        None if wrong && !context.is_empty() => context[rng.below(context.len())].clone(),
        None => unknown(question),
    }
}

/// "Say X", "Repeat: X": an order to write given words.
fn echo(question: &str) -> Option<String> {
    let lower = question.to_lowercase();
    let verbs = ["say ", "repeat ", "repeat: ", "reply with ", "respond with ", "echo ", "say: ", "echo: "];
    let verb = verbs.iter().filter(|v| lower.starts_with(**v)).max_by_key(|v| v.len())?;
    let rest = question.get(verb.len()..)?.trim();
    let rest = ["exactly ", "only ", "the word ", "the words "]
        .iter()
        .fold(rest, |r, w| r.strip_prefix(w).unwrap_or(r));
    let rest = rest.trim_matches(|c| matches!(c, '"' | '\'' | '`' | ':'));
    (!rest.is_empty()).then(|| rest.to_string())
}

fn unknown(question: &str) -> String {
    let topic: Vec<String> = words::all(question).filter(|w| w.len() > 3).take(6).collect();
    if topic.is_empty() {
        return "I do not know: the prompt asks nothing that I could look up.".to_string();
    }
    format!("I do not know: the prompt says nothing about {}.", topic.join(" "))
}

/// Sentences to answer from: documents, system text, earlier turns, and the rest of the last one.
fn context(prompt: &Prompt, question: &str) -> Vec<String> {
    let mut out = Vec::new();
    let turns = prompt.turns.iter().flat_map(|t| t.pieces.iter());
    for piece in prompt.system.iter().chain(turns) {
        let text = match piece {
            Piece::Text(t) | Piece::Guarded(t) => without_template(t),
            Piece::Passage { text, .. } => text.clone(),
            Piece::Outcome { .. } => piece.text(),
            _ => continue,
        };
        out.extend(
            sentences(&text).into_iter().filter(|s| s != question && !s.ends_with('?') && !is_order(s)),
        );
    }
    let mut seen = HashSet::new();
    out.retain(|s| !s.contains("Question:") && seen.insert(s.clone()));
    out
}

/// An instruction to the model rather than a fact.
fn is_order(sentence: &str) -> bool {
    const OPENINGS: &[&str] = &[
        "answer",
        "you are",
        "you answer",
        "you must",
        "you will",
        "use ",
        "do not",
        "don't",
        "reply",
        "respond",
        "write",
        "classify",
        "summarise",
        "summarize",
        "read ",
        "be ",
        "if you",
        "based on",
        "context:",
        "think",
        "return",
        "output",
        "extract",
        "explain",
    ];
    let lower = sentence.to_lowercase();
    OPENINGS.iter().any(|o| lower.starts_with(o))
}

/// Sentences by how well they answer: shared words, rare ones counting more.
fn rank<'a>(context: &'a [String], asked: &HashSet<String>) -> Vec<(f64, &'a String)> {
    let sets: Vec<HashSet<String>> = context.iter().map(|s| words::set(s)).collect();
    let mut often: HashMap<&str, usize> = HashMap::new();
    for word in sets.iter().flatten() {
        *often.entry(word).or_default() += 1;
    }
    let mut ranked: Vec<(f64, &String)> = context
        .iter()
        .zip(&sets)
        .map(|(sentence, set)| {
            let shared: f64 = set.intersection(asked).map(|w| 1.0 + 1.0 / count(often.get(w.as_str()))).sum();
            let long = f64::from(u32::try_from(set.len()).unwrap_or(u32::MAX));
            (if shared > 0.0 { shared - long / 1000.0 } else { 0.0 }, sentence)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
}

fn count(n: Option<&usize>) -> f64 {
    f64::from(u32::try_from(*n.unwrap_or(&1)).unwrap_or(1))
}

fn another(context: &[String], best: &str, rng: &mut Rng) -> String {
    let others: Vec<&String> = context.iter().filter(|s| *s != best).collect();
    match others.get(rng.below(others.len())) {
        Some(other) => (*other).clone(),
        None => "The prompt says nothing about that.".to_string(),
    }
}

/// "one of: a, b, c" asks for a label: the one whose words the text holds, else one drawn.
fn label(prompt: &Prompt, question: &str, wrong: bool, rng: &mut Rng) -> Option<String> {
    let last: String = prompt.last_user()?.pieces.iter().map(Piece::text).collect::<Vec<_>>().join("\n");
    let system: String = prompt.system.iter().map(Piece::text).collect::<Vec<_>>().join("\n");
    let all = format!("{system}\n{last}");
    let at = all.to_lowercase().rfind("one of:")?;
    let list = all.get(at + 7..)?.lines().next()?;
    let labels: Vec<&str> = list
        .split([',', ';', '|'])
        .map(|l| l.trim().trim_start_matches("or ").trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|l| !l.is_empty())
        .collect();
    let text =
        words::set(&last.replace(list, " ")).into_iter().chain(words::set(question)).collect::<HashSet<_>>();
    let fits = |l: &&&str| words::content(l).iter().any(|w| text.contains(w));
    let right = labels.iter().find(fits).or_else(|| labels.get(rng.below(labels.len())))?;
    if !wrong {
        return Some((*right).to_string());
    }
    labels.iter().find(|l| *l != right).map(|l| (*l).to_string())
}

/// Tells what the tools of the last turn gave back.
fn from_results(prompt: &Prompt, question: &str) -> Option<String> {
    let turn = prompt.turns.last().filter(|t| t.role == Role::User)?;
    let mut told = Vec::new();
    for piece in &turn.pieces {
        if let Piece::Outcome { content, .. } = piece {
            told.extend(content.iter().flat_map(facts));
        }
    }
    if told.is_empty() {
        return None;
    }
    let ranked = rank(&told, &words::set(question));
    let best: Vec<&str> = match ranked.first() {
        Some((score, _)) if *score > 0.0 && told.len() > 4 => {
            ranked.iter().take(2).map(|r| r.1.as_str()).collect()
        }
        _ => told.iter().take(6).map(String::as_str).collect(),
    };
    Some(format!("According to the tool: {}", best.join("; ")))
}

/// A result as short statements.
fn facts(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(k, v)| match v {
                Value::Object(_) => facts(v),
                Value::Array(items) if items.iter().any(Value::is_object) => {
                    items.iter().flat_map(facts).collect()
                }
                _ => vec![format!("{} is {}", k.replace('_', " "), crate::prompt::plain(v))],
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(facts).collect(),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => facts(&inner),
            _ => sentences(text),
        },
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}
