//! What Converse says in another way than most dialects, or to some models only.

use bedplate_core::conversation::{
    Block, Conversation, Dropped, Feature, Text, Thinking, ToolChoice, ToolItem, ToolResult,
};

use crate::bedrock::Family;
use crate::json::object::Bad;
use crate::translate::Wanted;

/// Settles a conversation of another dialect, or of another family of models. Gives what was left out.
///
/// # Errors
/// When no tool may be used in a conversation that used some.
pub(crate) fn settle(
    c: &mut Conversation<'_>,
    family: Family,
    wanted: &Wanted<'_>,
) -> Result<Vec<Dropped>, Bad> {
    let mut dropped = Vec::new();
    if !wanted.refuses.tools {
        never(c)?;
    }
    if c.thinking.is_some() && !thinks(family) {
        thinking(c, family, &mut dropped);
    }
    if !c.betas.is_empty() && !matches!(family, Family::Anthropic | Family::Unknown) {
        c.betas.clear();
        dropped.push(Feature::Beta.into());
    }
    if !caches(family) && cache_points(c) || family == Family::Nova && cached_tools(c) {
        dropped.push(Feature::CachePoint.into());
    }
    let mut documents = 0;
    for message in &mut c.messages {
        blanks(&mut message.content, 1);
        message.content.iter_mut().for_each(|block| names(block, &mut documents));
    }
    blanks(&mut c.system, 0);
    Ok(dropped)
}

/// Converse cannot forbid tools: they are left out, unless there were some in use.
fn never(c: &mut Conversation<'_>) -> Result<(), Bad> {
    if c.tool_choice != Some(ToolChoice::Never) {
        return Ok(());
    }
    let used = |block: &Block<'_>| matches!(block, Block::ToolUse(_) | Block::ToolResult(_));
    if c.messages.iter().any(|message| message.content.iter().any(used)) {
        return Err(Bad::value(
            Feature::ToolNever.name(),
            "the target cannot forbid tools in a conversation that used some: let the model choose",
        ));
    }
    c.tool_choice = None;
    c.tools.clear();
    Ok(())
}

/// Whether models of a family are told to think in a way that a budget, or a switch, can be said in.
fn thinks(family: Family) -> bool {
    matches!(family, Family::Anthropic | Family::Nova | Family::Unknown)
}

/// Models in OpenAI's form think with more or less effort; others cannot be told.
fn thinking(c: &mut Conversation<'_>, family: Family, dropped: &mut Vec<Dropped>) {
    let said = c.thinking.take();
    let effort = match said {
        Some(Thinking::On { budget: Some(..=4_096) }) => Some("low"),
        Some(Thinking::On { budget: Some(4_097..=16_384) }) => Some("medium"),
        Some(Thinking::On { budget: Some(_) }) => Some("high"),
        _ => None,
    };
    match effort {
        Some(effort) if matches!(family, Family::OpenAi | Family::OpenAiForm) => {
            c.effort.get_or_insert_with(|| Text::of(effort));
        }
        _ => dropped.push(Feature::Thinking.into()),
    }
}

/// Whether models of a family take marks of the prompt cache; those of OpenAI and xAI refuse them.
fn caches(family: Family) -> bool {
    matches!(family, Family::Anthropic | Family::Nova | Family::Unknown)
}

/// Takes marks of the prompt cache out; whether there were any.
fn cache_points(c: &mut Conversation<'_>) -> bool {
    let mut found = false;
    let mut keep = |marks: bool| {
        found |= marks;
        !marks
    };
    let is_point = |block: &Block<'_>| matches!(block, Block::CachePoint(_));
    c.system.retain(|block| keep(is_point(block)));
    for message in &mut c.messages {
        message.content.retain(|block| keep(is_point(block)));
    }
    c.tools.retain(|item| keep(matches!(item, ToolItem::CachePoint(_))));
    found
}

/// Takes the marks among tools out, where Nova takes none; whether there were any.
fn cached_tools(c: &mut Conversation<'_>) -> bool {
    let before = c.tools.len();
    c.tools.retain(|item| !matches!(item, ToolItem::CachePoint(_)));
    c.tools.len() < before
}

/// Takes texts out that say nothing, which Converse refuses; `least` blocks stay.
fn blanks(blocks: &mut Vec<Block<'_>>, least: usize) {
    let mut left = blocks.len();
    blocks.retain_mut(|block| match block {
        Block::Text(text) if left > least && is_blank(text) => {
            left -= 1;
            false
        }
        Block::ToolResult(ToolResult { content, .. }) => {
            blanks(content, 0);
            true
        }
        _ => true,
    });
}

fn is_blank(text: &Text<'_>) -> bool {
    let mut rest = text.inner();
    loop {
        rest = rest.trim_start();
        match ["\\n", "\\t", "\\r"].iter().find_map(|space| rest.strip_prefix(space)) {
            Some(behind) => rest = behind,
            None => return rest.is_empty(),
        }
    }
}

/// Gives a document a name that Converse takes, and no other of the conversation has.
fn names(block: &mut Block<'_>, documents: &mut usize) {
    match block {
        Block::Document(document) => {
            *documents += 1;
            let name = document.name.as_ref().map(Text::decode).unwrap_or_default();
            let name = fitting(&name);
            document.name = Some(match name.is_empty() {
                true => Text::of(&format!("document {documents}")),
                false => Text::of(&format!("{name} ({documents})")),
            });
        }
        Block::ToolResult(ToolResult { content, .. }) => {
            content.iter_mut().for_each(|block| names(block, documents));
        }
        _ => {}
    }
}

/// Letters, digits, single spaces, hyphens and brackets, of which no more than the name's limit leaves room for.
fn fitting(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().take(180) {
        let c = match c {
            c if c.is_ascii_alphanumeric() || "-()[]".contains(c) => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if c != ' ' || !(out.is_empty() || out.ends_with(' ')) {
            out.push(c);
        }
    }
    out.trim_end().to_owned()
}
