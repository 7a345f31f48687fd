//! Asks a target in words of its own, and brings the answer back in the caller's.
//!
//! Where both speak alike nothing of this happens: bytes pass through. Else the request is written anew through the
//! normal form (`wire::translate`), and so is the answer, a stream event by event as it comes.

mod flow;

use bedplate_core::call::{Dialect, Headers, Operation, Spoken};
use bedplate_core::content::Content;
use bedplate_core::conversation::{Dropped, Told};
use bedplate_core::form::Form;
use bedplate_core::record::AttemptTimings;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Answer, AnswerBody, Ask, Failed};
use bedplate_wire::anthropic::{stream::Frames, to_native};
use bedplate_wire::bedrock::view::{METADATA_HEADER, TIER_HEADER};
use bedplate_wire::sigv4::BodyDigest;
use bedplate_wire::translate::{self, Framing, Guardrail, Stream, Translated, Wanted};
use bedplate_wire::{eventstream, sse};
use bytes::Bytes;

use flow::{Interpreted, Turn};

/// How a target wants to be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Speech {
    pub(crate) form: Form,
    pub(crate) framing: Framing,
    /// As the target knows it.
    pub(crate) operation: Operation,
}

/// The way back: what an answer was asked in, and is to be given in.
struct Back {
    from: Speech,
    to: (Form, Framing),
    /// What is said is the same in both.
    same: bool,
    told: Told,
    dropped: Vec<Dropped>,
}

/// The header that says what was left out.
const DROPPED: &str = "x-bedplate-dropped";

/// Asks a target in its own words, and answers in the caller's.
pub(crate) async fn interpreted(
    ask: Ask,
    (to, path): (Speech, &str),
    exchange: impl AsyncFnOnce(Ask) -> Result<Answer, Failed>,
) -> Result<Answer, Failed> {
    let (ask, back) = out(ask, to, path).map_err(failed)?;
    let answer = exchange(ask).await?;
    let timings = answer.timings;
    back.bring(answer).map_err(|refusal| Failed { sent: true, timings, ..failed(refusal) })
}

/// Writes a request anew. `path` is where the target is asked.
///
/// # Errors
/// What is wrong with the request, or cannot be said to the target.
fn out(ask: Ask, to: Speech, path: &str) -> Result<(Ask, Back), Refusal> {
    let Ask { spoken: Spoken { dialect, form, told }, .. } = &ask;
    let framing = framing(*dialect, ask.operation);
    let Some(form) = *form else {
        return Err(Refusal::of(Code::Bug).because("a body of no known form"));
    };
    let told = told.as_deref().cloned().unwrap_or_default();
    let metadata = metadata(&ask.headers);
    let wanted = Wanted {
        model: &ask.model,
        stream: to.operation.streams(),
        tier: ask.headers.text(TIER_HEADER),
        metadata: &metadata,
        guardrail: guardrail(&ask.headers),
        betas: ask.headers.text("anthropic-beta").unwrap_or_default(),
        refuses: ask.refuses,
    };
    let body = joined(&ask.body);
    // the bytes that a client of Anthropic's sent are those that Claude reads, but for what the path says
    let alike = (form, to.form) == (Form::Messages, Form::Claude);
    let translated = match alike && ask.refuses.nothing() {
        true => None,
        false => Some(translate::request(form, to.form, &body, wanted)),
    };
    let (same, written) = match translated {
        Some(written) if !alike || written.as_ref().is_ok_and(|written| !written.dropped.is_empty()) => {
            (false, written)
        }
        Some(_) | None => (true, spliced(body, wanted.betas)),
    };
    let written = written?;
    let mut headers = Headers::with_capacity(8);
    headers.push("accept", if wanted.stream { accept(to.framing) } else { "application/json" });
    if native(to.operation) {
        // what stands beside a native body stays beside it
        for (name, value) in ask.headers.iter().filter(|(name, _)| name.starts_with(b"x-amzn-bedrock-")) {
            headers.push(name.clone(), value.clone());
        }
    }
    let told = Told { upstream: ask.model.to_string(), ..told };
    let mut asked = anew(ask, written.body, path);
    asked.operation = to.operation;
    headers.into_iter().for_each(|(name, value)| asked.headers.push(name, value));
    Ok((asked, Back { from: to, to: (form, framing), same, told, dropped: written.dropped }))
}

/// A body of Anthropic's API as Claude's own is.
fn spliced(body: Bytes, betas: &str) -> Result<Translated, Refusal> {
    let body = Content::new(body);
    let edits = to_native(&body, betas)?;
    Ok(Translated { body: joined(&edits.apply(&body)), dropped: Vec::new() })
}

