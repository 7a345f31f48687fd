//! Headers of an answer: which are the upstream's, which are the connection's.

use bedplate_core::call::Headers;
use bytes::Bytes;
use http::HeaderMap;

/// End-to-end headers, for the caller.
pub(super) fn end_to_end(map: &HeaderMap) -> Headers {
    let mut out = Headers::with_capacity(map.len());
    for (name, value) in map {
        if !hop_by_hop(name.as_str()) {
            out.push(
                Bytes::copy_from_slice(name.as_str().as_bytes()),
                Bytes::copy_from_slice(value.as_bytes()),
            );
        }
    }
    out
}

/// What RFC 9110 keeps between neighbours, and what our own server writes afresh.
fn hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "date"
    )
}

pub(super) fn request_id(map: &HeaderMap) -> Option<String> {
    map.get("x-amzn-requestid").and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// `ThrottlingException`, of `ThrottlingException:http://…` and of `ns#ThrottlingException`.
pub(super) fn error_name(map: &HeaderMap, body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "__type")]
        kind: Option<String>,
        code: Option<String>,
    }
    let header = map.get("x-amzn-errortype").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let name = header.or_else(|| {
        let named: Named = serde_json::from_slice(body).ok()?;
        named.code.or(named.kind)
    })?;
    let name = name.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    // it becomes a label and a column: nothing but a name
    let plain = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| name.to_owned())
}
