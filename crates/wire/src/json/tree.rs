//! A value of JSON whose strings are borrowed: what `serde_json::Value` is, without an allocation for each of them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Text;

/// Members keep their order, and may repeat.
pub(crate) enum Tree<'a> {
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Members(Vec<(Cow<'a, str>, Tree<'a>)>),
    /// A number, a truth value or `null`, in one way of writing.
    Plain(String),
}

impl<'de: 'a, 'a> Deserialize<'de> for Tree<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Plain("null".to_owned()))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Plain(truth.to_string()))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Plain(n.to_string()))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Plain(n.to_string()))
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Tree<'de>, E> {
        Ok(Tree::Plain(format!("{n:?}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Tree::Members(members))
    }
}
