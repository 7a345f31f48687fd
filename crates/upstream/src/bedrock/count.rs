//! Tokens, counted for Anthropic's clients by Bedrock's CountTokens.

use std::sync::Arc;

use bedplate_core::content::Content;
use bedplate_pipeline::{Answer, AnswerBody, Ask, Deadlines, Failed};
use bedplate_wire::anthropic::count_tokens::{answer, request, say};
use bedplate_wire::bedrock::family::base_id;
use bedplate_wire::bedrock::refuse;
use bedplate_wire::translate::Wanted;

use super::{Bedrock, exchange};
use crate::interpret::{anew, failed, joined, say_dropped};

/// The header of a number that is an estimate.
const ESTIMATED: &str = "x-bedplate-estimated";
/// How many bytes a token has, about.
const BYTES: u64 = 4;

pub(super) async fn tokens(provider: Arc<Bedrock>, ask: Ask, deadlines: Deadlines) -> Result<Answer, Failed> {
    let body = joined(&ask.body);
    let model = Arc::clone(&ask.model);
    let betas = ask.headers.text("anthropic-beta").unwrap_or_default().to_owned();
    let wanted = Wanted { model: &model, betas: &betas, refuses: ask.refuses, ..Wanted::default() };
    let written = request(&body, wanted).map_err(failed)?;
    // models that stand behind profiles are counted by their own names
    let ask = Ask {
        target: base_id(&model).into(),
        operation: ask.operation,
        ..anew(ask, written.body, "/count-tokens")
    };
    let mut counted = exchange::exchange(provider, ask, deadlines).await?;
    let timings = counted.timings;
    let sent = |refusal| Failed { sent: true, timings, ..failed(refusal) };
    if let AnswerBody::Whole(content, metered) = &counted.body {
        let body = match counted.status {
            200 => answer(content.expose()).map_err(sent)?,
            400 if cannot_count(content) => {
                counted.status = 200;
                counted.error = None;
                counted.headers.push(ESTIMATED, "input_tokens");
                say((body.len() as u64).div_ceil(BYTES))
            }
            _ => return Ok(counted),
        };
        counted.body = AnswerBody::Whole(Content::new(body), metered.clone());
    }
    counted.headers.set("content-type", "application/json");
    say_dropped(&mut counted, written.dropped);
    Ok(counted)
}

/// Whether Bedrock counts no tokens for the model at all.
fn cannot_count(error: &Content) -> bool {
    let said = refuse::message(error.expose()).to_ascii_lowercase();
    said.contains("count") && said.contains("support") || said.contains("on-demand throughput")
}
