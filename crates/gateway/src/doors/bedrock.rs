//! The Bedrock door: an AWS SDK whose endpoint URL points here.

mod native;

use std::sync::Arc;

use bedplate_core::call::{Headers, Operation};
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Call, Record, Tags};
use bedplate_wire::bedrock::path::Route;
use bedplate_wire::bedrock::view::METADATA_HEADER;
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use hyper::body::Incoming;

use super::arrival::{self, Arrived, arrive};
use super::{Came, Visit};
use crate::body;
use crate::connection::exchange::Conn;
use crate::gateway::{Gateway, Snapshot};
use native::Body;

/// Which operation a request asks for, if its path belongs to one.
pub(crate) fn operation(request: &Request<Incoming>) -> Option<Operation> {
    Route::of(request.method().as_str(), request.uri().path()).ok().map(|route| route.operation)
}

pub(super) async fn read(
    gateway: &Gateway,
    snapshot: &Snapshot,
    request: Request<Incoming>,
    conn: &Conn,
    came: Came,
    record: &mut Record,
) -> Result<(Visit, body::Held), Refusal> {
    let (parts, incoming) = request.into_parts();
    let tags = Tags { until: came.until, ..arrival::tags(&parts)? };
    let route = Route::of(parts.method.as_str(), parts.uri.path())?;
    record.called(route.operation, &route.name, &tags);
    let Arrived { parts, bytes, held, key, credentials } =
        arrive(gateway, snapshot, (parts, incoming), conn, came, record).await?;
    if route.operation.reads() && !bytes.is_empty() {
        return Err(Refusal::new(Code::BadBody, format!("{} takes no body", route.operation)));
    }

    let headers = upstream_headers(route.operation, &parts, tags.trace.as_ref(), record);
    let model = snapshot.pipeline.routes.read_as(route.operation, &route.name);
    let body = Body::read(route.operation, model, bytes, &headers)?;
    let query = credentials.query_without_signature(&parts);
    let path = parts.uri.path().to_owned();
    let evidence = credentials.evidence(parts, &key, body.digest_hex())?;
    let call = Call {
        operation: route.operation,
        name: route.name,
        path,
        query,
        headers,
        body: Arc::new(body),
        key: Arc::clone(&key),
        evidence,
        tags,
    };
    Ok((Visit::Call(call), held))
}

/// What goes on to AWS beside the body. Not the caller's signature, not `x-bedplate-*`, not what
/// belongs to the connection.
fn upstream_headers(
    operation: Operation,
    parts: &Parts,
    trace: Option<&(String, String)>,
    record: &Record,
) -> Headers {
    let mut out = Headers::with_capacity(8);
    for (name, value) in &parts.headers {
        let n = name.as_str();
        // where metadata has a member of the body, nobody may say another in the header
        let metadata = n == METADATA_HEADER && !by_header(operation);
        if matches!(n, "content-type" | "accept" | "user-agent" | "tracestate")
            || (n.starts_with("x-amzn-bedrock-") && !metadata)
        {
            out.push(Bytes::copy_from_slice(n.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    arrival::pass_trace(&mut out, trace, record);
    out
}

/// Whether the operation takes request metadata in a header.
fn by_header(operation: Operation) -> bool {
    matches!(operation, Operation::InvokeModel | Operation::InvokeModelWithResponseStream)
}
