//! Words and sentences, as plainly as will do.

use std::collections::HashSet;

/// Words that say little about what a text is about.
const STOP: &[&str] = &[
    "a", "about", "above", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could",
    "did", "do", "does", "for", "from", "give", "had", "has", "have", "how", "i", "if", "in", "into", "is",
    "it", "its", "me", "much", "many", "my", "of", "on", "or", "our", "please", "she", "should", "so",
    "tell", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "us", "was",
    "we", "were", "what", "when", "where", "which", "who", "whom", "why", "will", "with", "would", "you",
    "your", "he", "his", "her", "not", "no", "than", "also", "using", "use", "answer", "question",
];

/// The words that carry meaning: lower case, without their commonest endings.
pub(crate) fn content(text: &str) -> Vec<String> {
    all(text).filter(|w| !STOP.contains(&w.as_str())).map(|w| stem(&w)).collect()
}

/// The same, each once.
pub(crate) fn set(text: &str) -> HashSet<String> {
    content(text).into_iter().collect()
}

/// Every word in lower case. `snake_case` and `camelCase` names fall into their parts.
pub(crate) fn all(text: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for c in text.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
        before = c;
    }
    spaced.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().into_iter()
}

fn stem(word: &str) -> String {
    if word.len() > 4 && word.is_ascii() {
        for ending in ["ies", "ing", "ed", "es", "s"] {
            if let Some(root) = word.strip_suffix(ending).filter(|r| r.len() >= 3) {
                return if ending == "ies" {
                    format!("{root}y")
                } else {
                    root.trim_end_matches('e').to_string()
                };
            }
        }
        return word.trim_end_matches('e').to_string();
    }
    word.to_string()
}

/// The sentences of a text; lines end sentences too.
pub(crate) fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut from = 0;
        let chars: Vec<(usize, char)> = line.char_indices().collect();
        for (i, (at, c)) in chars.iter().enumerate() {
            let ends =
                matches!(c, '.' | '!' | '?') && chars.get(i + 1).is_none_or(|(_, n)| n.is_whitespace());
            if ends && !abbreviation(&line[from..*at]) {
                out.push(line[from..=*at].trim().to_string());
                from = at + 1;
            }
        }
        out.push(line[from..].trim().to_string());
    }
    out.retain(|s| s.chars().any(char::is_alphanumeric));
    out
}

fn abbreviation(before: &str) -> bool {
    let word = before.rsplit(' ').next().unwrap_or_default();
    matches!(word, "e.g" | "i.e" | "Mr" | "Mrs" | "Dr" | "No" | "vs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_endings_and_names_fall_apart() {
        assert_eq!(
            content("Where are the refunds of order_id orderNumber?"),
            ["refund", "order", "id", "order", "number"]
        );
        assert_eq!(set("keeping keep keeps").len(), 1);
    }

    #[test]
    fn sentences_end_at_stops_and_lines() {
        assert_eq!(sentences("One. Two 2.5 is!\n- Three"), ["One.", "Two 2.5 is!", "- Three"]);
    }
}
