//! The signature a request should carry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4::{self, calculate_signature, generate_signing_key};
use bedplate_core::secret::Secret;
use time::macros::format_description;

use super::claim::Signed;
use crate::request::{Request, sha256_hex};

/// The signature over what the request says it signed.
///
/// # Errors
/// Says what cannot be signed.
pub(super) fn signature(request: &Request, signed: &Signed, secret: &Secret) -> Result<String, String> {
    if signed.signed_headers.iter().any(|h| h.starts_with(':')) {
        return Ok(with_authority(request, signed, secret));
    }
    let at = moment(signed);
    let in_header = signed.expires.is_none();
    // a session token in a header is one more signed header; in the query `sign` adds it itself
    let token = signed
        .session_token
        .clone()
        .filter(|_| !in_header || signed.signed_headers.iter().any(|h| h == "x-amz-security-token"));
    let identity =
        Credentials::new(signed.access_key_id.clone(), secret.expose(), token, None, "simulator").into();
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    settings.expires_in = signed.expires;
    settings.signature_location =
        if in_header { SignatureLocation::Headers } else { SignatureLocation::QueryParams };
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&signed.region)
        .name(&signed.service)
        .time(at)
        .settings(settings)
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let headers: Vec<(&str, String)> =
        signed.signed_headers.iter().map(|name| (name.as_str(), value(request, name))).collect();
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let uri = format!("http://{}{}{}", request.authority, request.path, rest_of_query(request));
    let body = SignableBody::Precomputed(payload(request));
    let signable =
        SignableRequest::new(request.method.as_str(), uri, headers, body).map_err(|e| e.to_string())?;
    let (_, signature) = sign(signable, &params).map_err(|e| e.to_string())?.into_parts();
    Ok(signature)
}

/// The query without the claim itself, which `sign` writes again.
fn rest_of_query(request: &Request) -> String {
    let own = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token"];
    let rest: Vec<&str> = request
        .query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && !name.strip_prefix("X-Amz-").is_some_and(|n| own.contains(&n))
        })
        .collect();
    if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) }
}

/// The canonical form by hand, for requests that sign `:authority`.
fn with_authority(request: &Request, signed: &Signed, secret: &Secret) -> String {
    let mut names = signed.signed_headers.clone();
    names.sort();
    let headers: String = names.iter().map(|n| format!("{n}:{}\n", collapse(&value(request, n)))).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        encode(&request.path, true),
        sorted_query(request, signed),
        names.join(";"),
        payload(request),
    );
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = signed.at.utc().format(format).unwrap_or_default();
    let scope = format!("{}/{}/{}/aws4_request", &at[..8.min(at.len())], signed.region, signed.service);
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let key = generate_signing_key(secret.expose(), moment(signed), &signed.region, &signed.service);
    calculate_signature(key, text.as_bytes())
}

fn sorted_query(request: &Request, signed: &Signed) -> String {
    let mut pairs: Vec<String> = crate::route::query(&request.query)
        .into_iter()
        .filter(|(name, _)| signed.expires.is_none() || name != "X-Amz-Signature")
        .map(|(name, value)| format!("{}={}", encode(&name, false), encode(&value, false)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn encode(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b'/' if keep_slash => out.push('/'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// A signed header's value as the signer saw it: `:authority` and `host` stand for each other.
fn value(request: &Request, name: &str) -> String {
    match name {
        "host" | ":authority" => request.authority.clone(),
        ":method" => request.method.to_string(),
        ":path" => request.path.clone(),
        ":scheme" => request.scheme.to_string(),
        _ => {
            let all = request.headers.get_all(name).iter();
            all.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect::<Vec<_>>().join(",")
        }
    }
}

fn payload(request: &Request) -> String {
    match request.header("x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_string(),
        _ => request.body_sha256.clone(),
    }
}

fn collapse(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn moment(signed: &Signed) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(signed.at.secs().unsigned_abs())
}
