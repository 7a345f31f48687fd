//! From the API's body to a native one without reading what is between: the two differ in a few members.

use std::borrow::Cow;

use bedplate_core::content::Content;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::Edits;
use serde_json::value::RawValue;

use super::VERSION;
use crate::json::object::{Bad, List, read};
use crate::json::write::{Items, Object, object};
use crate::json::{each, pick, range_in, utf8};

/// What makes a body of `InvokeModel` of a body of the API: `model` and `stream` go, `anthropic_version` comes, and what
/// the caller wishes in the header `anthropic-beta` (`betas`, names with commas between) beside what the body wishes.
/// All other bytes stay as they are. Answers and the payloads of streams need nothing.
///
/// # Errors
/// `BP1203` for what is no JSON object or names one of these members twice; `BP1205` for what is no body of the API.
pub fn to_native(body: &Content, betas: &str) -> Result<Edits, Refusal> {
    Ok(native(utf8(body.expose()).map_err(Bad::from)?, betas, None)?)
}

/// As [`to_native`]; with the most tokens of output, where the body does not say it.
pub(crate) fn native(text: &str, betas: &str, max_tokens: Option<u64>) -> Result<Edits, Bad> {
    let picked = pick(text, &["model", "stream", "anthropic_version", "anthropic_beta", "max_tokens"])?;
    if picked.text(2).is_some() {
        let why = "mixed dialects: bodies of `InvokeModel` have it; here it is a header";
        return Err(Bad::value("anthropic_version", why));
    }
    let mut ours = String::with_capacity(64);
    {
        let mut o = object(&mut ours);
        o.string("anthropic_version", VERSION);
        wishes(&mut o, picked.text(3), betas)?;
        if picked.text(4).is_none() {
            o.maybe_number("max_tokens", max_tokens);
        }
    }
    let ours = ours.trim_start_matches('{').trim_end_matches('}');
    let mut edits = Edits::default();
    let first = text.find('{').map_or(0, |at| at + 1);
    let mut before = first;
    let mut kept_first = true;
    each(text, &mut |name, value: &RawValue| {
        let end = range_in(text, value.get()).end;
        let gone = match name {
            "model" | "stream" | "anthropic_beta" | "anthropic_version" => true,
            "max_tokens" => max_tokens.is_some() && value.get() == "null",
            _ => false,
        };
        match (gone, before == first) {
            // with the comma before it
            (true, false) => edits.splice(before..end, bytes::Bytes::new()),
            (true, true) => {
                kept_first = false;
                edits.splice(first..end, ours.to_owned().into());
            }
            (false, _) => {}
        }
        before = end;
    })?;
    if kept_first {
        let comma = if picked.empty { "" } else { "," };
        edits.splice(first..first, format!("{ours}{comma}").into());
    }
    Ok(edits)
}

/// What the body and the header wish, each once.
fn wishes(o: &mut Object<'_>, body: Option<&str>, header: &str) -> Result<(), Bad> {
    let there: List<crate::json::Text<'_>> = match body {
        Some(body) => read(body).map_err(|bad| bad.within("anthropic_beta"))?,
        None => List(Vec::new()),
    };
    let header = header.split(',').map(str::trim).filter(|beta| !beta.is_empty()).map(Cow::Borrowed);
    let mut all: Vec<Cow<'_, str>> = Vec::new();
    for beta in there.0.into_iter().map(|text| text.0).chain(header) {
        if !all.contains(&beta) {
            all.push(beta);
        }
    }
    if !all.is_empty() {
        let mut list: Items<'_> = o.list("anthropic_beta");
        for beta in &all {
            list.string(beta);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn spliced(text: &str, betas: &str) -> String {
        let body = Content::new(Bytes::from(text.to_owned()));
        let edits = to_native(&body, betas).unwrap();
        String::from_utf8(edits.apply(&body).concat()).unwrap()
    }

    #[test]
    fn members_of_the_call_go_wherever_they_stand() {
        const V: &str = r#""anthropic_version":"bedrock-2023-05-31""#;
        for (before, betas, after) in [
            (r#"{"model":"m","max_tokens":1}"#, "", format!(r#"{{{V},"max_tokens":1}}"#)),
            (r#"{"max_tokens":1, "model":"m"}"#, "", format!(r#"{{{V},"max_tokens":1}}"#)),
            (
                r#"{ "a" : 1 , "stream":true,"model" : "m" ,"b":[ 2 ] }"#,
                "",
                format!(r#"{{{V}, "a" : 1 ,"b":[ 2 ] }}"#),
            ),
            (r#"{"model":"m","stream":false}"#, "x", format!(r#"{{{V},"anthropic_beta":["x"]}}"#)),
            (r#" {"mod\u0065l":"m"}"#, "x, y,x", format!(r#" {{{V},"anthropic_beta":["x","y"]}}"#)),
            (
                r#"{"a":1,"anthropic_beta":["q\"","x"]}"#,
                "x,z",
                format!(r#"{{{V},"anthropic_beta":["q\"","x","z"],"a":1}}"#),
            ),
            ("{}", "", format!("{{{V}}}")),
        ] {
            let got = spliced(before, betas);
            assert_eq!(got.replace(" ,", ","), after.replace(" ,", ","), "{before}");
            assert!(serde_json::from_str::<Value>(&got).is_ok(), "{got}");
        }
    }

    #[test]
    fn what_is_no_body_of_the_api_is_refused() {
        for text in [
            "[]",
            r#"{"model":"a","mod\u0065l":"b"}"#,
            r#"{"anthropic_version":"bedrock-2023-05-31"}"#,
            r#"{"anthropic_beta":"x"}"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(to_native(&Content::new(Bytes::from(text.to_owned())), "").is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_else_changes(
            others in proptest::collection::btree_map("[a-z]{1,6}|.{0,3}", "\\PC{0,6}", 0..5),
            ours in proptest::sample::subsequence(vec!["model", "stream"], 0..=2),
            turn in 0..8usize, pretty in any::<bool>(),
        ) {
            let mut members: Vec<(String, Value)> = others.into_iter().map(|(k, v)| (k, v.into())).collect();
            members.retain(|(name, _)| !["model", "stream"].contains(&&**name));
            members.extend(ours.into_iter().map(|name| (name.to_owned(), json!("x"))));
            let len = members.len().max(1);
            members.rotate_left(turn % len);
            let before: Map<String, Value> = members.into_iter().collect();
            let text = if pretty { serde_json::to_string_pretty(&before) } else { serde_json::to_string(&before) }.unwrap();
            let mut after: Map<String, Value> = serde_json::from_str(&spliced(&text, "")).unwrap();
            prop_assert_eq!(after.remove("anthropic_version"), Some(json!(VERSION)));
            let mut left = before;
            left.remove("model");
            left.remove("stream");
            prop_assert_eq!(after, left);
        }
    }
}
