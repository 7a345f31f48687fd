//! Text to tokens and back: byte-level pair encoding, digits one by one, with the words and merges of the model's file.

use std::collections::HashMap;

use crate::gguf::File;

pub struct Vocabulary {
    tokens: Vec<String>,
    by_text: HashMap<String, u32>,
    /// What two neighbours become, and how early.
    merges: HashMap<(u32, u32), (usize, u32)>,
    control: Vec<bool>,
    byte_of: HashMap<char, u8>,
    char_of: Vec<char>,
    unknown: u32,
}

impl Vocabulary {
    /// # Errors
    /// What the file lacks.
    pub fn load(file: &File) -> Result<Self, String> {
        let pre = file.text("tokenizer.ggml.pre")?;
        if file.text("tokenizer.ggml.model")? != "gpt2" || pre != "smollm" {
            return Err(format!("tokens of kind `{pre}` are not known: only `smollm` is"));
        }
        let control = file.numbers("tokenizer.ggml.token_type")?.iter().map(|kind| *kind == 3.0).collect();
        let unknown = file.number("tokenizer.ggml.unknown_token_id")? as u32;
        Self::new(
            file.texts("tokenizer.ggml.tokens")?,
            file.texts("tokenizer.ggml.merges")?,
            control,
            unknown,
        )
    }

    fn new(tokens: &[String], merges: &[String], control: Vec<bool>, unknown: u32) -> Result<Self, String> {
        let by_text: HashMap<_, _> = tokens.iter().cloned().zip(0u32..).collect();
        let find =
            |text: &str| by_text.get(text).copied().ok_or_else(|| format!("`{text}` is merged and no token"));
        let mut pairs = HashMap::with_capacity(merges.len());
        for (rank, merge) in merges.iter().enumerate() {
            let (left, right) = merge.split_once(' ').ok_or_else(|| format!("`{merge}` is no merge"))?;
            pairs.insert((find(left)?, find(right)?), (rank, find(&format!("{left}{right}"))?));
        }
        let char_of = alphabet();
        let byte_of = char_of.iter().copied().zip(0..=255).collect();
        Ok(Self { tokens: tokens.to_vec(), by_text, merges: pairs, control, byte_of, char_of, unknown })
    }

    /// A control token, by its name.
    pub fn control(&self, name: &str) -> Option<u32> {
        self.by_text.get(name).copied().filter(|token| self.control[*token as usize])
    }

    /// The tokens of a text. Control tokens that somebody wrote out are text like any other.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        words(text).into_iter().flat_map(|word| self.merged(word)).collect()
    }

    /// The bytes that a token stands for: not always whole characters. Of a control token, none.
    pub fn bytes(&self, token: u32) -> Vec<u8> {
        match self.tokens.get(token as usize) {
            Some(text) if !self.control[token as usize] => {
                text.chars().filter_map(|c| self.byte_of.get(&c).copied()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn merged(&self, word: &str) -> Vec<u32> {
        let byte = |byte: u8| self.by_text.get(self.char_of[byte as usize].encode_utf8(&mut [0; 4]) as &str);
        let mut tokens: Vec<u32> = word.bytes().map(|b| byte(b).copied().unwrap_or(self.unknown)).collect();
        loop {
            let merges = tokens.windows(2).enumerate().filter_map(|(at, pair)| {
                self.merges.get(&(pair[0], pair[1])).map(|(rank, merged)| (*rank, at, *merged))
            });
            let Some((_, at, merged)) = merges.min() else { return tokens };
            tokens.splice(at..at + 2, [merged]);
        }
    }
}

/// Each byte as a character that can be seen: those of Latin-1 that can are themselves, the others follow from 256.
fn alphabet() -> Vec<char> {
    let mut others = 256u32..;
    (0..=255u32)
        .map(|byte| match byte {
            33..=126 | 161..=172 | 174..=255 => byte,
            _ => others.next().unwrap_or_default(),
        })
        .filter_map(char::from_u32)
        .collect()
}

/// Where no token reaches across: GPT-2's rule, with digits one by one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_numeric() => c.len_utf8(),
            '\'' => contraction(rest).unwrap_or_else(|| run(rest, kind('\''))),
            ' ' => match rest[1..].chars().next() {
                Some(c) if !c.is_whitespace() && !c.is_numeric() => 1 + run(&rest[1..], kind(c)),
                _ => space(rest),
            },
            c if c.is_whitespace() => space(rest),
            c => run(rest, kind(c)),
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after;
    }
    words
}

#[derive(PartialEq)]
enum Class {
    Letter,
    Digit,
    Space,
    Other,
}

fn kind(c: char) -> Class {
    match c {
        c if c.is_alphabetic() => Class::Letter,
        c if c.is_numeric() => Class::Digit,
        c if c.is_whitespace() => Class::Space,
        _ => Class::Other,
    }
}

fn run(text: &str, of: Class) -> usize {
    text.find(|c| kind(c) != of).unwrap_or(text.len())
}

fn contraction(text: &str) -> Option<usize> {
    ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"]
        .iter()
        .find(|end| text.starts_with(**end))
        .map(|end| end.len())
}

/// White space leaves its last character to the word that follows, unless it is the only one. To a digit it leaves none.
fn space(text: &str) -> usize {
    let length = run(text, Class::Space);
    let follows = text[length..].chars().next();
    let last = text[..length].chars().next_back().map_or(0, char::len_utf8);
    if follows.is_none_or(char::is_numeric) || last == length { length } else { length - last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_gpt_2_ends_them_and_digits_stand_alone() {
        for (text, expected) in [
            ("Hello, world's end", vec!["Hello", ",", " world", "'s", " end"]),
            ("a  b\n\n c\n", vec!["a", " ", " b", "\n\n", " c", "\n"]),
            ("x = 42 7", vec!["x", " =", " ", "4", "2", " ", "7"]),
            ("'quoted' \"too\"", vec!["'", "quoted", "'", " \"", "too", "\""]),
            ("日本語 です🦀!", vec!["日本語", " です", "🦀!"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
            assert_eq!(words(text).concat(), text);
        }
    }

    #[test]
    fn the_earliest_merge_goes_first_and_bytes_come_back() {
        let mut tokens: Vec<String> = vec!["<|end|>".into()];
        tokens.extend(alphabet().iter().map(char::to_string));
        tokens.extend(["ab", "bc", "abc"].map(String::from));
        let merges = ["b c", "a b", "a bc"].map(String::from);
        let mut control = vec![false; tokens.len()];
        control[0] = true;
        let vocabulary = Vocabulary::new(&tokens, &merges, control, 0).unwrap();
        assert_eq!(vocabulary.tokens("abc"), [259], "bc first, then a");
        let text = "abca <|end|> \u{7}é🦀\n";
        let found = vocabulary.tokens(text);
        assert!(!found.contains(&0), "nobody can write a control token");
        let bytes: Vec<u8> = found.iter().flat_map(|token| vocabulary.bytes(*token)).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
        assert_eq!(vocabulary.control("<|end|>"), Some(0));
        assert_eq!(vocabulary.control("abc"), None);
    }
}
