//! Reading bodies into types, in one pass, with the place of what is wrong.

use std::fmt;
use std::marker::PhantomData;

use bedplate_core::refusal::{Code, Refusal};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::Fault;

/// Declares a type for an object of JSON. Every member may be absent or `null`; none may stand there twice; those that
/// are not named are kept in `rest`, in order. Members that are wrong are named by their path.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($member:literal => $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: Option<$type>,)*
            pub(crate) rest: Vec<bedplate_core::conversation::Member<'a>>,
        }

        impl<'de: 'a, 'a> serde::de::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Reader<'a>(std::marker::PhantomData<&'a ()>);

                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Reader<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut found = $name::default();
                        $(let mut $field = false;)*
                        while let Some($crate::json::Text(name)) = map.next_key()? {
                            match &*name {
                                $($member => {
                                    if std::mem::replace(&mut $field, true) {
                                        return Err($crate::json::object::twice($member));
                                    }
                                    found.$field = map
                                        .next_value()
                                        .map_err(|e| $crate::json::object::within(format_args!($member), &e))?;
                                })*
                                _ => {
                                    let value = map.next_value()?;
                                    found.rest.push(bedplate_core::conversation::Member { name, value });
                                }
                            }
                        }
                        Ok(found)
                    }
                }

                d.deserialize_map(Reader(std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use object;

/// What is wrong with a body: a member by its path, `messages[3].content[0].text`, or the body itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bad {
    /// Empty when it is the body itself.
    pub(crate) at: String,
    /// Lower case, without a word of the body.
    pub(crate) why: String,
    pub(crate) code: Code,
}

impl Bad {
    /// A value that the member at `at` does not take.
    pub(crate) fn value(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into(), code: Code::BadValue }
    }

    /// The same, deeper in a body: `part` stands in front.
    pub(crate) fn within(mut self, part: impl fmt::Display) -> Self {
        self.at = join(&part.to_string(), &self.at);
        self
    }
}

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Self {
        let said = match bad.at.is_empty() {
            true => bad.why,
            false => format!("`{}`: {}", bad.at, bad.why),
        };
        Refusal::new(bad.code, said)
    }
}

impl From<Fault> for Bad {
    fn from(fault: Fault) -> Self {
        Self {
            at: String::new(),
            why: format!("the body is not the JSON object that the operation takes: {fault}"),
            code: Code::BadBody,
        }
    }
}

/// Reads the value that `text` is.
///
/// # Errors
/// `BP1203` when it is no JSON, or names a member twice; `BP1205` when a member has another type.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Bad> {
    serde_json::from_str(text).map_err(|e| {
        // on its way up an error takes on a path and loses what kind it was: whether it is JSON is asked again
        if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            return Fault::Syntax { line: e.line(), column: e.column(), ended: e.is_eof() }.into();
        }
        let said = e.to_string();
        let (said, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
        match said.strip_prefix(MARK).and_then(|said| said.split_once(MARK)) {
            Some((at, why)) => Bad::value(at, why),
            None => Bad::value("", why(said)),
        }
    })
}

/// Stands around a path within the text of an error on its way up.
const MARK: char = '\u{1}';

/// An error in the part of a body that `part` names.
pub(crate) fn within<E: Error>(part: fmt::Arguments<'_>, e: &impl fmt::Display) -> E {
    let said = e.to_string();
    let (said, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
    match said.strip_prefix(MARK).and_then(|said| said.split_once(MARK)) {
        Some((at, why)) => E::custom(format_args!("{MARK}{}{MARK}{why}", join(&part.to_string(), at))),
        None => E::custom(format_args!("{MARK}{part}{MARK}{}", why(said))),
    }
}

/// An error in the value itself.
pub(crate) fn wrong<E: Error>(why: &str) -> E {
    E::custom(format_args!("{MARK}{MARK}{why}"))
}

pub(crate) fn twice<E: Error>(member: &str) -> E {
    E::custom(format_args!("{MARK}{member}{MARK}it stands there twice"))
}

/// What was expected, of an error that also says what was found: that is content.
fn why(said: &str) -> String {
    match said.rsplit_once("expected ") {
        Some((_, "u64")) => "expected a whole number".to_owned(),
        Some((_, expected)) => format!("expected {expected}"),
        None => "it has another form".to_owned(),
    }
}

fn join(part: &str, at: &str) -> String {
    match at.is_empty() || at.starts_with('[') {
        true => format!("{part}{at}"),
        false => format!("{part}.{at}"),
    }
}

/// A list whose wrong elements are named by their place.
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                loop {
                    let at = list.len();
                    match items.next_element() {
                        Ok(Some(item)) => list.push(item),
                        Ok(None) => return Ok(List(list)),
                        Err(e) => return Err(within(format_args!("[{at}]"), &e)),
                    }
                }
            }
        }

        d.deserialize_seq(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use bedplate_core::conversation::Text;

    use super::*;

    object!(Outer { "list" => list: List<Inner<'a>>, "n" => n: u64 });
    object!(Inner { "text" => text: Text<'a> });

    fn bad(text: &str) -> (String, String) {
        let bad = read::<Outer<'_>>(text).err().unwrap();
        (bad.at, bad.why)
    }

    #[test]
    fn members_are_read_and_others_kept_in_order() {
        let outer: Outer<'_> =
            read(r#"{"z":1,"list":[{"text":"a\n"},{"text":null}],"n":7,"\u0061":{}}"#).unwrap();
        let list = outer.list.unwrap().0;
        assert_eq!(list[0].text.as_ref().unwrap().raw(), r#""a\n""#);
        assert!(list[1].text.is_none());
        let rest: Vec<_> = outer.rest.iter().map(|m| (&*m.name, m.value.raw())).collect();
        assert_eq!((outer.n, rest), (Some(7), vec![("z", "1"), ("a", "{}")]));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path_and_never_quoted() {
        assert_eq!(bad(r#"{"list":[{},{"text":7}]}"#), ("list[1].text".into(), "expected a string".into()));
        assert_eq!(bad(r#"{"list":"secret"}"#), ("list".into(), "expected a list".into()));
        assert_eq!(bad(r#"{"n":"secret"}"#), ("n".into(), "expected a whole number".into()));
        assert_eq!(bad(r#"{"list":[{"text":"a","te\u0078t":"b"}]}"#).0, "list[0].text");
        assert_eq!(bad(r#"["secret"]"#), (String::new(), "expected an object".into()));
        assert!(bad(r#"{"list":[{"#).1.contains("ends too early, at line 1 column"));
    }
}
