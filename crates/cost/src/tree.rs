//! JSON and TOML as one tree in which numbers keep their text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

/// A value of either format.
pub(crate) enum Tree<'a> {
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Table(Vec<(Cow<'a, str>, Tree<'a>)>),
    Null,
    /// A date as TOML writes it, without quotes.
    Date(Cow<'a, str>),
    YesNo(bool),
    /// Nothing here takes it.
    Other(&'static str),
}

impl<'a> Tree<'a> {
    /// Reads JSON when `text` begins with `{`, else TOML.
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| e.to_string()).and_then(json)
        } else {
            DeTable::parse(text).map(|t| table(t.into_inner())).map_err(|e| e.to_string())
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Null => "null",
            Self::Date(_) => "a date",
            Self::YesNo(_) => "true or false",
            Self::Other(kind) => kind,
        }
    }
}

fn json(raw: &RawValue) -> Result<Tree<'_>, String> {
    let text = raw.get();
    let said = |e: serde_json::Error| e.to_string();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(text).map_err(said)?;
            let each = members.0.into_iter().map(|(name, raw)| Ok((name, json(raw)?)));
            Tree::Table(each.collect::<Result<_, String>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(said)?;
            Tree::List(items.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Tree::Text(match text[1..text.len() - 1].contains('\\') {
            true => Cow::Owned(serde_json::from_str(text).map_err(said)?),
            false => Cow::Borrowed(&text[1..text.len() - 1]),
        }),
        Some(b'n') => Tree::Null,
        Some(first @ (b't' | b'f')) => Tree::YesNo(*first == b't'),
        _ => Tree::Number(Cow::Borrowed(text)),
    })
}

/// A JSON object with its members in order; a name that stands twice is an error.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut seen: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    seen.push((name.0, map.next_value()?));
                }
                let mut names: Vec<&str> = seen.iter().map(|(n, _)| &**n).collect();
                names.sort_unstable();
                if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                    return Err(serde::de::Error::custom(format!("`{}` stands twice", twice[0])));
                }
                Ok(Members(seen))
            }
        }
        d.deserialize_map(Read)
    }
}

/// A member's name, borrowed where it can be.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(s)))
            }

            fn visit_str<E>(self, s: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(s.to_owned())))
            }
        }
        d.deserialize_str(Read)
    }
}

fn table(t: DeTable<'_>) -> Tree<'_> {
    Tree::Table(t.into_iter().map(|(name, v)| (name.into_inner(), value(v.into_inner()))).collect())
}

fn value(v: DeValue<'_>) -> Tree<'_> {
    match v {
        DeValue::String(s) => Tree::Text(s),
        DeValue::Integer(i) if i.radix() == 10 => Tree::Number(Cow::Owned(i.as_str().to_owned())),
        DeValue::Integer(_) => Tree::Other("a number that is not decimal"),
        DeValue::Float(f) => Tree::Number(Cow::Owned(f.as_str().to_owned())),
        DeValue::Boolean(yes) => Tree::YesNo(yes),
        DeValue::Datetime(date) => Tree::Date(Cow::Owned(date.to_string())),
        DeValue::Array(items) => Tree::List(items.into_iter().map(|v| value(v.into_inner())).collect()),
        DeValue::Table(t) => table(t),
    }
}
