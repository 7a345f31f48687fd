//! Reading a few members of a JSON object without touching the rest.

pub(crate) mod object;
pub(crate) mod one;
mod tree;
pub(crate) mod write;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
pub(crate) use tree::Tree;

/// Why a text is no JSON object, without a word of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Syntax {
        line: usize,
        column: usize,
        ended: bool,
    },
    NotAnObject,
    /// A member that is read stands there twice, perhaps written with escapes: two parsers may take
    /// different ones.
    Twice(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column, ended: true } => {
                write!(f, "it ends too early, at line {line} column {column}")
            }
            Self::Syntax { line, column, ended: false } => {
                write!(f, "unexpected character at line {line} column {column}")
            }
            Self::NotAnObject => f.write_str("it is not an object"),
            Self::Twice(name) => write!(f, "`{name}` stands there twice"),
        }
    }
}

/// The members asked for.
pub(crate) struct Picked<'a> {
    /// In the order of the names asked for.
    pub(crate) values: Vec<Option<&'a RawValue>>,
    /// Whether the object has no members at all.
    pub(crate) empty: bool,
}

impl<'a> Picked<'a> {
    /// The text of a member; `null` counts as absent.
    pub(crate) fn text(&self, place: usize) -> Option<&'a str> {
        self.values.get(place).copied().flatten().map(RawValue::get).filter(|text| *text != "null")
    }
}

/// Bytes as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line_at = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Fault::Syntax {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_at + 1,
            ended: false,
        }
    })
}

/// Checks that `text` is one JSON object and gives the raw text of the members in `names`. A member may
/// not stand there twice, however its name is escaped.
pub(crate) fn pick<'a>(text: &'a str, names: &[&'static str]) -> Result<Picked<'a>, Fault> {
    let mut picked = Picked { values: vec![None; names.len()], empty: true };
    let mut twice = None;
    each(text, &mut |name, value| {
        picked.empty = false;
        if let Some(place) = names.iter().position(|n| *n == name)
            && picked.values[place].replace(value).is_some()
        {
            twice = names.get(place).copied();
        }
    })?;
    match twice {
        Some(name) => Err(Fault::Twice(name)),
        None => Ok(picked),
    }
}

/// Calls `f` with every member of the object that `text` is.
pub(crate) fn each<'a>(text: &'a str, f: &mut dyn FnMut(&str, &'a RawValue)) -> Result<(), Fault> {
    let start = text.bytes().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    match start.map(|at| text.as_bytes()[at]) {
        Some(b'{') => {}
        None => return Err(Fault::Syntax { line: 1, column: text.len() + 1, ended: true }),
        Some(_) => return Err(Fault::NotAnObject),
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Members { f }).and_then(|()| json.end()).map_err(|e| Fault::Syntax {
        line: e.line(),
        column: e.column(),
        ended: e.is_eof(),
    })
}

/// How many elements the array `text` has; `None` when it is no array.
pub(crate) fn count(text: &str) -> Option<u64> {
    let elements: Vec<IgnoredAny> = serde_json::from_str(text).ok()?;
    u64::try_from(elements.len()).ok()
}

/// The string that `text` is.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(text).ok().map(|t| t.0)
}

/// Where `part`, a slice of `whole`, lies in it.
pub(crate) fn range_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// A string, borrowed when it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        d.deserialize_str(Reader)
    }
}

struct Members<'f, 'a> {
    f: &'f mut dyn FnMut(&str, &'a RawValue),
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            (self.f)(&name, map.next_value()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_picked_raw() {
        let text = " {\"a\": {\"x\" : 1} , \"b\":null,\"z\":[1,2]} ";
        let picked = pick(text, &["b", "a", "c"]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(picked.text(1), Some("{\"x\" : 1}"));
        assert_eq!((picked.text(0), picked.text(2), picked.empty), (None, None, false));
        assert_eq!(range_in(text, picked.text(1).unwrap()), 7..16);
    }

    #[test]
    fn escaped_names_are_the_same_names() {
        let fault = pick(r#"{"maxTokens":1,"max\u0054okens":2}"#, &["maxTokens"]).err();
        assert_eq!(fault, Some(Fault::Twice("maxTokens")));
    }

    #[test]
    fn faults_are_placed_and_quote_nothing() {
        for (bad, line, column) in [
            ("{\"a\":\n  secret}", 2, 3),
            ("{\"a\":1", 1, 6),
            ("", 1, 1),
            ("{} x", 1, 4),
            ("{\"a\":1,}", 1, 8),
        ] {
            let fault = pick(bad, &[]).err().unwrap();
            let Fault::Syntax { line: l, column: c, .. } = fault else { panic!("{fault}") };
            assert_eq!((l, c), (line, column), "{bad}");
            assert!(!fault.to_string().contains("secret"));
        }
        assert_eq!(utf8(b"{\n\"\xff").err(), Some(Fault::Syntax { line: 2, column: 2, ended: false }));
        for bad in ["null", "[1]", "\"x\"", "7"] {
            assert_eq!(pick(bad, &[]).err(), Some(Fault::NotAnObject), "{bad}");
        }
    }
}
