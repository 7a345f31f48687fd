//! What a request says about its own signature.

use std::fmt;

use super::{ALGORITHM, AmzDate, HeaderSource, canonical, parse_http_date};

/// A signature as claimed by a request: not yet verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub access_key_id: String,
    pub scope: Scope,
    /// The list as it was sent, in its order: `content-type;host;x-amz-date`.
    pub signed_headers: String,
    pub signature: [u8; 32],
    /// The date of a presigned request; others carry it in a header.
    pub amz_date: Option<String>,
    /// How long a presigned request is good for, in seconds, at most seven days.
    pub expires_secs: Option<u64>,
    /// The session token of a presigned request; others carry it in `x-amz-security-token`.
    pub session_token: Option<String>,
}

/// Day, region and service of a signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// `20261122/us-east-1/bedrock/aws4_request`
    text: String,
    region_at: usize,
    service_at: usize,
}

/// Why a signature cannot be read, in AWS's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl Claim {
    /// Reads the claim of a request from its `Authorization` header, else from its query; `None` when
    /// it has neither. A header with another scheme (`Bearer …`) is no claim.
    pub fn read(authorization: Option<&str>, raw_query: &str) -> Option<Result<Self, Unreadable>> {
        match authorization {
            Some(value) if Self::is_claim(value) => Some(Self::from_authorization(value)),
            _ => Self::from_query(raw_query),
        }
    }

    /// Whether an `Authorization` header speaks of SigV4 at all.
    pub fn is_claim(authorization: &str) -> bool {
        authorization.trim_start().starts_with("AWS4-")
    }

    /// Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`; the commas may come without
    /// spaces and the parts in any order.
    ///
    /// # Errors
    /// Says which part is missing or malformed.
    pub fn from_authorization(value: &str) -> Result<Self, Unreadable> {
        let rest =
            value.trim().strip_prefix(ALGORITHM).filter(|rest| rest.starts_with([' ', '\t'])).ok_or_else(
                || unreadable(format!("Unsupported AWS 'algorithm': only '{ALGORITHM}' is supported.")),
            )?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                unreadable("Authorization header requires 'name=value' parts separated by commas.")
            })?;
            let place = match name.trim_end() {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if place.replace(value.trim_start()).is_some() {
                return Err(unreadable(format!(
                    "Authorization header has more than one '{}'.",
                    name.trim_end()
                )));
            }
        }
        let mut missing = String::new();
        for (part, name) in
            [(credential, "Credential"), (signature, "Signature"), (signed_headers, "SignedHeaders")]
        {
            if part.is_none_or(str::is_empty) {
                missing.push_str("Authorization header requires '");
                missing.push_str(name);
                missing.push_str("' parameter. ");
            }
        }
        match (credential, signed_headers, signature) {
            (Some(credential), Some(signed_headers), Some(signature)) if missing.is_empty() => {
                Self::assemble(credential, signed_headers, signature)
            }
            _ => Err(unreadable(missing.trim_end())),
        }
    }

    /// Reads a presigned request's query parameters; `None` when there is no `X-Amz-Algorithm`,
    /// `X-Amz-Credential` or `X-Amz-Signature` among them.
    pub fn from_query(raw_query: &str) -> Option<Result<Self, Unreadable>> {
        memchr::memmem::find(raw_query.as_bytes(), b"X-Amz-")?;
        let mut found: [Option<String>; NAMES.len()] = Default::default();
        for (name, value) in raw_query.split('&').map(|part| part.split_once('=').unwrap_or((part, ""))) {
            let Some(place) = NAMES.iter().position(|n| *n == name) else { continue };
            let value = String::from_utf8(canonical::decoded(value).collect()).unwrap_or_default();
            if found[place].replace(value).is_some() {
                return Some(Err(unreadable(format!("AWS query-string parameter '{name}' appears twice."))));
            }
        }
        let [algorithm, credential, date, expires, signed_headers, signature, token] = found;
        if algorithm.is_none() && credential.is_none() && signature.is_none() {
            return None;
        }
        Some(Self::presigned([algorithm, credential, date, expires, signed_headers, signature], token))
    }

    /// The time of the signature: of a presigned request from its query, else from `x-amz-date`, else
    /// from `date`. Its day is that of the scope.
    ///
    /// # Errors
    /// When the date is missing, malformed or of another day.
    pub fn signed_at(&self, headers: &dyn HeaderSource) -> Result<AmzDate, Unreadable> {
        let at = match &self.amz_date {
            Some(text) => AmzDate::parse(text),
            None => match headers.first("x-amz-date") {
                Some(text) => AmzDate::parse(&text),
                None => {
                    let text = headers.first("date").ok_or_else(|| {
                        unreadable(
                            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                        )
                    })?;
                    parse_http_date(&text).map(super::amz_date).or_else(|| AmzDate::parse(&text))
                }
            },
        };
        let at =
            at.ok_or_else(|| unreadable("Date must be in ISO-8601 'basic format', as in 20261122T120000Z."))?;
        if at.date() != self.scope.date() {
            return Err(unreadable(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{}'.",
                self.scope.date(),
                at.date()
            )));
        }
        Ok(at)
    }

    /// Whether the list of signed headers names `name` (lower case).
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers.split(';').any(|n| n == name)
    }

    fn presigned(parts: [Option<String>; 6], session_token: Option<String>) -> Result<Self, Unreadable> {
        for (part, name) in parts.iter().zip(NAMES) {
            if part.as_ref().is_none_or(String::is_empty) {
                return Err(unreadable(format!(
                    "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                )));
            }
        }
        let [algorithm, credential, date, expires, signed_headers, signature] =
            parts.map(Option::unwrap_or_default);
        if algorithm != ALGORITHM {
            return Err(unreadable(format!("Unsupported AWS 'algorithm': only '{ALGORITHM}' is supported.")));
        }
        const WEEK: u64 = 604_800;
        let secs = expires.parse().ok().filter(|secs| (1..=WEEK).contains(secs)).ok_or_else(|| {
            unreadable("X-Amz-Expires must be a number of seconds between 1 and 604800 (seven days).")
        })?;
        let claim = Self::assemble(&credential, &signed_headers, &signature)?;
        Ok(Self { amz_date: Some(date), expires_secs: Some(secs), session_token, ..claim })
    }

    fn assemble(credential: &str, signed_headers: &str, signature: &str) -> Result<Self, Unreadable> {
        let (access_key_id, scope) = credential.split_once('/').ok_or_else(bad_credential)?;
        if access_key_id.is_empty() {
            return Err(bad_credential());
        }
        let scope = Scope::parse(scope)?;
        let well_formed = |n: &str| {
            !n.is_empty() && n.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && b != b',')
        };
        if !signed_headers.split(';').all(well_formed) {
            return Err(unreadable(
                "'SignedHeaders' must be lower-case header names separated by semicolons.",
            ));
        }
        if !signed_headers.split(';').any(|n| n == "host" || n == ":authority") {
            return Err(unreadable(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(signature, &mut bytes)
            .map_err(|_| unreadable("'Signature' must be 64 hexadecimal digits."))?;
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            scope,
            signed_headers: signed_headers.to_owned(),
            signature: bytes,
            amz_date: None,
            expires_secs: None,
            session_token: None,
        })
    }
}

const NAMES: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

impl Scope {
    /// A scope for a day (`20261122`), a region and a service. None of them may hold a slash.
    pub fn new(date: &str, region: &str, service: &str) -> Self {
        let mut text = String::with_capacity(date.len() + region.len() + service.len() + 15);
        for part in [date, region, service] {
            text.push_str(part);
            text.push('/');
        }
        text.push_str("aws4_request");
        Self { text, region_at: date.len() + 1, service_at: date.len() + region.len() + 2 }
    }

    fn parse(text: &str) -> Result<Self, Unreadable> {
        let mut parts = text.split('/');
        match [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some(date), Some(region), Some(service), Some("aws4_request"), None]
                if date.len() == 8
                    && date.bytes().all(|b| b.is_ascii_digit())
                    && !region.is_empty()
                    && !service.is_empty() =>
            {
                Ok(Self::new(date, region, service))
            }
            _ => Err(bad_credential()),
        }
    }

    /// `20261122`
    pub fn date(&self) -> &str {
        self.text.get(..self.region_at - 1).unwrap_or_default()
    }

    pub fn region(&self) -> &str {
        self.text.get(self.region_at..self.service_at - 1).unwrap_or_default()
    }

    pub fn service(&self) -> &str {
        self.text.get(self.service_at..self.text.len() - "/aws4_request".len()).unwrap_or_default()
    }

    /// `20261122/us-east-1/bedrock/aws4_request`
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn bad_credential() -> Unreadable {
    unreadable(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request.",
    )
}

fn unreadable(said: impl Into<String>) -> Unreadable {
    Unreadable(said.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "da63e05b2e9f4b5f19fe03ce5b959ce5fc78273de2dd78f1590a0963124d8066";

    fn header(parts: &str) -> Result<Claim, Unreadable> {
        Claim::from_authorization(&format!("AWS4-HMAC-SHA256 {}", parts.replace('$', SIGNATURE)))
    }

    #[test]
    fn commas_come_with_or_without_spaces_and_parts_in_any_order() {
        let want = header("Credential=AK/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=$").unwrap();
        for other in [
            "Credential=AK/20261122/us-east-1/bedrock/aws4_request,SignedHeaders=host;x-amz-date,Signature=$",
            "Signature=$,  SignedHeaders=host;x-amz-date , Credential=AK/20261122/us-east-1/bedrock/aws4_request",
        ] {
            assert_eq!(header(other).unwrap(), want);
        }
        assert_eq!(
            (want.scope.date(), want.scope.region(), want.scope.service()),
            ("20261122", "us-east-1", "bedrock")
        );
        assert!(want.signs("x-amz-date") && !want.signs("x-amz"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let e = header("Credential=AK/20261122/us-east-1/bedrock/aws4_request").unwrap_err().0;
        assert_eq!(
            e,
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
        );
        for (bad, why) in [
            ("Credential=AK/20261122/us-east-1/bedrock, SignedHeaders=host, Signature=$", "exactly 5"),
            (
                "Credential=AK/2026112/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=$",
                "exactly 5",
            ),
            (
                "Credential=AK/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=x-amz-date, Signature=$",
                "'Host'",
            ),
            (
                "Credential=AK/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=Host, Signature=$",
                "lower-case",
            ),
            (
                "Credential=AK/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00",
                "64 hexadecimal",
            ),
            ("Signature=$, Signature=$", "more than one"),
            ("what", "name=value"),
        ] {
            assert!(header(bad).unwrap_err().0.contains(why), "{bad}");
        }
        assert!(Claim::from_authorization("AWS4-ECDSA-P256-SHA256 x").unwrap_err().0.contains("Unsupported"));
        assert!(Claim::read(Some("Bearer x"), "a=b").is_none());
    }

    #[test]
    fn presigned_queries_are_read_decoded() {
        let q = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261122%2Fus-east-1%2Fbedrock%2Faws4_request&X-Amz-Date=20261122T120000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
        );
        let claim = Claim::from_query(&q).unwrap().unwrap();
        assert_eq!((claim.expires_secs, claim.session_token.as_deref()), (Some(300), None));
        assert_eq!(claim.signed_at(&[("date", &b"nonsense"[..])]).unwrap().full(), "20261122T120000Z");
        let missing = q.replace("X-Amz-Date=20261122T120000Z&", "");
        assert!(Claim::from_query(&missing).unwrap().unwrap_err().0.contains("'X-Amz-Date'"));
        assert!(Claim::from_query(&q.replace("=300", "=604801")).unwrap().is_err());
        assert!(Claim::from_query(&format!("{q}&X-Amz-Date=1")).unwrap().unwrap_err().0.contains("twice"));
        assert!(Claim::from_query("maxResults=5").is_none());
    }

    #[test]
    fn the_day_of_the_scope_is_the_day_of_the_date() {
        let claim =
            header("Credential=AK/20261122/us-east-1/bedrock/aws4_request,SignedHeaders=host,Signature=$")
                .unwrap();
        let at = |name, value: &'static str| claim.signed_at(&[(name, value.as_bytes())]);
        assert_eq!(at("x-amz-date", "20261122T235959Z").unwrap().full(), "20261122T235959Z");
        assert_eq!(at("date", "Sun, 22 Nov 2026 12:00:00 GMT").unwrap().full(), "20261122T120000Z");
        assert!(at("x-amz-date", "20261123T000000Z").unwrap_err().0.contains("does not match"));
        assert!(at("x-amz-date", "yesterday").is_err());
        assert!(at("other", "").unwrap_err().0.contains("requires existence"));
    }
}
