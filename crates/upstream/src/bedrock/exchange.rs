//! One request and the beginning of its answer, phase by phase.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bedplate_core::clock::Tick;
use bedplate_core::record::AttemptTimings;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed};
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use tokio::time::timeout_at;

use super::profiles::arn;
use super::{Auth, Bedrock, Host, answer};
use crate::pool::{Lease, Lost, Slices};

/// What an attempt is at.
pub(super) struct Attempt {
    pub(super) provider: Arc<Bedrock>,
    pub(super) began: Tick,
    pub(super) timings: AttemptTimings,
    /// Whether the request may have reached the upstream.
    pub(super) sent: bool,
}

pub(super) async fn exchange(
    provider: Arc<Bedrock>,
    ask: Ask,
    deadlines: Deadlines,
) -> Result<Answer, Failed> {
    let began = provider.clock.tick();
    let mut attempt = Attempt { provider, began, timings: AttemptTimings::default(), sent: false };
    let total = deadlines.total;
    match timeout_at(total, attempt.run(ask, &deadlines)).await {
        Ok(result) => result.map_err(|(code, cause)| attempt.failed(code, cause)),
        Err(_) => Err(attempt.failed(Code::TotalTimeout, "no whole answer".into())),
    }
}

type Wrong = (Code, String);

impl Attempt {
    async fn run(&mut self, ask: Ask, deadlines: &Deadlines) -> Result<Answer, Wrong> {
        let provider = Arc::clone(&self.provider);
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
        let request = self.request(host, ask, deadlines).await?;
        let lease = timeout_at(deadlines.connect, host.pool.lease())
            .await
            .map_err(|_| (Code::ConnectTimeout, format!("no connection to {}", host.authority)))?
            .map_err(|e| (Code::Unreachable, format!("{}: {e}", host.authority)))?;
        let streams = asked.operation.streams();
        let answering = async {
            let (lease, response) = self.send(host, lease, request, deadlines, &sent).await?;
            self.timings.first_byte = Some(self.elapsed());
            answer::read(self, lease, response, asked).await
        };
        if !streams {
            return answering.await;
        }
        match timeout_at(deadlines.first_token, answering).await {
            Ok(result) => result,
            Err(_) => Err((Code::FirstTokenTimeout, "no event of the stream".into())),
        }
    }

    async fn request(&self, host: &Host, ask: Ask, deadlines: &Deadlines) -> Result<Request<Slices>, Wrong> {
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
        let authority = HeaderValue::from_str(host.authority.as_str()).map_err(|e| bug(e.into()))?;
        headers.insert(HOST, authority);
        for (name, value) in ask.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(&name), HeaderValue::from_maybe_shared(value))
            {
                headers.append(name, value);
            }
        }
        let none = |e: String| (Code::NoUpstreamCredentials, e);
        match &self.provider.auth {
            Auth::Bearer(token) => {
                let value = format!("Bearer {}", token.expose());
                let mut value = HeaderValue::from_str(&value)
                    .map_err(|_| none("the bearer key fits no header".into()))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            Auth::SigV4(own) => {
                let session = ask.who.as_ref().and_then(|who| self.provider.session(who));
                let signer = session.as_ref().map_or(own, |session| &session.signer);
                let signing = signer.sign(&mut request, &ask.sha256, self.provider.clock.now());
                let signed = timeout_at(deadlines.connect, signing).await;
                let said = match signed {
                    Ok(Ok(())) => None,
                    Ok(Err(e)) => Some(e),
                    Err(_) => Some("the AWS credential chain has not answered yet".into()),
                };
                if let Some(said) = said {
                    return Err(none(match &session {
                        Some(session) => format!("{}: {said}", session.said),
                        None => said,
                    }));
                }
            }
        }
        Ok(request)
    }

    /// Sends; tries once more, on a new connection, when a kept one turns out to be dead: one that the
    /// other side closed while it lay idle.
    async fn send(
        &mut self,
        host: &Host,
        mut lease: Lease,
        request: Request<Slices>,
        deadlines: &Deadlines,
        sent: &AtomicBool,
    ) -> Result<(Lease, Response<Incoming>), Wrong> {
        let spare = lease.kept().then(|| request.clone());
        sent.store(true, Ordering::Relaxed);
        let began = self.elapsed();
        self.sent = true;
        let lost = match lease.send(request).await {
            Ok(response) => {
                self.timings.connect = lease.connected_in.map(micros);
                return Ok((lease, response));
            }
            Err(lost) => lost,
        };
        let dead = lost.unsent || (lost.closed() && self.elapsed() - began < DEAD);
        self.sent = !lost.unsent;
        let Some(again) = spare.filter(|_| dead) else { return Err(broke(host, &lost)) };
        self.sent = false;
        let mut lease = timeout_at(deadlines.connect, host.pool.connect())
            .await
            .map_err(|_| (Code::ConnectTimeout, format!("no connection to {}", host.authority)))?
            .map_err(|e| (Code::Unreachable, format!("{}: {e}", host.authority)))?;
        self.timings.connect = lease.connected_in.map(micros);
        self.sent = true;
        match lease.send(again).await {
            Ok(response) => Ok((lease, response)),
            Err(lost) => {
                self.sent = !lost.unsent;
                Err(broke(host, &lost))
            }
        }
    }

    pub(super) fn elapsed(&self) -> u64 {
        micros(self.provider.clock.tick().since(self.began))
    }

    fn failed(&mut self, code: Code, cause: String) -> Failed {
        self.timings.total = self.elapsed();
        Failed { code, said: None, cause, request_id: None, sent: self.sent, timings: self.timings }
    }
}

/// A kept connection that closes so soon (in microseconds) after a request was written had been closed
/// before: no model answers, or fails, as fast. One that breaks later may have been worked on, and is
/// not asked twice.
const DEAD: u64 = 100_000;

fn broke(host: &Host, lost: &Lost) -> Wrong {
    let e = &lost.error;
    let cause = match std::error::Error::source(e) {
        Some(cause) => format!("{}: {e}: {cause}", host.authority),
        None => format!("{}: {e}", host.authority),
    };
    (if lost.unsent { Code::Unreachable } else { Code::BrokenAnswer }, cause)
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
