//! Reads an answer: a whole body, or a stream up to its first event.

use std::sync::Arc;

use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Answer, AnswerBody, Metered};
use bedplate_wire::bedrock::usage;
use bedplate_wire::openai::failure::Failure;
use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::Incoming;

use super::Asked;
use super::events::{First, open};
use crate::attempt::{Attempt, Wrong, whole};
use crate::metered::metered;
use crate::pool::{Lease, Pool};

pub(crate) async fn read(
    attempt: &mut Attempt,
    (pool, lease): (&Arc<Pool>, Lease),
    response: Response<Incoming>,
    asked: Asked,
) -> Result<Answer, Wrong> {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut head = Head { request_id: request_id(&parts.headers), headers: passed(&parts.headers) };
    if let Some(id) = head.request_id.as_ref().filter(|_| !asked.alike) {
        head.headers.push("x-amzn-requestid", id.clone());
    }
    if status == 200 && asked.streams {
        return match open((Arc::clone(pool), lease), body, &asked).await? {
            First::Event(flow) => {
                attempt.timings.first_token = Some(attempt.elapsed());
                Ok(head.answer(attempt, 200, AnswerBody::Stream(flow)))
            }
            // an error before any content is an error, not a broken stream
            First::Failure(failure, said) => {
                attempt.timings.total = attempt.elapsed();
                Ok(failed(head, attempt, &asked, failure.status, (failure, said)))
            }
        };
    }
    let bytes = whole(body, asked.idle).await?;
    pool.give_back(lease);
    attempt.timings.total = attempt.elapsed();
    match status {
        200 => {
            let read = usage::answer(Operation::InvokeModel, asked.family, &[], &Headers::default(), &bytes);
            let body = AnswerBody::Whole(Content::new(bytes), metered(read, asked.family));
            Ok(head.answer(attempt, 200, body))
        }
        400.. => {
            let failure = Failure::of_answer(status, &bytes);
            Ok(failed(head, attempt, &asked, status, (failure, bytes)))
        }
        _ => Err((Code::BrokenAnswer, format!("status {status} is neither an answer nor an error"))),
    }
}

/// What came before the body.
struct Head {
    request_id: Option<String>,
    headers: Headers,
}

impl Head {
    fn answer(self, attempt: &Attempt, status: u16, body: AnswerBody) -> Answer {
        let Self { request_id, headers } = self;
        let timings = attempt.timings;
        Answer { status, headers, request_id, error: None, body, timings, dropped: Vec::new() }
    }
}

/// An error, in the server's own words for those who speak them; else as AWS says it, which every door can say in its
/// own.
fn failed(
    mut head: Head,
    attempt: &Attempt,
    asked: &Asked,
    status: u16,
    (mut failure, said): (Failure, Bytes),
) -> Answer {
    let error = Some(failure.name.to_owned());
    // it is not the caller's key that is wrong, and what the server says may hold a part of ours
    if status == 401 {
        failure.message = format!("`{}` does not accept the key that bedplate has for it", asked.whom);
    } else if asked.alike {
        let body = AnswerBody::Whole(Content::new(said), Metered::default());
        return Answer { error, ..head.answer(attempt, status, body) };
    }
    head.headers.set("content-type", "application/json");
    head.headers.push("x-amzn-errortype", failure.name);
    let body = AnswerBody::Whole(Content::new(failure.body().into()), Metered::default());
    Answer { error, ..head.answer(attempt, failure.status, body) }
}

/// What of an answer's headers is for the caller: not the server's cookies, and not its limits, which are ours.
fn passed(map: &HeaderMap) -> Headers {
    let mut out = Headers::with_capacity(4);
    for name in ["content-type", "retry-after", "retry-after-ms", "openai-processing-ms"] {
        if let Some(value) = map.get(name) {
            out.push(name, Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    out
}

fn request_id(map: &HeaderMap) -> Option<String> {
    let names = ["x-amzn-requestid", "x-request-id", "request-id"];
    let value = names.iter().find_map(|name| map.get(*name))?.to_str().ok()?;
    (!value.is_empty() && value.len() <= 128).then(|| value.to_owned())
}
