//! The shape of a JSON value: which members there are, and of which types; not what they say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What was seen in one place of one or more values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kinds: BTreeSet<&'static str>,
    /// The texts themselves, where they are words of the protocol.
    pub(super) words: BTreeSet<String>,
    pub(super) members: BTreeMap<String, Shape>,
    /// All elements of a list as one; `None` when every list was empty.
    pub(super) items: Option<Box<Shape>>,
}

/// Members whose text is a word of the protocol and is compared as it stands.
const WORDS: [&str; 2] = ["role", "type"];

impl Shape {
    pub(super) fn of(value: &Value) -> Self {
        let mut shape = Self::default();
        match value {
            Value::Null => shape.kinds.insert("null"),
            Value::Bool(_) => shape.kinds.insert("boolean"),
            Value::Number(_) => shape.kinds.insert("number"),
            Value::String(_) => shape.kinds.insert("text"),
            Value::Array(elements) => {
                for element in elements {
                    shape.items.get_or_insert_default().merge(Self::of(element));
                }
                shape.kinds.insert("list")
            }
            Value::Object(members) => {
                for (name, value) in members {
                    let mut member = Self::of(value);
                    if let (true, Value::String(word)) = (WORDS.contains(&name.as_str()), value) {
                        member.words.insert(word.clone());
                    }
                    shape.members.insert(name.clone(), member);
                }
                shape.kinds.insert("object")
            }
        };
        shape
    }

    /// The union: whatever was seen in either.
    pub(super) fn merge(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        self.words.extend(other.words);
        for (name, member) in other.members {
            self.members.entry(name).or_default().merge(member);
        }
        if let Some(items) = other.items {
            self.items.get_or_insert_default().merge(*items);
        }
    }

    /// The types, for people: `number`, `text or null`.
    pub(super) fn says(&self) -> String {
        self.kinds.iter().rev().copied().collect::<Vec<_>>().join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_one_shape_are_equal_whatever_they_say() {
        let one = json!({ "usage": { "inputTokens": 3 }, "content": [{ "text": "a" }, { "toolUse": {} }] });
        let other =
            json!({ "usage": { "inputTokens": 9.5 }, "content": [{ "toolUse": {} }, { "text": "b" }] });
        assert_eq!(Shape::of(&one), Shape::of(&other));
        assert_ne!(Shape::of(&one), Shape::of(&json!({ "usage": { "inputTokens": "3" } })));
    }

    #[test]
    fn words_of_the_protocol_count_other_text_does_not() {
        assert_ne!(Shape::of(&json!({ "role": "user" })), Shape::of(&json!({ "role": "assistant" })));
        assert_eq!(Shape::of(&json!({ "text": "user" })), Shape::of(&json!({ "text": "assistant" })));
    }
}
