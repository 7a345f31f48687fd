//! A body that goes to a vendor's own API as it came, but for whom it is addressed to.

use bedplate_core::content::Content;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::Edits;
use bytes::Bytes;

use crate::json::object::Bad;
use crate::json::{pick, range_in, utf8, write};

/// The body with another value of `model`; every other byte stays. With `usage` the stream is to end with what it used,
/// where the caller did not ask for that: then [`is_usage_alone`] finds what the caller is not to see.
///
/// # Errors
/// `BP1203` for what is no JSON object, or names the model twice.
pub fn address(body: &Bytes, model: &str, usage: bool) -> Result<Vec<Bytes>, Refusal> {
    let text = utf8(body).map_err(Bad::from)?;
    let picked = pick(text, &["model", "stream_options"]).map_err(Bad::from)?;
    let named = picked.values.first().copied().flatten();
    let named = named.ok_or_else(|| Bad::value("model", "expected the name of a model"))?;
    let mut name = String::with_capacity(model.len() + 64);
    write::string(&mut name, model);
    let mut edits = Edits::default();
    if usage {
        match picked.values.get(1).copied().flatten().map(serde_json::value::RawValue::get) {
            None => name.push_str(",\"stream_options\":{\"include_usage\":true}"),
            Some(null @ "null") => edits.splice(range_in(text, null), INCLUDE.into()),
            Some(options) => ask_for_usage(text, options, &mut edits)?,
        }
    }
    edits.splice(range_in(text, named.get()), name.into());
    Ok(edits.apply(&Content::new(body.clone())))
}

const INCLUDE: &str = "{\"include_usage\":true}";

fn ask_for_usage(text: &str, options: &str, edits: &mut Edits) -> Result<(), Refusal> {
    let wrong = |_| Bad::value("stream_options", "expected an object");
    let picked = pick(options, &["include_usage"]).map_err(wrong)?;
    if picked.empty {
        edits.splice(range_in(text, options), INCLUDE.into());
    } else if let Some(said) = picked.values.first().copied().flatten() {
        edits.splice(range_in(text, said.get()), "true".into());
    } else {
        let first = range_in(text, options).start + 1;
        edits.splice(first..first, "\"include_usage\":true,".into());
    }
    Ok(())
}

/// Whether an event of OpenAI's stream says what was used and nothing more.
pub fn is_usage_alone(data: &[u8]) -> bool {
    let alone = || {
        memchr::memmem::find(data, b"\"usage\"")?;
        let picked = pick(utf8(data).ok()?, &["choices", "usage"]).ok()?;
        let none = picked.text(0)?.strip_prefix('[')?.trim_start().starts_with(']');
        Some(none && picked.text(1)?.starts_with('{'))
    };
    alone().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(body: &'static str, usage: bool) -> String {
        let slices = address(&Bytes::from_static(body.as_bytes()), "hf.co/a/b:Q4 \"x\"", usage).unwrap();
        String::from_utf8(slices.concat()).unwrap()
    }

    #[test]
    fn nothing_but_the_model_changes() {
        let body = "{ \"messages\":[{\"model\":\"inner\"}],\n \"model\" : \"tri\\u0061ge\", \"x\":1.50 }";
        let want = body.replace("\"tri\\u0061ge\"", r#""hf.co/a/b:Q4 \"x\"""#);
        assert_eq!(addressed(body, false), want);
        assert!(address(&Bytes::from_static(b"{}"), "m", false).is_err());
        let twice = b"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}";
        assert!(address(&Bytes::from_static(twice), "m", false).is_err());
    }

    #[test]
    fn usage_is_asked_for_wherever_that_stands() {
        for (body, want) in [
            (r#"{"model":"a","n":2}"#, r#"{"model":M,"stream_options":{"include_usage":true},"n":2}"#),
            (
                r#"{"stream_options":null,"model":"a"}"#,
                r#"{"stream_options":{"include_usage":true},"model":M}"#,
            ),
            (
                r#"{"model":"a","stream_options":{ }}"#,
                r#"{"model":M,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"model":"a","stream_options":{"include_usage":false,"b":1}}"#,
                r#"{"model":M,"stream_options":{"include_usage":true,"b":1}}"#,
            ),
            (
                r#"{"model":"a","stream_options":{"b":1}}"#,
                r#"{"model":M,"stream_options":{"include_usage":true,"b":1}}"#,
            ),
        ] {
            assert_eq!(addressed(body, true), want.replace('M', r#""hf.co/a/b:Q4 \"x\"""#), "{body}");
        }
    }

    #[test]
    fn the_event_with_usage_alone_is_known() {
        assert!(is_usage_alone(br#"{"id":"x","choices":[ ],"usage":{"prompt_tokens":1}}"#));
        for other in [
            &br#"{"choices":[{"delta":{"content":"\"usage\""}}],"usage":{"prompt_tokens":1}}"#[..],
            br#"{"choices":[],"usage":null}"#,
            br#"{"usage":{}}"#,
            b"[DONE]",
        ] {
            assert!(!is_usage_alone(other));
        }
    }
}
