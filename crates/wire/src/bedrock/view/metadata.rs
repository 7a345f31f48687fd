//! Stamping request metadata, within AWS's limits, beside the caller's own pairs.

use std::ops::Range;

use bytes::Bytes;

use bedplate_core::attribution::plain;
use bedplate_core::content::Content;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::view::{Edits, Stamped};

use super::{METADATA_HEADER, bad_body, bad_value};
use crate::json::{self, Fault};

/// The most pairs AWS takes.
const PAIRS: usize = 16;
/// The most characters of the header.
const HEADER: usize = 8_500;

/// `requestMetadata` of a Converse body.
pub(super) struct Member {
    pub(super) body: Content,
    /// Where its value stands, when the caller gave one.
    pub(super) value: Option<Range<usize>>,
    /// Where the body's last brace stands.
    pub(super) tail: usize,
    /// Whether the body has no members at all.
    pub(super) empty: bool,
}

impl Member {
    pub(super) fn stamp(
        &self,
        ours: &[(&str, &str)],
        reserved: &str,
        edits: &mut Edits,
    ) -> Result<Stamped, Refusal> {
        let given = self.value.clone().filter(|range| self.text(range) != "null");
        let theirs = match &given {
            Some(range) => pairs("requestMetadata", self.text(range), reserved)?,
            None => Vec::new(),
        };
        edits.metadata.clone_from(&theirs);
        let fitted = fit(ours, &theirs, usize::MAX);
        if fitted.stamped.kept > 0 {
            let (range, text) = match (&given, &self.value) {
                (Some(value), _) => {
                    let comma = if theirs.is_empty() { "" } else { "," };
                    (value.end - 1..value.end - 1, format!("{comma}{}", fitted.text))
                }
                (None, Some(null)) => (null.clone(), format!("{{{}}}", fitted.text)),
                (None, None) => {
                    let comma = if self.empty { "" } else { "," };
                    (self.tail..self.tail, format!("{comma}\"requestMetadata\":{{{}}}", fitted.text))
                }
            };
            edits.said.push(format!("requestMetadata +{} bytes", text.len() - range.len()));
            edits.splice(range, Bytes::from(text));
        }
        Ok(fitted.stamped)
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.body.expose().get(range.clone()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// The request metadata header of `InvokeModel`.
pub(super) struct Header(Option<Bytes>);

impl Header {
    pub(super) fn new(value: Option<&[u8]>) -> Self {
        Self(value.map(<[u8]>::trim_ascii).filter(|v| !v.is_empty()).map(Bytes::copy_from_slice))
    }

    pub(super) fn stamp(
        &self,
        ours: &[(&str, &str)],
        reserved: &str,
        edits: &mut Edits,
    ) -> Result<Stamped, Refusal> {
        let given = match &self.0 {
            Some(value) => json::utf8(value)
                .map_err(|_| bad_value(format!("the header `{METADATA_HEADER}` is not UTF-8")))?,
            None => "{}",
        };
        let theirs = pairs(METADATA_HEADER, given, reserved)?;
        edits.metadata.clone_from(&theirs);
        let comma = if theirs.is_empty() { "" } else { "," };
        let room = HEADER.saturating_sub(given.chars().count() + comma.len());
        let fitted = fit(ours, &theirs, room);
        if fitted.stamped.kept > 0 {
            let start = given.strip_suffix('}').unwrap_or(given);
            let value = format!("{start}{comma}{}}}", fitted.text);
            edits.said.push(format!(
                "{METADATA_HEADER} +{} bytes",
                value.len() - self.0.as_ref().map_or(0, Bytes::len)
            ));
            edits.headers.retain(|(name, _)| *name != METADATA_HEADER);
            edits.headers.push((METADATA_HEADER, Bytes::from(value)));
        }
        Ok(fitted.stamped)
    }
}

struct Fitted {
    /// `"k":"v","k2":"v2"`
    text: String,
    stamped: Stamped,
}

/// Writes as many of our pairs as there is room for, in order. Pairs whose key the caller has are left
/// to the caller.
fn fit(ours: &[(&str, &str)], theirs: &[(String, String)], room: usize) -> Fitted {
    let mut text = String::with_capacity(ours.iter().map(|(k, v)| k.len() + v.len() + 6).sum());
    let mut kept: [(usize, usize); PAIRS] = [(0, 0); PAIRS];
    let mut n = 0;
    for (key, value) in ours {
        if theirs.len() + n >= PAIRS {
            break;
        }
        let before = text.len();
        text.push_str(if n == 0 { "\"" } else { ",\"" });
        let start = text.len();
        text.extend(plain(key));
        let written = &text[start..];
        let taken = written.is_empty()
            || theirs.iter().any(|(k, _)| k == written)
            || kept[..n].iter().any(|(from, to)| text[*from..*to] == *written);
        if taken {
            text.truncate(before);
            continue;
        }
        kept[n] = (start, text.len());
        text.push_str("\":\"");
        text.extend(plain(value));
        text.push('"');
        if text.len() > room {
            text.truncate(before);
            break;
        }
        n += 1;
    }
    Fitted { text, stamped: Stamped { kept: n, dropped: ours.len() - n } }
}

/// The caller's pairs, decoded.
fn pairs(place: &str, text: &str, reserved: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let (mut twice, mut strings) = (false, true);
    let read = json::each(text, &mut |key, value| {
        twice |= pairs.len() <= PAIRS && pairs.iter().any(|(k, _)| k == key);
        let value = json::string(value.get());
        strings &= value.is_some();
        pairs.push((key.to_owned(), value.unwrap_or_default().into_owned()));
    });
    match read {
        Err(Fault::NotAnObject) => return Err(bad_value(format!("`{place}` is not an object of strings"))),
        Err(fault) => return Err(bad_value(format!("`{place}` is not an object of strings: {fault}"))),
        Ok(()) if !strings => return Err(bad_value(format!("`{place}` has values that are not strings"))),
        Ok(()) if twice => return Err(bad_body(Fault::Twice("requestMetadata key"))),
        Ok(()) => {}
    }
    let ours = |(key, _): &(String, String)| {
        key.get(..reserved.len()).is_some_and(|start| start.eq_ignore_ascii_case(reserved))
    };
    if !reserved.is_empty() && pairs.iter().any(ours) {
        return Err(Refusal::new(
            Code::ReservedMetadata,
            format!("`{place}` uses keys that start with `{reserved}`, which bedplate reserves"),
        ));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::super::{Asked, read};
    use super::*;
    use crate::bedrock::Family;
    use bedplate_core::call::Operation;

    const OURS: &[(&str, &str)] = &[("bedplate:team", "pay\"ments é"), ("bedplate:env", "prod")];
    const WRITTEN: &str = r#""bedplate:team":"pay_ments _","bedplate:env":"prod""#;

    fn stamp(body: &str) -> Result<(String, Stamped), Code> {
        let body = Content::new(Bytes::from(body.to_owned()));
        let asked = Asked {
            operation: Operation::Converse,
            family: Family::Nova,
            content_type: None,
            metadata: None,
        };
        let mut edits = Edits::default();
        let view = read(&asked, &body).map_err(|e| e.code)?;
        let stamped = view.stamp(OURS, "bedplate:", &mut edits).map_err(|e| e.code)?;
        Ok((String::from_utf8(edits.apply(&body).concat()).unwrap(), stamped))
    }

    #[test]
    fn ours_stand_beside_theirs() {
        let both = Stamped { kept: 2, dropped: 0 };
        for (body, want) in [
            ("{}", format!("{{\"requestMetadata\":{{{WRITTEN}}}}}")),
            (" { } \n", format!(" {{ \"requestMetadata\":{{{WRITTEN}}}}} \n")),
            (r#"{"x":1}"#, format!("{{\"x\":1,\"requestMetadata\":{{{WRITTEN}}}}}")),
            (r#"{"requestMetadata":null,"x":1}"#, format!("{{\"requestMetadata\":{{{WRITTEN}}},\"x\":1}}")),
            (r#"{"requestMetadata":{ },"x":1}"#, format!("{{\"requestMetadata\":{{ {WRITTEN}}},\"x\":1}}")),
            (
                r#"{"requestMetadat\u0061":{"a":"b"} ,"x":1}"#,
                format!("{{\"requestMetadat\\u0061\":{{\"a\":\"b\",{WRITTEN}}} ,\"x\":1}}"),
            ),
        ] {
            assert_eq!(stamp(body), Ok((want, both)), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_stamped_is_refused() {
        for (body, code) in [
            (r#"{"requestMetadata":{"bedplate:team":"x"}}"#, Code::ReservedMetadata),
            (r#"{"requestMetadata":{"\u0062edplate:x":"x"}}"#, Code::ReservedMetadata),
            (r#"{"requestMetadata":{"Bedplate:x":"x"}}"#, Code::ReservedMetadata),
            (r#"{"requestMetadata":{"a":1}}"#, Code::BadValue),
            (r#"{"requestMetadata":[]}"#, Code::BadValue),
            (r#"{"requestMetadata":{"a":"1","\u0061":"2"}}"#, Code::BadBody),
        ] {
            assert_eq!(stamp(body), Err(code), "{body}");
        }
    }

    #[test]
    fn ours_drop_when_there_is_no_room() {
        let theirs = |n: usize| (0..n).map(|i| format!("\"k{i}\":\"v\"")).collect::<Vec<_>>().join(",");
        let body = |n| format!("{{\"requestMetadata\":{{{}}}}}", theirs(n));
        assert_eq!(stamp(&body(14)).unwrap().1, Stamped { kept: 2, dropped: 0 });
        assert_eq!(stamp(&body(15)).unwrap().1, Stamped { kept: 1, dropped: 1 });
        assert_eq!(stamp(&body(16)).unwrap(), (body(16), Stamped { kept: 0, dropped: 2 }));
    }

    #[test]
    fn invoke_models_metadata_goes_into_a_header() {
        let stamp = |given: Option<&[u8]>| {
            let asked = Asked {
                operation: Operation::InvokeModel,
                family: Family::Nova,
                content_type: None,
                metadata: given,
            };
            let mut edits = Edits::default();
            let stamped = read(&asked, &Content::from_static(b"{}"))
                .and_then(|v| v.stamp(OURS, "bedplate:", &mut edits))
                .map_err(|e| e.code)?;
            assert!(edits.splices().is_empty());
            Ok((edits.headers.pop().map(|(_, v)| String::from_utf8(v.to_vec()).unwrap()), stamped.kept))
        };
        assert_eq!(stamp(None), Ok((Some(format!("{{{WRITTEN}}}")), 2)));
        assert_eq!(stamp(Some(b" {\"a\":\"b\"} ")), Ok((Some(format!("{{\"a\":\"b\",{WRITTEN}}}")), 2)));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(8_500 - 8 - 35));
        assert_eq!(stamp(Some(long.as_bytes())).map(|(_, kept)| kept), Ok(1));
        assert_eq!(stamp(Some(b"[]")), Err(Code::BadValue));
        assert_eq!(stamp(Some(b"\xff")), Err(Code::BadValue));
        assert_eq!(stamp(Some(b"{\"bedplate:x\":\"\"}")), Err(Code::ReservedMetadata));
    }
}
