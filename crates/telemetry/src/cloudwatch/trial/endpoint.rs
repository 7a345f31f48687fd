//! The endpoint: one group with one stream, behind HTTP on loopback.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cloudwatch::batch::OVERHEAD;

pub(super) const GROUP: &str = "/bedplate/calls";
pub(super) const STREAM: &str = "one";

/// What the next `PutLogEvents` is answered with.
pub(super) enum Answer {
    Error(u16, &'static str),
    /// It is taken, and this much of it is said to be rejected.
    Rejects(&'static str),
    /// No answer at all.
    HangUp,
}

pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    has_group: bool,
    has_stream: bool,
    refuses: bool,
    will: VecDeque<Answer>,
    /// Operations, in order.
    asked: Vec<String>,
    authorizations: Vec<String>,
    /// Requests that were taken.
    taken: Vec<Vec<(i64, String)>>,
}

impl Endpoint {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let of_thread = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, of_thread) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Has the group and the stream.
    pub(super) fn make(&self) {
        let mut state = self.state.lock();
        (state.has_group, state.has_stream) = (true, true);
    }

    /// Answers nothing but 503 while it `refuses`.
    pub(super) fn refuse(&self, refuses: bool) {
        self.state.lock().refuses = refuses;
    }

    pub(super) fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().will.extend(answers);
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().asked.clone()
    }

    pub(super) fn authorizations(&self) -> Vec<String> {
        self.state.lock().authorizations.clone()
    }

    pub(super) fn events(&self) -> Vec<(i64, String)> {
        self.state.lock().taken.concat()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.events().into_iter().map(|(_, line)| line).collect()
    }

    /// Events and bytes of each request that was taken.
    pub(super) fn sizes(&self) -> Vec<(usize, usize)> {
        let size = |events: &Vec<(i64, String)>| {
            (events.len(), events.iter().map(|(_, line)| line.len() + OVERHEAD).sum())
        };
        self.state.lock().taken.iter().map(size).collect()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let serve = service_fn(move |request| handle(request, Arc::clone(&state)));
            // one that is hung up on ends with an error
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), serve)
                .await;
        });
    }
}

async fn handle(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers[name].to_str().unwrap().to_owned();
    let operation = header("x-amz-target").strip_prefix("Logs_20140328.").unwrap().to_owned();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body["logGroupName"], GROUP);
    let mut state = state.lock();
    state.asked.push(operation.clone());
    state.authorizations.push(header("authorization"));
    let (status, body) = match operation.as_str() {
        _ if state.refuses => error(503, "ServiceUnavailableException"),
        "CreateLogGroup" => {
            state.has_group = true;
            (200, json!({}))
        }
        "CreateLogStream" if state.has_group => {
            state.has_stream = true;
            (200, json!({}))
        }
        "PutLogEvents" if state.has_stream => match state.will.pop_front() {
            Some(Answer::HangUp) => return Err("hung up"),
            Some(Answer::Error(status, code)) => error(status, code),
            rejects => {
                assert_eq!(body["logStreamName"], STREAM);
                state.taken.push(events(&body));
                let info = match rejects {
                    Some(Answer::Rejects(info)) => serde_json::from_str(info).unwrap(),
                    _ => Value::Null,
                };
                (200, json!({ "nextSequenceToken": "1", "rejectedLogEventsInfo": info }))
            }
        },
        _ => error(400, "ResourceNotFoundException"),
    };
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(answer.body(Full::from(body.to_string())).unwrap())
}

fn error(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "__type": code, "message": "not now" }))
}

/// The events of a request, which must be in the order of their time.
fn events(body: &Value) -> Vec<(i64, String)> {
    let events: Vec<_> = body["logEvents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["timestamp"].as_i64().unwrap(), e["message"].as_str().unwrap().to_owned()))
        .collect();
    assert!(events.is_sorted_by_key(|(at, _)| *at));
    events
}
