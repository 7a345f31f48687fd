//! A simulator on a free port, and a small client that signs with `aws-sigv4`.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::Message;
use bedplate_core::clock::SystemClock;
use bedplate_core::secret::Secret;
use bedplate_sim::{Config, LatencyMode, ModelSetting, Sim};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) const NOVA: &str = "/model/us.amazon.nova-lite-v1%3A0/converse";
pub(crate) const NOVA_STREAM: &str = "/model/us.amazon.nova-lite-v1%3A0/converse-stream";

/// No latency and no errors.
pub(crate) fn quiet() -> Config {
    let exact = ModelSetting { id: "*".into(), error_rate: Some(0.0), ..ModelSetting::default() };
    Config { latency: LatencyMode::Off, model: vec![exact], ..Config::default() }
}

pub(crate) async fn start(config: Config) -> Sim {
    Sim::start(config, SocketAddr::from(([127, 0, 0, 1], 0)), None, SystemClock::shared()).await.unwrap()
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The error type, without the address that may follow it.
    pub(crate) fn code(&self) -> &str {
        self.header("x-amzn-errortype").split(':').next().unwrap_or_default()
    }

    /// Status, error type and text.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let text = self.json()["message"].as_str().unwrap_or_default().to_string();
        (self.status, self.code().to_string(), text)
    }

    /// The frames of an event stream.
    pub(crate) fn frames(&self) -> Result<Vec<Message>, String> {
        let mut left = BytesMut::from(&self.body[..]);
        let mut decoder = MessageFrameDecoder::new();
        let mut out = Vec::new();
        loop {
            match decoder.decode_frame(&mut left).map_err(|e| e.to_string())? {
                DecodedFrame::Complete(m) => out.push(m),
                DecodedFrame::Incomplete if left.is_empty() => return Ok(out),
                DecodedFrame::Incomplete => {
                    return Err(format!("{} bytes of an unfinished frame", left.len()));
                }
            }
        }
    }
}

/// A header of a frame as text.
pub(crate) fn frame_header(m: &Message, name: &str) -> String {
    let h = m.headers().iter().find(|h| h.name().as_str() == name);
    h.map(|h| h.value().as_string().unwrap().as_str().to_string()).unwrap_or_default()
}

/// Sends a request as it stands; an error when the connection breaks.
pub(crate) async fn send(addr: SocketAddr, request: http::Request<Full<Bytes>>) -> Result<Reply, String> {
    let socket = TcpStream::connect(addr).await.map_err(|e| e.to_string())?;
    let (mut sender, conn) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|e| e.to_string())?;
    let mut work = JoinSet::new();
    work.spawn(async move {
        let _ = conn.await;
    });
    let response = sender.send_request(request).await.map_err(|e| format!("{e:?}"))?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|e| format!("{e:?}"))?.to_bytes();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(SystemClock::shared().now().0).unwrap())
}

/// A signed request: everything it has is signed.
pub(crate) fn signed(
    sim: &Sim,
    pair: &(String, Secret),
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
    (at, service, region): (SystemTime, &str, &str),
) -> http::Request<Full<Bytes>> {
    let identity = Credentials::new(&pair.0, pair.1.expose(), None, None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let uri = format!("http://{}{path}", sim.addr());
    let signable =
        SignableRequest::new(method, &uri, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))
            .unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request =
        http::Request::builder().method(method).uri(path).header("host", sim.addr().to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(body.to_string()))).unwrap()
}

/// Signs with the simulator's own pair and sends.
pub(crate) async fn call(sim: &Sim, method: &str, path: &str, body: &str) -> Reply {
    call_with(sim, method, path, &[], body).await.unwrap()
}

pub(crate) async fn call_with(
    sim: &Sim,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply, String> {
    let mut all = headers.to_vec();
    if !body.is_empty() {
        all.push(("content-type", "application/json"));
    }
    let request =
        signed(sim, &sim.credentials(), (method, path), &all, body, (now(), "bedrock", "us-east-1"));
    send(sim.addr(), request).await
}

/// A Converse body that asks one question.
pub(crate) fn question(text: &str) -> String {
    serde_json::json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] }).to_string()
}
