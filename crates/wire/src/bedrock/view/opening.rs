//! What a conversation began with: the one part of its requests that stays while it goes on.

use std::fmt;

use bedplate_core::cache::Fingerprint;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{self, Tree};

/// Of the system prompt, and of the turns up to the first of a user; `None` when there is none: bodies of one prompt
/// do not say where it began. Marks of the prompt cache wander from turn to turn and count for nothing, and a text
/// is the same as a list of one text, which clients make of it to mark it.
pub(super) fn opening(body: &[u8]) -> Option<Fingerprint> {
    let text = json::utf8(body).ok()?;
    let picked = json::pick(text, &["system", "messages"]).ok()?;
    let turns = first_turns(picked.text(1)?)?;
    let mut parts = Vec::with_capacity(turns.len() + 1);
    for raw in std::iter::once(picked.text(0).unwrap_or("null")).chain(turns) {
        let mut part = Vec::with_capacity(raw.len());
        texts(&serde_json::from_str(raw).ok()?, &mut part);
        parts.push(part);
    }
    Some(Fingerprint::of("opening 1", parts.iter().map(Vec::as_slice)))
}

/// The turns of a list up to the first of a user. What follows it is not read.
fn first_turns(list: &str) -> Option<Vec<&str>> {
    struct Turns<'t, 'a>(&'t mut Vec<&'a str>);

    impl<'de> Visitor<'de> for Turns<'_, 'de> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of turns")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut turns: A) -> Result<(), A::Error> {
            while let Some(turn) = turns.next_element::<&'de RawValue>()? {
                self.0.push(turn.get());
                if is_users(turn.get()) {
                    break;
                }
            }
            Ok(())
        }
    }

    let mut turns = Vec::new();
    // an error is what lies behind the turn that was looked for
    let _ = serde_json::Deserializer::from_str(list).deserialize_seq(Turns(&mut turns));
    turns.last().is_some_and(|turn| is_users(turn)).then_some(turns)
}

fn is_users(turn: &str) -> bool {
    let role = json::pick(turn, &["role"]).ok().and_then(|picked| json::string(picked.text(0)?));
    role.is_some_and(|role| role == "user")
}

/// Writes a value so that two come out alike only when they say the same.
fn flatten(value: &Tree<'_>, out: &mut Vec<u8>) {
    match value {
        Tree::Text(text) => put(out, b's', text.as_bytes()),
        Tree::List(items) => {
            out.push(b'[');
            items.iter().filter(|item| !is_mark(item)).for_each(|item| flatten(item, out));
            out.push(b']');
        }
        Tree::Members(members) => {
            let mut members: Vec<_> = members.iter().filter(|(name, value)| says(name, value)).collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push(b'{');
            for (name, value) in members {
                put(out, b'n', name.as_bytes());
                if name == "content" { texts(value, out) } else { flatten(value, out) }
            }
            out.push(b'}');
        }
        Tree::Plain(plain) => put(out, b'v', plain.as_bytes()),
    }
}

/// A text is written as a list of one text is.
fn texts(value: &Tree<'_>, out: &mut Vec<u8>) {
    let Tree::Text(text) = value else { return flatten(value, out) };
    out.extend_from_slice(b"[{");
    put(out, b'n', b"text");
    put(out, b's', text.as_bytes());
    out.extend_from_slice(b"}]");
}

/// A block that only marks a place for the prompt cache.
fn is_mark(item: &Tree<'_>) -> bool {
    let Tree::Members(members) = item else { return false };
    !members.is_empty() && members.iter().all(|(name, _)| is_mark_name(name))
}

fn is_mark_name(name: &str) -> bool {
    matches!(name, "cachePoint" | "cache_control")
}

/// Whether a member says anything: no mark, and no type that a text has anyway.
fn says(name: &str, value: &Tree<'_>) -> bool {
    let idle = is_mark_name(name) || (name == "type" && matches!(value, Tree::Text(text) if text == "text"));
    !idle
}

/// A kind, a length and the bytes: nothing inside can look like what follows.
fn put(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<Fingerprint> {
        opening(body.as_bytes())
    }

    #[test]
    fn a_conversation_keeps_its_opening_as_it_goes_on() {
        let user = |text: &str| format!(r#"{{"role":"user","content":[{{"text":"{text}"}}]}}"#);
        let first = of(&format!(r#"{{"system":[{{"text":"s"}}],"messages":[{}]}}"#, user("a")));
        let later = of(&format!(
            r#"{{"messages":[{}, {{"role":"assistant","content":[{{"text":"b"}}]}},{}],"system":[{{"text":"s"}}]}}"#,
            user("a"),
            user("c")
        ));
        assert!(first.is_some() && first == later);
        assert_ne!(first, of(&format!(r#"{{"system":[{{"text":"s"}}],"messages":[{}]}}"#, user("d"))));
        assert_ne!(first, of(&format!(r#"{{"system":[{{"text":"t"}}],"messages":[{}]}}"#, user("a"))));
        assert_ne!(first, of(&format!(r#"{{"messages":[{}]}}"#, user("a"))));
    }

    #[test]
    fn marks_of_the_prompt_cache_count_for_nothing() {
        let plain = of(r#"{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"a"}]}]}"#);
        let marked = r#"{"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],
            "messages":[{"content":[{"text":"a"},{"cachePoint":{"type":"default"}}],"role":"user"}]}"#;
        assert_eq!(of(marked), plain);
        let text = of(r#"{"messages":[{"role":"user","content":"a"}]}"#);
        let block = r#"{"messages":[{"role":"user","content":
            [{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}"#;
        assert!(text.is_some() && of(block) == text);
        let system = |system: &str| {
            of(&format!(r#"{{"system":{system},"messages":[{{"role":"user","content":"a"}}]}}"#))
        };
        let marked = r#"[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]"#;
        assert!(system(marked) == system(r#""s""#) && system(marked) != text);
    }

    #[test]
    fn turns_before_the_first_of_a_user_count_and_prompts_have_no_opening() {
        let with = |system: &str| {
            of(&format!(
                r#"{{"messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"a"}}]}}"#
            ))
        };
        assert!(with("x").is_some() && with("x") != with("y"));
        for none in [
            r#"{"prompt":"a"}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":[{"role":"assistant","content":"a"}]}"#,
            r#"{"messages":"a"}"#,
            r#"{"inputText":"a"}"#,
            "not json",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
