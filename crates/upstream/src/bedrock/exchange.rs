//! One request to Bedrock in its own words.

use std::sync::Arc;

use bedplate_core::refusal::Code;
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed};
use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use super::profiles::arn;
use super::{Bedrock, answer};
use crate::attempt::{Attempt, Wrong};
use crate::host::Host;
use crate::pool::Slices;

pub(super) async fn exchange(
    provider: Arc<Bedrock>,
    ask: Ask,
    deadlines: Deadlines,
) -> Result<Answer, Failed> {
    let attempt = Attempt::begin(&provider.clock);
    attempt.within(&deadlines, async |attempt| run(&provider, attempt, ask, &deadlines).await).await
}

async fn run(
    provider: &Bedrock,
    attempt: &mut Attempt,
    ask: Ask,
    deadlines: &Deadlines,
) -> Result<Answer, Wrong> {
    let host = if ask.operation.is_catalogue() { &provider.control } else { &provider.runtime };
    let sent = Arc::clone(&ask.sent);
    let body_len = ask.body.iter().map(bytes::Bytes::len).sum();
    let asked = answer::Asked {
        operation: ask.operation,
        model: Arc::clone(&ask.model),
        body_len,
        body: ask.body.first().cloned(),
        idle: deadlines.idle,
    };
    let request = request(provider, host, ask, deadlines).await?;
    let how = (asked.operation.streams(), deadlines, &*sent);
    let read = async |attempt: &mut Attempt, lease, response| {
        answer::read(attempt, (&host.pool, lease), response, asked).await
    };
    attempt.exchange(host, request, how, read).await
}

async fn request(
    provider: &Bedrock,
    host: &Host,
    ask: Ask,
    deadlines: &Deadlines,
) -> Result<Request<Slices>, Wrong> {
    let bug = |e: http::Error| (Code::Bug, format!("the request cannot be written: {e}"));
    let mut path = String::with_capacity(host.base.len() + ask.path.len() + ask.query.len() + 1);
    path.push_str(&host.base);
    match ask.stands_in {
        false => path.push_str(&ask.path),
        true => arn::write_model(&mut path, &ask.path, &ask.target),
    }
    if !ask.query.is_empty() {
        path.push('?');
        path.push_str(&ask.query);
    }
    let uri = Uri::try_from(path).map_err(|e| bug(e.into()))?;
    let method = if ask.operation.reads() { Method::GET } else { Method::POST };
    let mut request = Request::new(Slices::new(ask.body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.reserve(ask.headers.len() + 4);
    headers.insert(HOST, host.header().map_err(|e| bug(e.into()))?);
    for (name, value) in ask.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&name), HeaderValue::from_maybe_shared(value))
        {
            headers.append(name, value);
        }
    }
    provider.authorize(&mut request, (ask.who.as_ref(), &ask.sha256), deadlines).await?;
    Ok(request)
}
