//! What this grammar says in another way than most, before the rest is fitted.

use bedplate_core::conversation::{Block, Conversation, Document, Dropped, Feature, Media, Source};
use bedplate_core::form::Form;

use super::source;
use crate::json::object::Bad;

/// Says what had to be left out.
///
/// # Errors
/// For images and documents of formats that the vendor has no word for.
pub(super) fn settle(form: Form, c: &mut Conversation<'_>) -> Result<Vec<Dropped>, Bad> {
    let mut dropped = Vec::new();
    if form == Form::Messages && c.service.tier.as_deref().is_some_and(|tier| tier != "default") {
        dropped.push(Feature::Tier.into());
        c.service.tier = None;
    }
    for (at, message) in c.messages.iter().enumerate() {
        formats(&message.content).map_err(|bad| bad.within(format_args!("messages[{at}]")))?;
    }
    Ok(dropped)
}

fn formats(blocks: &[Block<'_>]) -> Result<(), Bad> {
    for (at, block) in blocks.iter().enumerate() {
        let known = match block {
            Block::Image(Media { format, source: Source::Bytes(_), .. }) => source::is_image(format),
            Block::Document(Document { format: Some(format), source: Source::Bytes(_), .. }) => {
                source::is_document(format)
            }
            Block::ToolResult(result) => {
                formats(&result.content).map_err(|bad| bad.within(format_args!("content[{at}]")))?;
                true
            }
            _ => true,
        };
        if !known {
            return Err(Bad::value(format!("content[{at}]"), "these models take no such format"));
        }
    }
    Ok(())
}
