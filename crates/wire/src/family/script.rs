//! A conversation as turns of plain text, and marks that cannot be forged.

use std::borrow::Cow;

use bedplate_core::conversation::{Block, Conversation, Message, Role, Text};

/// What stands between the texts of one turn.
const BETWEEN: &str = "\n\n";

/// A turn: who speaks, and all they say.
pub(super) type Turn = (Role, String);

/// The instructions at the beginning.
pub(super) fn system(c: &Conversation<'_>) -> String {
    let mut text = String::new();
    say(&c.system, &mut text);
    text
}

/// The turns; neighbours of one role are one.
pub(super) fn turns(c: &Conversation<'_>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::with_capacity(c.messages.len());
    for message in &c.messages {
        match turns.last_mut() {
            Some((role, text)) if *role == message.role => say(&message.content, text),
            _ => {
                let mut text = String::new();
                say(&message.content, &mut text);
                turns.push((message.role, text));
            }
        }
    }
    turns
}

/// Adds the texts of blocks.
fn say(blocks: &[Block<'_>], out: &mut String) {
    for block in blocks {
        let texts: &[Text<'_>] = match block {
            Block::Text(text) | Block::Refusal(text) => std::slice::from_ref(text),
            Block::Cited { content, .. } => content,
            Block::Json(value) => {
                between(out);
                out.push_str(value.raw());
                continue;
            }
            _ => continue,
        };
        between(out);
        texts.iter().for_each(|text| out.push_str(&text.decode()));
    }
}

fn between(out: &mut String) {
    if !out.is_empty() {
        out.push_str(BETWEEN);
    }
}

/// A text in which no mark that begins with `opening` is whole: a space stands after each opening. Marks that are broken
/// already stay as they are.
pub(super) fn broken<'t>(text: &'t str, opening: &str) -> Cow<'t, str> {
    if !text.contains(opening) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find(opening) {
        let (before, after) = rest.split_at(at + opening.len());
        out.push_str(before);
        if !after.starts_with([' ', '\n', '\t']) {
            out.push(' ');
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A conversation that was read: instructions, and turns.
pub(super) fn conversation<'a>(system: &str, turns: Vec<(Role, &str)>) -> Conversation<'a> {
    let text = |text: &str| vec![Block::Text(Text::of(text))];
    Conversation {
        system: if system.is_empty() { Vec::new() } else { text(system) },
        messages: turns
            .into_iter()
            .map(|(role, said)| Message { role, name: None, content: text(said) })
            .collect(),
        ..Conversation::default()
    }
}

/// A prompt that is no conversation: all of it is what the user says.
pub(super) fn one<'a>(prompt: &str) -> Conversation<'a> {
    conversation("", vec![(Role::User, prompt)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::broken;

    proptest! {
        #[test]
        fn no_mark_is_whole_in_a_text_and_breaking_twice_is_breaking_once(text in "[<|｜ a\\[/\n]{0,24}") {
            for opening in ["<|", "<｜", "[", "<"] {
                let once = broken(&text, opening).into_owned();
                for (at, _) in once.match_indices(opening) {
                    let after = &once[at + opening.len()..];
                    prop_assert!(after.starts_with([' ', '\n', '\t']), "{once:?}");
                }
                prop_assert_eq!(&*broken(&once, opening), &once);
            }
        }
    }
}
