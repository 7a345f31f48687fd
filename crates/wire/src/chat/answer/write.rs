//! Writes a whole answer.

use bedplate_core::conversation::{Answer, Block, Choice, Citation, Location, Text};

use crate::chat::write::assistant;
use crate::chat::{Chat, stop, tier, usage};
use crate::json::write::{Items, Object, object};
use crate::translate::Told;

pub(in crate::chat) fn write(chat: Chat, answer: &Answer<'_>, told: &Told, out: &mut String) {
    let mut o = object(out);
    o.raw("id", id(chat, answer.id.as_ref(), told).raw());
    o.raw("object", "\"chat.completion\"");
    o.number("created", answer.created.filter(|created| *created > 0).unwrap_or(told.created));
    match (&answer.model, &told.model) {
        (Some(model), told) if told.is_empty() => o.text("model", model),
        (_, told) => o.string("model", told),
    };
    {
        let mut list = o.list("choices");
        for (at, one) in (0..).zip(&answer.choices) {
            choice(chat, at, one, &mut list);
        }
    }
    usage::write(&answer.usage, &mut o);
    if let Some(tier) = &answer.tier {
        o.string("service_tier", tier::said(tier));
    }
}

/// The upstream's, where it looks as this form's do.
pub(in crate::chat) fn id(chat: Chat, upstream: Option<&Text<'_>>, told: &Told) -> Text<'static> {
    match (chat, upstream) {
        (Chat::OpenAi, Some(id)) if id.inner().starts_with("chatcmpl-") => id.clone().into_owned(),
        (Chat::Mistral | Chat::Jamba, Some(id)) => id.clone().into_owned(),
        (Chat::OpenAi, _) => Text::of(&format!("chatcmpl-{}", told.id)),
        (Chat::Mistral | Chat::Jamba, None) => Text::of(&told.id),
    }
}

fn choice(chat: Chat, at: u64, one: &Choice<'_>, list: &mut Items<'_>) {
    let blocks = for_callers(&one.content);
    let blocks = blocks.as_deref().unwrap_or(&one.content);
    let calls = blocks.iter().any(|block| matches!(block, Block::ToolUse(_)));
    let refuses = blocks.iter().any(|block| matches!(block, Block::Refusal(_)));
    let mut o = list.object();
    o.number("index", at);
    {
        let mut o = o.object("message");
        o.raw("role", "\"assistant\"");
        assistant(chat, blocks, &mut o);
        if !refuses && chat == Chat::OpenAi {
            o.raw("refusal", "null");
        }
        annotations(&one.content, &mut o);
    }
    match &one.logprobs {
        Some(logprobs) => o.json("logprobs", logprobs),
        None => o.raw("logprobs", "null"),
    };
    let word = stop::word(&one.stop, calls, refuses);
    o.string("finish_reason", word);
    match &one.stopped_by {
        Some(sequence) => drop(o.text("stop_reason", sequence)),
        None if chat == Chat::Mistral => drop(o.string("stop_reason", word)),
        None => {}
    }
}

/// One text of all, and no blocks that callers of this form would not know what to do with: `None` when it is so
/// already.
fn for_callers<'a>(content: &[Block<'a>]) -> Option<Vec<Block<'a>>> {
    let mut texts = 0;
    let as_it_is = content.iter().all(|block| match block {
        Block::Text(_) => {
            texts += 1;
            texts == 1
        }
        Block::Refusal(_) | Block::Reasoning(_) => true,
        Block::ToolUse(used) => !used.by_server,
        _ => false,
    });
    if as_it_is {
        return None;
    }
    let mut pieces: Vec<&str> = Vec::new();
    for block in content {
        match block {
            Block::Text(text) => pieces.push(text.inner()),
            Block::Cited { content, .. } => pieces.extend(content.iter().map(Text::inner)),
            _ => {}
        }
    }
    let kept = |block: &&Block<'_>| match block {
        Block::Refusal(_) | Block::Reasoning(_) => true,
        Block::ToolUse(used) => !used.by_server,
        _ => false,
    };
    let text = (!pieces.is_empty()).then(|| Block::Text(Text::of_inner(&pieces)));
    Some(text.into_iter().chain(content.iter().filter(kept).cloned()).collect())
}

/// What cited texts rest on, where it has a URL. Places are counted in characters of the whole text.
fn annotations(content: &[Block<'_>], o: &mut Object<'_>) {
    if !content.iter().any(|block| matches!(block, Block::Cited { .. })) {
        return;
    }
    let mut list = o.list("annotations");
    let mut at: u64 = 0;
    let length = |text: &Text<'_>| text.decode().chars().count() as u64;
    for block in content {
        match block {
            Block::Text(text) => at += length(text),
            Block::Cited { content, citations } => {
                let start = at;
                at += content.iter().map(length).sum::<u64>();
                for citation in citations {
                    annotation(citation, start, at, &mut list);
                }
            }
            _ => {}
        }
    }
}

fn annotation(citation: &Citation<'_>, start: u64, end: u64, list: &mut Items<'_>) {
    let url = match &citation.location {
        Some(Location::Web { url, .. }) => Some(url),
        _ => citation.source.as_ref(),
    };
    let Some(url) = url else { return };
    let mut o = list.object();
    o.raw("type", "\"url_citation\"");
    let mut o = o.object("url_citation");
    o.number("start_index", start).number("end_index", end).text("url", url);
    match &citation.title {
        Some(title) => o.text("title", title),
        None => o.raw("title", "\"\""),
    };
}
