//! The paths on Bedrock's own host that speak OpenAI's and Anthropic's words.

use std::sync::Arc;

use bedplate_core::form::Form;
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed};
use bedplate_wire::bedrock::Family;

use super::Bedrock;
use crate::attempt::{Attempt, Wrong};
use crate::compatible::{self, Asked};
use crate::interpret::failed;

/// Asks in the caller's own bytes; `form` is the one that they are in.
pub(super) async fn exchange(
    provider: Arc<Bedrock>,
    ask: Ask,
    form: Form,
    deadlines: Deadlines,
) -> Result<Answer, Failed> {
    let (path, family) = match form {
        Form::Messages => ("/anthropic/v1/messages", Family::Anthropic),
        _ => ("/openai/v1/chat/completions", Family::OpenAi),
    };
    let asked = Asked {
        family,
        streams: ask.operation.streams(),
        alike: true,
        hides_usage: compatible::hides_usage(&ask),
        idle: deadlines.idle,
        whom: Arc::clone(&provider.facts.name),
    };
    let ask = compatible::addressed(ask).map_err(failed)?;
    let attempt = Attempt::begin(&provider.clock);
    attempt
        .within(&deadlines, async |attempt| run(&provider, attempt, ask, (path, asked), &deadlines).await)
        .await
}

async fn run(
    provider: &Bedrock,
    attempt: &mut Attempt,
    mut ask: Ask,
    (path, asked): (&str, Asked),
    deadlines: &Deadlines,
) -> Result<Answer, Wrong> {
    let host = &provider.runtime;
    let mut request = compatible::request(host, path, &mut ask)?;
    provider.authorize(&mut request, (ask.who.as_ref(), &ask.sha256), deadlines).await?;
    let how = (asked.streams, deadlines, &*ask.sent);
    let read = async |attempt: &mut Attempt, lease, response| {
        compatible::read(attempt, (&host.pool, lease), response, asked).await
    };
    attempt.exchange(host, request, how, read).await
}
