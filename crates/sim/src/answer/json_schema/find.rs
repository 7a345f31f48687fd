//! Values in a text, by the name of the member they are for.

use crate::words;

/// A text that values are looked up in.
pub(super) struct Source {
    text: String,
    question: String,
    lower: String,
}

impl Source {
    pub(super) fn new(text: &str, question: &str) -> Self {
        Self { lower: text.to_lowercase(), text: text.to_string(), question: question.to_string() }
    }

    /// Whether the text has something for a member of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        let text = words::set(&self.text);
        words::content(name).iter().any(|w| text.contains(w))
    }

    /// Whether a flag of this name holds: the text has its words and does not deny them.
    pub(super) fn says(&self, name: &str) -> bool {
        let word = words::all(name).last().unwrap_or_default();
        let denied =
            [format!("not {word}"), format!("no {word}"), format!("{word}: false"), format!("{word}: no")];
        self.has(name) && !denied.iter().any(|d| self.lower.contains(d.as_str()))
    }

    /// Whether the text holds this value as words of its own.
    pub(super) fn mentions(&self, value: &str) -> bool {
        let value: Vec<String> = words::all(value).collect();
        let text: Vec<String> = words::all(&self.text).collect();
        !value.is_empty() && text.windows(value.len()).any(|w| w == value)
    }

    /// `name: value`, `name is value`, `name = value`; else a thing that looks like an id when the name
    /// asks for one; else a capitalised word; else the question.
    pub(super) fn string(&self, name: &str) -> String {
        if let Some(told) = self.after_name(name) {
            return told;
        }
        let id = words::all(name)
            .any(|w| matches!(w.as_str(), "id" | "number" | "code" | "sku" | "reference" | "ref"));
        let tokens = self.tokens();
        if id && let Some(t) = tokens.iter().find(|t| t.chars().any(|c| c.is_ascii_digit())) {
            return (*t).to_string();
        }
        if let Some(found) = words::content(name).iter().find_map(|w| self.beside(w)) {
            return found;
        }
        if name.contains("city")
            || name.contains("location")
            || name.contains("name")
            || name.contains("place")
        {
            let proper = tokens
                .iter()
                .skip(1)
                .find(|t| t.chars().next().is_some_and(char::is_uppercase) && t.len() > 1);
            if let Some(t) = proper {
                return (*t).to_string();
            }
        }
        if self.question.is_empty() { "unknown".into() } else { self.question.clone() }
    }

    /// Up to `n` words of the question for a list of strings.
    pub(super) fn list(&self, name: &str, n: usize) -> Vec<String> {
        if let Some(told) = self.after_name(name).filter(|t| t.contains(',')) {
            return told.split(',').map(|s| s.trim().to_string()).take(n).collect();
        }
        let mut out: Vec<String> = Vec::new();
        for word in words::all(&self.question).filter(|w| w.len() > 3) {
            if !out.contains(&word) && out.len() < n {
                out.push(word);
            }
        }
        out
    }

    /// The number after the name, else before one of its words, else the first number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let named = self.after_name(name).and_then(|t| first_number(&t));
        named.or_else(|| first_number(&self.question)).or_else(|| first_number(&self.text))
    }

    pub(super) fn email(&self) -> Option<String> {
        self.tokens()
            .into_iter()
            .find(|t| t.split_once('@').is_some_and(|(a, b)| !a.is_empty() && b.contains('.')))
            .map(String::from)
    }

    pub(super) fn url(&self) -> Option<String> {
        self.tokens().into_iter().find(|t| t.starts_with("http")).map(String::from)
    }

    /// A date written `2026-12-01`.
    pub(super) fn date(&self) -> Option<String> {
        let is = |t: &&str| {
            let b = t.as_bytes();
            b.len() == 10
                && b.iter()
                    .enumerate()
                    .all(|(i, c)| if i == 4 || i == 7 { *c == b'-' } else { c.is_ascii_digit() })
        };
        self.tokens().into_iter().find(is).map(String::from)
    }

    fn tokens(&self) -> Vec<&str> {
        let trim = |c: char| {
            matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}')
        };
        self.text.split_whitespace().map(|t| t.trim_matches(trim)).filter(|t| !t.is_empty()).collect()
    }

    /// What stands after `name:`, `name is` or `name =`, to the end of its clause.
    fn after_name(&self, name: &str) -> Option<String> {
        let spoken = words::all(name).collect::<Vec<_>>().join(" ");
        for name in [name.to_lowercase(), spoken] {
            if name.is_empty() {
                continue;
            }
            for joint in [": ", " is ", " = ", "=", ":"] {
                let Some(at) = self.lower.find(&format!("{name}{joint}")) else { continue };
                let Some(rest) = self.text.get(at + name.len() + joint.len()..) else { continue };
                let value = clause(rest);
                if !value.is_empty() {
                    return Some(value);
                }
            }
        }
        None
    }

    /// The token beside a word, when it is a value rather than another common word: `order A-77`.
    fn beside(&self, word: &str) -> Option<String> {
        let tokens = self.tokens();
        let at = tokens.iter().position(|t| words::content(t).first().is_some_and(|w| w == word))?;
        let next = tokens.get(at + 1)?;
        let value =
            next.chars().any(|c| c.is_ascii_digit()) || next.chars().next().is_some_and(char::is_uppercase);
        value.then(|| (*next).to_string())
    }
}

fn clause(rest: &str) -> String {
    let end = rest
        .char_indices()
        .find(|(i, c)| {
            matches!(c, '\n' | ',' | ';')
                || (matches!(c, '.' | '?' | '!')
                    && rest[i + c.len_utf8()..].chars().next().is_none_or(char::is_whitespace))
        })
        .map_or(rest.len(), |(i, _)| i);
    rest[..end].trim().trim_matches(|c| matches!(c, '"' | '`')).to_string()
}

fn first_number(text: &str) -> Option<f64> {
    let mut tokens = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    tokens.find_map(|t| t.trim_end_matches('.').parse::<f64>().ok())
}
