//! The Anthropic door: an Anthropic SDK whose base URL points here.

use bedplate_core::call::Dialect;
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::Record;
use http::Request;
use http::request::Parts;
use hyper::body::Incoming;

use super::vendor::{self, Path};
use super::{Came, Visit};
use crate::body;
use crate::connection::exchange::Conn;
use crate::gateway::{Gateway, Snapshot};

/// What every client of Anthropic's sends.
pub(super) const VERSION: &str = "anthropic-version";

pub(super) async fn read(
    gateway: &Gateway,
    snapshot: &Snapshot,
    request: Request<Incoming>,
    conn: &Conn,
    came: Came,
    record: &mut Record,
) -> Result<(Visit, body::Held), Refusal> {
    let (parts, incoming) = request.into_parts();
    let path = path(&parts)?;
    vendor::read((Dialect::Anthropic, path), gateway, snapshot, (parts, incoming), conn, came, record).await
}

fn path(parts: &Parts) -> Result<Path, Refusal> {
    let path = parts.uri.path();
    let path = path.strip_prefix("/anthropic").unwrap_or(path);
    match (parts.method.as_str(), path) {
        ("POST", "/v1/messages") => Ok(Path::Conversation(Form::Messages)),
        ("POST", "/v1/messages/count_tokens") => Ok(Path::Count),
        ("GET", "/v1/models") => Ok(Path::Models(None)),
        ("GET", path) if path.starts_with("/v1/models/") => {
            Ok(Path::Models(Some(vendor::label(&path["/v1/models/".len()..])?)))
        }
        (_, path) if path.starts_with("/v1/messages/batches") => Err(Refusal::new(
            Code::UnknownOperation,
            "bedplate does not take batches of messages: send each as a call",
        )),
        _ => Err(Refusal::of(Code::UnknownOperation)),
    }
}
