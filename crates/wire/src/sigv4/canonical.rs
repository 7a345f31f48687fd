//! The canonical request and the string to sign: the one place that knows their rules.

use std::borrow::Cow;

use super::{ALGORITHM, Request, Scope, digest};

/// Appends the string to sign. `signed_headers` is the list as it stands in the signature
/// (`host;x-amz-date`), `at` the full date, `payload_hash_hex` the SHA-256 of the body that is sent.
///
/// `scratch` is used for the canonical request and cleared first; it holds that request afterwards.
pub fn string_to_sign(
    request: &Request<'_>,
    signed_headers: &str,
    scope: &Scope,
    at: &str,
    payload_hash_hex: &str,
    scratch: &mut Vec<u8>,
) -> Vec<u8> {
    scratch.clear();
    canonical_request(request, signed_headers, payload_hash_hex, scratch);
    let hashed = digest::hex(&digest::sha256(scratch));
    let mut out = Vec::with_capacity(ALGORITHM.len() + at.len() + scope.as_str().len() + 67);
    for line in [ALGORITHM, at, scope.as_str()] {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(hashed.as_str().as_bytes());
    out
}

/// Appends the canonical request to `out`.
pub fn canonical_request(
    request: &Request<'_>,
    signed_headers: &str,
    payload_hash_hex: &str,
    out: &mut Vec<u8>,
) {
    out.reserve(512);
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    path(request.path, out);
    out.push(b'\n');
    query(request.query, out);
    out.push(b'\n');
    for name in signed_headers.split(';') {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        // an empty value is one of the list, too
        let mut first = true;
        request.headers.each(name, &mut |value| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            header_value(value, out);
        });
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash_hex.as_bytes());
}

/// The path, without dot segments and empty segments, each byte that is neither unreserved nor a slash
/// percent-encoded, percent signs included.
fn path(raw: &str, out: &mut Vec<u8>) {
    let tidy = without_dots(raw);
    for &b in tidy.as_bytes() {
        if b == b'/' || is_unreserved(b) {
            out.push(b);
        } else {
            percent(b, out);
        }
    }
}

fn without_dots(raw: &str) -> Cow<'_, str> {
    if raw.is_empty() {
        return Cow::Borrowed("/");
    }
    let inner = raw.strip_prefix('/').unwrap_or(raw);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let odd = |s: &str| s.is_empty() || s == "." || s == "..";
    if raw.starts_with('/') && (raw == "/" || !inner.split('/').any(odd)) {
        return Cow::Borrowed(raw);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut tidy = String::with_capacity(raw.len() + 1);
    for segment in &kept {
        tidy.push('/');
        tidy.push_str(segment);
    }
    if tidy.is_empty() || ["/", "/.", "/.."].iter().any(|end| raw.ends_with(end)) {
        tidy.push('/');
    }
    Cow::Owned(tidy)
}

/// The query: each name and value decoded and encoded again, sorted by name, then value; `+` is a
/// space, as in forms; `X-Amz-Signature` left out.
fn query(raw: &str, out: &mut Vec<u8>) {
    if raw.is_empty() {
        return;
    }
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = raw
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (recoded(name), recoded(value)))
        .filter(|(name, _)| name != b"X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn recoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for b in decoded(text) {
        if is_unreserved(b) { out.push(b) } else { percent(b, &mut out) }
    }
    out
}

/// A query part, decoded as forms are: `+` is a space; a percent sign that begins no escape stands for
/// itself.
pub(super) fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let b = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *b.get(at)?;
        at += 1;
        Some(match byte {
            b'+' => b' ',
            b'%' => match (b.get(at).and_then(|d| nibble(*d)), b.get(at + 1).and_then(|d| nibble(*d))) {
                (Some(high), Some(low)) => {
                    at += 2;
                    high << 4 | low
                }
                _ => b'%',
            },
            other => other,
        })
    })
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// A value without spaces at its ends and with inner runs of spaces made one.
fn header_value(value: &[u8], out: &mut Vec<u8>) {
    let value = trimmed(value);
    if memchr::memmem::find(value, b"  ").is_none() {
        out.extend_from_slice(value);
        return;
    }
    let mut space = false;
    for &b in value {
        if !(b == b' ' && space) {
            out.push(b);
        }
        space = b == b' ';
    }
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

fn percent(b: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_are_encoded_once_more() {
        assert_eq!(text(|o| path("/model/a%3A0/converse", o)), "/model/a%253A0/converse");
        assert_eq!(text(|o| path("/model/a:0/b~c", o)), "/model/a%3A0/b~c");
    }

    #[test]
    fn dot_segments_go_and_a_trailing_slash_stays() {
        for (raw, tidy) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b/", "/a/b/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/../a", "/a"),
            ("/a/b/../c", "/a/c"),
            ("/prompts/", "/prompts/"),
            ("a", "/a"),
            ("/v1.0/..a", "/v1.0/..a"),
        ] {
            assert_eq!(without_dots(raw), tidy, "{raw}");
        }
    }

    #[test]
    fn queries_are_sorted_and_encoded_afresh() {
        assert_eq!(text(|o| query("b=2&a=%7e&a=1&c", o)), "a=1&a=~&b=2&c=");
        assert_eq!(text(|o| query("a=x+y%2Fz%zz&X-Amz-Signature=00", o)), "a=x%20y%2Fz%25zz");
    }

    #[test]
    fn header_values_lose_needless_spaces_only() {
        assert_eq!(text(|o| header_value(b"  a   b \t c  ", o)), "a b \t c");
        assert_eq!(text(|o| header_value(b"   ", o)), "");
    }
}
