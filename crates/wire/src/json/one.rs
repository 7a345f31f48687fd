//! An object of one member: how Bedrock writes that something is one of several.

use std::borrow::Cow;
use std::fmt;

use bedplate_core::conversation::{Json, Text as RawText};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Text;
use super::object::{Bad, wrong};
use super::write::string;

/// What it is, and its value as it stood.
pub(crate) struct One<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) value: &'a str,
}

impl<'a> One<'a> {
    /// The string that the value is.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn text(&self) -> Result<RawText<'a>, Bad> {
        text(self.value)
    }

    /// The object of one member.
    pub(crate) fn whole(&self) -> Json<'a> {
        let mut out = String::with_capacity(self.name.len() + self.value.len() + 5);
        out.push('{');
        string(&mut out, &self.name);
        out.push(':');
        out.push_str(self.value);
        out.push('}');
        Json::from_raw(out)
    }
}

/// The string that a value is.
///
/// # Errors
/// When it is none.
pub(crate) fn text(value: &str) -> Result<RawText<'_>, Bad> {
    match value.starts_with('"') {
        true => Ok(RawText::from_raw(value)),
        false => Err(Bad::value("", "expected a string")),
    }
}

/// Members that are `null` count as absent, unless there is no other.
impl<'de: 'a, 'a> Deserialize<'de> for One<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = One<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<One<'de>, A::Error> {
                let mut found: Option<One<'de>> = None;
                while let Some(Text(name)) = map.next_key()? {
                    let value = map.next_value::<&RawValue>()?.get();
                    match &found {
                        Some(one) if one.value != "null" && value != "null" => {
                            return Err(wrong("it has more than one member: it is one thing or another"));
                        }
                        Some(_) if value == "null" => {}
                        _ => found = Some(One { name, value }),
                    }
                }
                found.ok_or_else(|| wrong("it has no member"))
            }
        }

        d.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::object::read;

    use super::*;

    #[test]
    fn one_member_and_no_other() {
        let one: One<'_> = read(r#"{"image":null,"te\u0078t": "a\n" ,"z":null}"#).unwrap();
        assert_eq!((&*one.name, one.value), ("text", r#""a\n""#));
        assert_eq!(one.whole().raw(), r#"{"text":"a\n"}"#);
        let none: One<'_> = read(r#"{"json":null}"#).unwrap();
        assert_eq!((&*none.name, none.value), ("json", "null"));
        assert_eq!(read::<One<'_>>("{}").err().unwrap().why, "it has no member");
        let both = read::<One<'_>>(r#"{"text":"a","text":"b"}"#).err().unwrap();
        assert!(both.why.starts_with("it has more than one member"), "{}", both.why);
    }
}
