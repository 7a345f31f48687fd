//! Asking those who speak as OpenAI or Anthropic do: JSON is posted, and JSON or server-sent events come back.
//!
//! What a caller says in the same words passes through: the same bytes both ways, but for the model's name. A stream
//! always ends with what it used; a caller who did not ask for that does not see it.

mod answer;
mod events;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::{Dialect, Headers, Spoken};
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::Ask;
use bedplate_wire::bedrock::Family;
use bedplate_wire::envelope;
use bedplate_wire::sigv4::BodyDigest;
use bedplate_wire::sse;
use bedplate_wire::translate::{self, Wanted};
use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use crate::attempt::Wrong;
use crate::host::Host;
use crate::interpret::joined;
use crate::pool::Slices;
pub(crate) use answer::read;

/// What was asked, as far as reading the answer needs it.
pub(crate) struct Asked {
    /// In whose words the upstream answers.
    pub(crate) family: Family,
    pub(crate) streams: bool,
    /// The caller speaks the same words.
    pub(crate) alike: bool,
    /// The caller did not ask for the usage that ends the stream.
    pub(crate) hides_usage: bool,
    /// How long a whole answer may stand still once it has begun.
    pub(crate) idle: Duration,
    /// The provider's name.
    pub(crate) whom: Arc<str>,
}

/// Whether a caller speaks the words of a form that vendors' servers speak.
pub(crate) fn is_alike(spoken: &Spoken, form: Form) -> bool {
    let dialect = match form {
        Form::Chat => Dialect::OpenAi,
        Form::Messages => Dialect::Anthropic,
        _ => return false,
    };
    spoken.dialect == dialect && spoken.form == Some(form)
}

/// Whether a caller's own bytes can go to a target: the caller speaks its words, and has said nothing that it is known
/// to refuse.
pub(crate) fn passes(ask: &Ask, form: Form) -> bool {
    let refuses = ask.refuses;
    let without = || {
        let wanted = Wanted { model: &ask.target, refuses, ..Wanted::default() };
        translate::request(form, form, &joined(&ask.body), wanted).is_ok_and(|anew| anew.dropped.is_empty())
    };
    is_alike(&ask.spoken, form) && (refuses.nothing() || without())
}

/// Whether the stream is to end with usage that its caller did not ask for.
pub(crate) fn hides_usage(ask: &Ask) -> bool {
    let wants = ask.spoken.told.as_ref().is_some_and(|told| told.include_usage);
    ask.operation.streams() && ask.spoken.form == Some(Form::Chat) && !wants
}

/// A caller's own bytes, addressed to the target.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn addressed(ask: Ask) -> Result<Ask, Refusal> {
    let hides = hides_usage(&ask);
    let body = envelope::address(&joined(&ask.body), &ask.target, hides)?;
    let mut headers = Headers::with_capacity(6);
    headers.push("content-type", "application/json");
    headers.push("accept", if ask.operation.streams() { sse::CONTENT_TYPE } else { "application/json" });
    if ask.spoken.dialect == Dialect::Anthropic {
        headers.push("anthropic-version", "2023-06-01");
    }
    for name in ["anthropic-beta", "user-agent", "traceparent", "tracestate"] {
        if let Some(value) = ask.headers.get(name) {
            headers.push(name, value.clone());
        }
    }
    for (name, value) in ask.headers.iter().filter(|(name, _)| name.starts_with(b"x-amzn-bedrock-")) {
        headers.push(name.clone(), value.clone());
    }
    let sha256 = *BodyDigest::of(&body.concat()).bytes();
    Ok(Ask { headers, body, sha256, ..ask })
}

/// The request, without what proves who we are.
pub(crate) fn request(host: &Host, path: &str, ask: &mut Ask) -> Result<Request<Slices>, Wrong> {
    let bug = |e: http::Error| (Code::Bug, format!("the request cannot be written: {e}"));
    let uri = Uri::try_from(format!("{}{path}", host.base)).map_err(|e| bug(e.into()))?;
    let mut request = Request::new(Slices::new(std::mem::take(&mut ask.body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(HOST, host.header().map_err(|e| bug(e.into()))?);
    for (name, value) in std::mem::take(&mut ask.headers) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&name), HeaderValue::from_maybe_shared(value))
        {
            headers.append(name, value);
        }
    }
    Ok(request)
}
