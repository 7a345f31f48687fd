//! What a request says about its sender, before anything is believed.

use std::time::Duration;

use bedplate_core::clock::Timestamp;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, format_description::StaticFormatDescription};

use super::SKEW_SECONDS;
use crate::errors::AwsError;
use crate::request::Request;
use crate::route::query;

/// A sender's claim.
pub(super) enum Claim {
    Bearer(String),
    Signed(Signed),
}

impl Claim {
    pub(super) fn region(&self) -> Option<String> {
        if let Self::Signed(s) = self { Some(s.region.clone()) } else { None }
    }
}

/// A SigV4 claim.
pub(super) struct Signed {
    pub(super) access_key_id: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) at: Timestamp,
    /// `Some` when the claim stands in the query: how long it is valid.
    pub(super) expires: Option<Duration>,
    pub(super) session_token: Option<String>,
}

const BASIC: StaticFormatDescription = format_description!("[year][month][day]T[hour][minute][second]Z");

impl Signed {
    /// AWS's five minutes either way, or a presigned address's own span.
    pub(super) fn in_time(&self, now: Timestamp) -> Result<(), AwsError> {
        let basic = |t: Timestamp| t.utc().format(BASIC).unwrap_or_default();
        let skew = Duration::from_secs(SKEW_SECONDS.unsigned_abs());
        let end = self.at.plus(self.expires.unwrap_or(skew));
        if now.secs() > end.secs() {
            let earliest = basic(now.minus(skew));
            let text = match self.expires {
                Some(_) => format!("Signature expired: {} is now earlier than {}", basic(end), basic(now)),
                None => format!(
                    "Signature expired: {} is now earlier than {earliest} ({} - 5 min.)",
                    basic(self.at),
                    basic(now)
                ),
            };
            return Err(AwsError::invalid_signature(text));
        }
        let latest = now.plus(skew);
        if self.at.secs() > latest.secs() {
            return Err(AwsError::invalid_signature(format!(
                "Signature not yet current: {} is still later than {} ({} + 5 min.)",
                basic(self.at),
                basic(latest),
                basic(now)
            )));
        }
        Ok(())
    }
}

/// Finds the claim, if the request makes one.
pub(super) fn find(request: &Request) -> Result<Option<Claim>, AwsError> {
    if let Some(text) = request.header("authorization") {
        if let Some(token) = strip_prefix_ignore_case(text, "Bearer ") {
            return Ok(Some(Claim::Bearer(token.trim().to_string())));
        }
        if let Some(rest) = text.strip_prefix("AWS4-HMAC-SHA256") {
            return in_header(request, rest).map(|s| Some(Claim::Signed(s)));
        }
        return Err(AwsError::incomplete_signature(format!(
            "Unsupported AWS 'algorithm': '{}'.",
            text.split(' ').next().unwrap_or_default()
        )));
    }
    let pairs = query(&request.query);
    if pairs.iter().any(|(k, _)| k == "X-Amz-Signature") {
        return in_query(&pairs).map(|s| Some(Claim::Signed(s)));
    }
    Ok(None)
}

fn in_header(request: &Request, rest: &str) -> Result<Signed, AwsError> {
    let part = |name: &str| {
        rest.split(',')
            .find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='))
            .map(str::to_string)
            .ok_or_else(|| {
                AwsError::incomplete_signature(format!(
                    "Authorization header requires '{name}' parameter. Authorization=AWS4-HMAC-SHA256{rest}"
                ))
            })
    };
    let scope = Scope::read(&part("Credential")?)?;
    let date = request
        .header("x-amz-date")
        .ok_or_else(|| {
            AwsError::incomplete_signature(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            )
        })?
        .to_string();
    let token = request.header("x-amz-security-token").map(str::to_string);
    scope.signed(&part("SignedHeaders")?, part("Signature")?, &date, None, token)
}

fn in_query(pairs: &[(String, String)]) -> Result<Signed, AwsError> {
    let part = |name: &str| {
        pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).ok_or_else(|| {
            AwsError::incomplete_signature(format!("AWS query-string parameters must include '{name}'."))
        })
    };
    let scope = Scope::read(&part("X-Amz-Credential")?)?;
    let seconds: u64 =
        part("X-Amz-Expires")?.parse().ok().filter(|s| (1..=604_800).contains(s)).ok_or_else(|| {
            AwsError::incomplete_signature("X-Amz-Expires must be between 1 and 604800 seconds.")
        })?;
    let token = pairs.iter().find(|(k, _)| k == "X-Amz-Security-Token").map(|(_, v)| v.clone());
    let expires = Some(Duration::from_secs(seconds));
    scope.signed(
        &part("X-Amz-SignedHeaders")?,
        part("X-Amz-Signature")?,
        &part("X-Amz-Date")?,
        expires,
        token,
    )
}

struct Scope {
    access_key_id: String,
    date: Date,
    region: String,
    service: String,
}

impl Scope {
    fn read(text: &str) -> Result<Self, AwsError> {
        let broken = || {
            AwsError::incomplete_signature(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'."
            ))
        };
        let [key, date, region, service, "aws4_request"] = text.split('/').collect::<Vec<_>>()[..] else {
            return Err(broken());
        };
        let date = Date::parse(date, format_description!("[year][month][day]")).map_err(|_| broken())?;
        Ok(Self {
            access_key_id: key.to_string(),
            date,
            region: region.to_string(),
            service: service.to_string(),
        })
    }

    fn signed(
        self,
        signed_headers: &str,
        signature: String,
        date: &str,
        expires: Option<Duration>,
        session_token: Option<String>,
    ) -> Result<Signed, AwsError> {
        let at = PrimitiveDateTime::parse(date, BASIC)
            .map_err(|_| {
                AwsError::incomplete_signature(format!(
                    "Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
                ))
            })?
            .assume_utc();
        if at.date() != self.date {
            return Err(AwsError::invalid_signature(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
            ));
        }
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_lowercase).collect();
        if !signed_headers.iter().any(|h| h == "host" || h == ":authority") {
            return Err(AwsError::invalid_signature(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        Ok(Signed {
            access_key_id: self.access_key_id,
            region: self.region,
            service: self.service,
            signed_headers,
            signature,
            at: Timestamp::from_secs(at.unix_timestamp()),
            expires,
            session_token,
        })
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}
