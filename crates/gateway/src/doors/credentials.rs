//! What a caller presents: a signature in a header or a query, a bearer token, an API key.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::Key;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Evidence, Presented};
use bedplate_wire::sigv4::{AmzDate, Claim, EMPTY_SHA256_HEX, Hex64, amz_date};
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::evidence::{Headers, Held, Signed, Token};
use crate::config::{Auth, SessionToken};

/// How the caller proves who it is, read but not yet verified.
pub(super) enum Credentials {
    /// A signature over this request.
    Signature(Box<Claim>),
    /// A gateway token: it is its own proof, found by its hash.
    Token([u8; 32]),
    /// A token made by AWS's token generator from a gateway key pair: a presigned request, encoded.
    Generated(Box<Generated>),
}

/// The presigned request inside a generated token.
pub(super) struct Generated {
    claim: Claim,
    host: String,
    query: String,
}

impl Credentials {
    /// # Errors
    /// `BP1001` when there is nothing, `BP1007` when it cannot be read.
    pub(super) fn of(parts: &Parts) -> Result<Self, Refusal> {
        let bad = |e: &dyn std::fmt::Display| Refusal::new(Code::BadAuthorization, e.to_string());
        let authorization = match parts.headers.get(AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| bad(&"Authorization header is not ASCII text."))?),
        };
        if parts.headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
            return Err(bad(&"More than one Authorization header."));
        }
        // an API key counts only where there is nothing else
        let token = match authorization {
            Some(value) => bearer(value),
            None => api_key(parts),
        };
        if let Some(token) = token {
            return Ok(Self::token(token));
        }
        match Claim::read(authorization, parts.uri.query().unwrap_or_default()) {
            Some(Ok(claim)) => Ok(Self::Signature(Box::new(claim))),
            Some(Err(e)) => Err(bad(&e)),
            None if authorization.is_some() => {
                Err(bad(&"Authorization header requires 'AWS4-HMAC-SHA256' or 'Bearer' as its scheme."))
            }
            None => Err(Refusal::of(Code::NoCredentials)),
        }
    }

    fn token(token: &str) -> Self {
        match Generated::read(token) {
            Some(generated) => Self::Generated(Box::new(generated)),
            None => {
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
                Self::Token(hash)
            }
        }
    }

    pub(super) fn presented(&self) -> Presented<'_> {
        match self {
            Self::Signature(claim) => Presented::AccessKey(&claim.access_key_id),
            Self::Token(hash) => Presented::Token(hash),
            Self::Generated(generated) => Presented::AccessKey(&generated.claim.access_key_id),
        }
    }

    /// Refuses old, future and foreign signatures before the body is read.
    pub(super) fn check_date(&self, parts: &Parts, now: Timestamp, auth: &Auth) -> Result<(), Refusal> {
        let (claim, signed_at) = match self {
            Self::Token(_) => return Ok(()),
            Self::Signature(claim) => (&**claim, signed_at(claim, &Headers(parts))?),
            Self::Generated(g) => (&g.claim, signed_at(&g.claim, &Headers(parts))?),
        };
        if claim.scope.service() != "bedrock" {
            return Err(Refusal::new(
                Code::BadSignature,
                "Credential should be scoped to correct service: 'bedrock'.",
            ));
        }
        let token = claim.session_token.is_some() || parts.headers.contains_key("x-amz-security-token");
        if token && auth.session_token == SessionToken::Refuse {
            return Err(Refusal::of(Code::SessionToken));
        }
        // AWS's generator makes tokens of twelve hours at most
        let most = if matches!(self, Self::Generated(_)) { 12 * 3600 } else { u64::MAX };
        in_time(&signed_at, claim.expires_secs.map(|secs| secs.min(most)), now, auth)
    }

    pub(super) fn evidence(
        self,
        parts: Parts,
        key: &Arc<Key>,
        body: Hex64,
    ) -> Result<Box<dyn Evidence>, Refusal> {
        Ok(match self {
            Self::Token(_) => Box::new(Token),
            Self::Signature(claim) => {
                let at = signed_at(&claim, &Headers(&parts))?;
                Box::new(Signed { claim: *claim, at, parts, body, key: Arc::clone(key) })
            }
            Self::Generated(g) => {
                let at = signed_at(&g.claim, &Headers(&parts))?;
                let Generated { claim, host, query } = *g;
                Box::new(Held { claim, at, host, query, body: EMPTY_SHA256_HEX, key: Arc::clone(key) })
            }
        })
    }

    /// The query without what belongs to the caller's signature.
    pub(super) fn query_without_signature(&self, parts: &Parts) -> String {
        let query = parts.uri.query().unwrap_or_default();
        if !query.contains("X-Amz-") {
            return query.to_owned();
        }
        let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("X-Amz-")).collect();
        kept.join("&")
    }
}

impl Generated {
    /// `bedrock-api-key-` and base64 of `bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-…`.
    fn read(token: &str) -> Option<Self> {
        let url = STANDARD.decode(token.strip_prefix("bedrock-api-key-")?).ok()?;
        let url = String::from_utf8(url).ok()?;
        let url = url.strip_prefix("https://").unwrap_or(&url);
        let (host, query) = url.split_once("/?")?;
        // the generator adds a version after it has signed
        let signed: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("Version=")).collect();
        let query = signed.join("&");
        if !query.contains("Action=CallWithBearerToken") {
            return None;
        }
        let claim = Claim::from_query(&query)?.ok()?;
        Some(Self { claim, host: host.to_owned(), query })
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn api_key(parts: &Parts) -> Option<&str> {
    parts.headers.get("x-api-key").and_then(|v| v.to_str().ok())
}

fn signed_at(claim: &Claim, headers: &Headers<'_>) -> Result<AmzDate, Refusal> {
    claim.signed_at(headers).map_err(|e| Refusal::new(Code::BadAuthorization, e.to_string()))
}

/// AWS's rule and AWS's words.
fn in_time(signed: &AmzDate, expires: Option<u64>, now: Timestamp, auth: &Auth) -> Result<(), Refusal> {
    let skew = auth.clock_skew.0;
    let (text, mins) = (signed.full(), skew.as_secs() / 60);
    let clock = amz_date(now);
    let latest = now.plus(skew);
    if signed.at() > latest {
        let said = format!(
            "Signature not yet current: {text} is still later than {} ({} + {mins} min.)",
            amz_date(latest).full(),
            clock.full(),
        );
        return Err(Refusal::new(Code::ClockSkew, said));
    }
    // a presigned request is good for as long as it says
    let good_for = expires.map_or(skew, std::time::Duration::from_secs);
    let earliest = now.minus(good_for);
    if signed.at() < earliest {
        let said = format!(
            "Signature expired: {text} is now earlier than {} ({} - {} min.)",
            amz_date(earliest).full(),
            clock.full(),
            good_for.as_secs() / 60,
        );
        return Err(Refusal::new(Code::ClockSkew, said));
    }
    Ok(())
}
