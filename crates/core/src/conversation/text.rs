//! Strings and values of JSON that are carried from one body to another.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

/// A string of JSON as it stood in a body, with its quotes and escapes. Content: it cannot be logged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// `raw` must be one string of JSON, with its quotes: what a parser found.
    pub fn from_raw(raw: &'a str) -> Self {
        debug_assert!(
            serde_json::from_str::<String>(raw).is_ok() || raw.contains("\\u"),
            "no string of JSON"
        );
        Self(Cow::Borrowed(raw))
    }

    /// A string that has to be escaped.
    pub fn of(text: &str) -> Self {
        // a string always serialises
        Self(Cow::Owned(serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())))
    }

    /// Pieces that are escaped already, one after the other. None may end inside an escape.
    pub fn of_inner(pieces: &[&str]) -> Self {
        let mut raw = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum::<usize>() + 2);
        raw.push('"');
        pieces.iter().for_each(|piece| raw.push_str(piece));
        raw.push('"');
        Self(Cow::Owned(raw))
    }

    /// With quotes and escapes: to be written as a value.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Between its quotes, with escapes: to be written into another string.
    pub fn inner(&self) -> &str {
        let inner = self.0.get(1..self.0.len().saturating_sub(1));
        inner.unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.inner().is_empty()
    }

    /// What it says. Halves of a surrogate pair, which JSON can write and Rust cannot, become U+FFFD.
    pub fn decode(&self) -> Cow<'_, str> {
        if !self.inner().contains('\\') {
            return Cow::Borrowed(self.inner());
        }
        match serde_json::from_str::<String>(&self.0) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Owned(lossy(self.inner())),
        }
    }

    /// Whether it says `other`.
    pub fn is(&self, other: &str) -> bool {
        self.inner() == other || self.inner().contains('\\') && self.decode() == other
    }

    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

/// A value of JSON as it stood in a body. Content: it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Json<'a>(Cow<'a, str>);

impl<'a> Json<'a> {
    pub const NULL: Self = Self(Cow::Borrowed("null"));

    /// `raw` must be one value of JSON: what a parser found, or a writer wrote.
    pub fn from_raw(raw: impl Into<Cow<'a, str>>) -> Self {
        Self(raw.into())
    }

    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The number it is.
    pub fn number(&self) -> Option<f64> {
        self.0.trim().parse().ok()
    }

    pub fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }
}

/// From a text in memory only: what is borrowed cannot come from a reader.
impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(d)?.get();
        match raw.starts_with('"') {
            true => Ok(Self(Cow::Borrowed(raw))),
            false => Err(D::Error::custom("expected a string")),
        }
    }
}

/// As [`Text`]; `null` is a value too.
impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self(Cow::Borrowed(<&RawValue>::deserialize(d)?.get())))
    }
}

impl<'a> From<Text<'a>> for Json<'a> {
    fn from(text: Text<'a>) -> Self {
        Self(text.0)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// Decodes a string in which halves of surrogate pairs stand alone.
fn lossy(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = inner;
    let flush = |units: &mut Vec<u16>, out: &mut String| {
        out.extend(char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    };
    while let Some(c) = rest.chars().next() {
        if c != '\\' {
            flush(&mut units, &mut out);
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        if let Some(unit) = rest.get(2..6).filter(|_| rest.as_bytes().get(1) == Some(&b'u'))
            && let Ok(unit) = u16::from_str_radix(unit, 16)
        {
            units.push(unit);
            rest = &rest[6..];
            continue;
        }
        flush(&mut units, &mut out);
        let mut escape = rest.chars();
        let escaped = escape.nth(1);
        out.push(match escaped {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(other) => other,
            None => char::REPLACEMENT_CHARACTER,
        });
        rest = escape.as_str();
    }
    flush(&mut units, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_carried_with_their_escapes_and_decoded_when_asked() {
        let text = Text::from_raw(r#""a\n\u00e9\"b""#);
        assert_eq!(text.inner(), r#"a\n\u00e9\"b"#);
        assert_eq!(text.decode(), "a\né\"b");
        assert!(text.is("a\né\"b") && !text.is("a"));
        assert_eq!(Text::of("x\"\n").raw(), r#""x\"\n""#);
        assert_eq!(Text::of_inner(&[text.inner(), "\\n", ""]).raw(), r#""a\n\u00e9\"b\n""#);
        assert!(matches!(Text::from_raw("\"plain\"").decode(), Cow::Borrowed("plain")));
    }

    #[test]
    fn a_lone_half_of_a_pair_does_not_lose_the_rest() {
        assert_eq!(Text::from_raw(r#""a\ud83db\t\ud83d\ude00""#).decode(), "a\u{fffd}b\t😀");
    }

    #[test]
    fn nothing_of_it_is_ever_formatted() {
        assert_eq!(
            format!("{:?} {:?}", Text::of("secret"), Json::from_raw("{\"a\":1}")),
            "Text(8 bytes) Json(7 bytes)"
        );
    }
}
