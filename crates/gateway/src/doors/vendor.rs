//! What the doors of vendors have in common: the model and the wish for a stream stand in the body.

use std::sync::Arc;

use bedplate_core::call::{Dialect, Headers, Operation};
use bedplate_core::conversation::Told;
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Call, Record, Tags};
use bedplate_wire::anthropic::refuse::UNTHREADED;
use bedplate_wire::bedrock::path;
use bedplate_wire::envelope::Envelope;
use bytes::Bytes;
use http::request::Parts;
use hyper::body::Incoming;

use super::arrival::{self, Arrived, arrive};
use super::words::Words;
use super::{Came, Visit};
use crate::body;
use crate::connection::exchange::Conn;
use crate::gateway::{Gateway, Snapshot};

/// What a path asks for.
pub(super) enum Path {
    /// An answer, in the words of a form.
    Conversation(Form),
    /// Vectors that stand for texts.
    Embeddings,
    /// How many tokens a conversation has.
    Count,
    /// All models, or one.
    Models(Option<String>),
}

pub(super) async fn read(
    (dialect, path): (Dialect, Path),
    gateway: &Gateway,
    snapshot: &Snapshot,
    (parts, incoming): (Parts, Incoming),
    conn: &Conn,
    came: Came,
    record: &mut Record,
) -> Result<(Visit, body::Held), Refusal> {
    let mut tags = Tags { until: came.until, ..arrival::tags(&parts)? };
    // which it is a stream or not stands in the body
    let operation = match path {
        Path::Conversation(_) => Operation::Converse,
        Path::Embeddings => Operation::InvokeModel,
        Path::Count => Operation::CountTokens,
        Path::Models(None) => Operation::ListFoundationModels,
        Path::Models(Some(_)) => Operation::GetFoundationModel,
    };
    record.called(operation, "", &tags);
    let Arrived { parts, bytes, held, key, credentials } =
        arrive(gateway, snapshot, (parts, incoming), conn, came, record).await?;
    if operation.reads() && !bytes.is_empty() {
        return Err(Refusal::new(Code::BadBody, "this path takes no body"));
    }
    let form = match &path {
        Path::Conversation(form) => Some(*form),
        Path::Count => Some(Form::Messages),
        Path::Embeddings | Path::Models(_) => None,
    };
    let envelope = match path {
        Path::Models(_) => Envelope::default(),
        _ => Envelope::read(&bytes)?,
    };
    let streams = envelope.stream && operation == Operation::Converse;
    let operation = if streams { Operation::ConverseStream } else { operation };
    tags.user = tags.user.or(envelope.user);
    let name = snapshot.names.of(&envelope.model);
    record.called(operation, &name, &tags);
    if envelope.threaded && dialect == Dialect::Anthropic {
        return Err(Refusal::new(Code::BadValue, UNTHREADED));
    }
    let model = snapshot.pipeline.routes.read_as(operation, &name);
    let told = Told {
        id: came.id.0.as_simple().to_string(),
        model: envelope.model,
        upstream: String::new(),
        created: u64::try_from(came.at.millis() / 1_000).unwrap_or(0),
        include_usage: envelope.include_usage,
    };
    let bytes = if operation.reads() { Bytes::from_static(b"{}") } else { bytes };
    let headers = headers(&parts, tags.trace.as_ref(), record);
    // a signature is over the body as it came
    let words = Words::read((dialect, form), operation, model, bytes, told)?;
    let digest =
        if operation.reads() { bedplate_wire::sigv4::BodyDigest::of(b"").hex() } else { words.digest_hex() };
    let evidence = credentials.evidence(parts, &key, digest)?;
    let call = Call {
        operation,
        name,
        path: String::new(),
        query: String::new(),
        headers,
        body: Arc::new(words),
        key,
        evidence,
        tags,
    };
    Ok((
        match path {
            Path::Models(which) => Visit::Models(call, which),
            _ => Visit::Call(call),
        },
        held,
    ))
}

/// One label of a path, decoded.
pub(super) fn label(raw: &str) -> Result<String, Refusal> {
    // names of models may hold slashes, and SDKs do not all escape them
    Ok(path::name(raw)?)
}

/// What goes on beside the body.
fn headers(parts: &Parts, trace: Option<&(String, String)>, record: &Record) -> Headers {
    let mut out = Headers::with_capacity(4);
    for name in ["user-agent", "anthropic-beta", "tracestate"] {
        for value in parts.headers.get_all(name) {
            out.push(Bytes::from_static(name.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    arrival::pass_trace(&mut out, trace, record);
    out
}
