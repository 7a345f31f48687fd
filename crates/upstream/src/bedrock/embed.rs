//! Embeddings as OpenAI's clients ask for them: one call or more of a model that embeds.

use std::sync::Arc;

use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::conversation::Dropped;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::usage::Usage;
use bedplate_pipeline::{Answer, AnswerBody, Ask, Deadlines, Failed, Metered};
use bedplate_wire::openai::embeddings::{Asked, Embedder, Reply, answer};
use bedplate_wire::sigv4::BodyDigest;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::iter;

use super::{Bedrock, exchange};
use crate::interpret::{failed, joined, say_dropped};

/// How many calls of one request are under way at a time.
const AT_ONCE: usize = 8;

pub(super) async fn embeddings(
    provider: Arc<Bedrock>,
    ask: Ask,
    deadlines: Deadlines,
) -> Result<Answer, Failed> {
    let body = joined(&ask.body);
    let asked = Asked::read(&body).map_err(failed)?;
    let Some(embedder) = Embedder::of(&ask.model) else {
        let said = format!("`model`: the model `{}` gives no embeddings of texts", ask.model);
        return Err(failed(Refusal::new(Code::BadValue, said)));
    };
    let began = provider.clock.tick();
    let bodies = asked.bodies(embedder).map_err(failed)?;
    let calls = bodies
        .into_iter()
        .map(|body| exchange::exchange(Arc::clone(&provider), part(&ask, body), deadlines.clone()));
    let mut calls = iter(calls).buffered(AT_ONCE);
    let mut sum = Sum::default();
    while let Some(given) = calls.next().await {
        let given = given?;
        if given.status != 200 {
            return Ok(sum.with(given));
        }
        sum.add(given);
    }
    drop(calls);
    let Some(last) = sum.last.take() else { return Err(failed(Refusal::of(Code::Bug).because("no text"))) };
    let mut timings = last.timings;
    let model = ask.spoken.told.as_ref().map_or(&*ask.target, |told| &told.model);
    let replies: Vec<Reply<'_>> =
        sum.bodies.iter().map(|(body, tokens)| Reply { body, tokens: *tokens }).collect();
    let sent = |refusal| Failed { sent: true, timings, ..failed(refusal) };
    let body = answer(&asked, embedder, &replies, model).map_err(sent)?;
    timings.total = u64::try_from(provider.clock.tick().since(began).as_micros()).unwrap_or(u64::MAX);
    let mut whole = Answer { body: AnswerBody::Whole(Content::new(body), sum.metered), timings, ..last };
    whole.headers.set("content-type", "application/json");
    say_dropped(&mut whole, asked.dropped.into_iter().collect::<Vec<Dropped>>());
    Ok(whole)
}

/// One of the calls.
fn part(ask: &Ask, body: Bytes) -> Ask {
    let mut headers = Headers::with_capacity(4);
    headers.push("content-type", "application/json");
    headers.push("accept", "application/json");
    for (name, value) in ask.headers.iter().filter(|(name, _)| name.starts_with(b"x-amzn-bedrock-")) {
        headers.push(name.clone(), value.clone());
    }
    Ask {
        operation: Operation::InvokeModel,
        path: "/invoke".to_owned(),
        stands_in: true,
        query: String::new(),
        headers,
        who: ask.who.clone(),
        sha256: *BodyDigest::of(&body).bytes(),
        body: vec![body],
        target: Arc::clone(&ask.target),
        model: Arc::clone(&ask.model),
        spoken: Default::default(),
        refuses: ask.refuses,
        sent: Arc::clone(&ask.sent),
    }
}

/// What the calls gave.
#[derive(Default)]
struct Sum {
    /// With the tokens that their headers say.
    bodies: Vec<(Bytes, Option<u64>)>,
    metered: Metered,
    last: Option<Answer>,
}

impl Sum {
    fn add(&mut self, mut answer: Answer) {
        let body =
            std::mem::replace(&mut answer.body, AnswerBody::Whole(Content::default(), Metered::default()));
        if let AnswerBody::Whole(content, metered) = body {
            let tokens = answer.headers.text("x-amzn-bedrock-input-token-count").and_then(|n| n.parse().ok());
            self.bodies.push((content.into_exposed(), tokens));
            self.count(metered);
        }
        self.last = Some(answer);
    }

    fn count(&mut self, metered: Metered) {
        if let Some(usage) = &metered.usage {
            self.metered.usage.get_or_insert_with(Usage::default).add(usage);
        }
        self.metered.tier = metered.tier;
        self.metered.finish = metered.finish;
        self.metered.output_bytes += metered.output_bytes;
    }

    /// An error, and what was used before it.
    fn with(mut self, mut error: Answer) -> Answer {
        if let AnswerBody::Whole(content, metered) = error.body {
            self.count(metered);
            error.body = AnswerBody::Whole(content, self.metered);
        }
        error
    }
}