/// A request with another body, at another path; the model is put in where the target's own name is written.
pub(crate) fn anew(ask: Ask, body: Bytes, path: &str) -> Ask {
    let mut headers = Headers::with_capacity(8);
    headers.push("content-type", "application/json");
    for name in ["user-agent", "traceparent", "tracestate"] {
        if let Some(value) = ask.headers.get(name) {
            headers.push(name, value.clone());
        }
    }
    Ask {
        path: path.to_owned(),
        stands_in: true,
        query: String::new(),
        headers,
        sha256: *BodyDigest::of(&body).bytes(),
        body: vec![body],
        spoken: Spoken::default(),
        ..ask
    }
}

/// A body in one piece.
pub(crate) fn joined(slices: &[Bytes]) -> Bytes {
    match slices {
        [one] => one.clone(),
        slices => slices.concat().into(),
    }
}

/// Tells the caller, and the record, what was left out.
pub(crate) fn say_dropped(answer: &mut Answer, dropped: Vec<Dropped>) {
    if dropped.is_empty() {
        return;
    }
    let names: Vec<&str> = dropped.iter().map(Dropped::name).filter(|name| is_plain(name)).collect();
    answer.headers.push(DROPPED, names.join(", "));
    answer.dropped = dropped;
}

fn native(operation: Operation) -> bool {
    matches!(operation, Operation::InvokeModel | Operation::InvokeModelWithResponseStream)
}

impl Back {
    /// Brings an answer back. An error stays as it is: the door says it in its own words.
    ///
    /// # Errors
    /// When it cannot be read.
    fn bring(self, mut answer: Answer) -> Result<Answer, Refusal> {
        let Self { from, to, same, told, dropped } = self;
        say_dropped(&mut answer, dropped);
        if answer.status != 200 {
            return Ok(answer);
        }
        answer.body = match answer.body {
            AnswerBody::Whole(content, metered) if same => AnswerBody::Whole(content, metered),
            AnswerBody::Whole(content, metered) => {
                let body = translate::answer(from.form, to.0, content.expose(), &told)?;
                answer.headers.set("content-type", "application/json");
                AnswerBody::Whole(Content::new(body), metered)
            }
            AnswerBody::Stream(flow) => {
                let turn = match same {
                    true => Turn::Frames(Frames::new(told.id)),
                    false => Turn::Forms(Stream::new((from.form, from.framing), to, &told)?),
                };
                answer.headers.set("content-type", accept(to.1));
                AnswerBody::Stream(Box::new(Interpreted::new(flow, turn)))
            }
        };
        Ok(answer)
    }
}

/// How streams of a dialect are framed.
fn framing(dialect: Dialect, operation: Operation) -> Framing {
    match dialect {
        Dialect::OpenAi | Dialect::Anthropic => Framing::Sse,
        Dialect::Bedrock if operation == Operation::InvokeModelWithResponseStream => Framing::Chunks,
        Dialect::Bedrock => Framing::EventStream,
    }
}

fn accept(framing: Framing) -> &'static str {
    match framing {
        Framing::EventStream | Framing::Chunks => eventstream::CONTENT_TYPE,
        Framing::Sse => sse::CONTENT_TYPE,
    }
}

/// The pairs that a native body carries beside it.
fn metadata(headers: &Headers) -> Vec<(String, String)> {
    let text = headers.text(METADATA_HEADER);
    let pairs =
        text.and_then(|text| serde_json::from_str::<serde_json::Map<_, _>>(text).ok()).unwrap_or_default();
    let text = |value: serde_json::Value| value.as_str().map(str::to_owned);
    pairs.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
}

/// The guardrail that a native body asks for beside it.
fn guardrail(headers: &Headers) -> Option<Guardrail<'_>> {
    Some(Guardrail {
        id: headers.text("x-amzn-bedrock-guardrailidentifier")?,
        version: headers.text("x-amzn-bedrock-guardrailversion").unwrap_or("DRAFT"),
        trace: headers.text("x-amzn-bedrock-trace"),
    })
}

/// Whether a caller's own word may stand in a header.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

/// Nothing was sent.
pub(crate) fn failed(refusal: Refusal) -> Failed {
    let Refusal { code, said, cause, .. } = refusal;
    let timings = AttemptTimings::default();
    Failed {
        code,
        said: Some(said),
        cause: cause.unwrap_or_default(),
        request_id: None,
        sent: false,
        timings,
    }
}
