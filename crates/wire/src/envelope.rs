//! What a vendor's body says to the door: which model, and how the answer is to come.

mod address;

use bedplate_core::refusal::Refusal;

use crate::json::object::Bad;
use crate::json::{pick, string, utf8};
pub use address::{address, is_usage_alone};

/// The members that are about the call and not for the model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Envelope {
    /// The model, as the caller names it.
    pub model: String,
    /// The answer is to be a stream.
    pub stream: bool,
    /// A stream is to end with usage, where its dialect says it only on request.
    pub include_usage: bool,
    /// The person behind the call: OpenAI's `user`, Anthropic's `metadata.user_id`; opaque.
    pub user: Option<String>,
    /// The body is one turn of a conversation that the vendor is to hold: Anthropic's `thread`.
    pub threaded: bool,
}

impl Envelope {
    /// # Errors
    /// `BP1203` for what is no JSON object or names one of these members twice, `BP1205` for one of another type, and
    /// where no model is named.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let text = utf8(body).map_err(Bad::from)?;
        let picked = pick(text, &["model", "stream", "stream_options", "user", "metadata", "thread"])
            .map_err(Bad::from)?;
        let model = picked.text(0).ok_or_else(|| Bad::value("model", "expected the name of a model"))?;
        let model = string(model).ok_or_else(|| Bad::value("model", "expected a string"))?;
        if model.is_empty() || model.chars().count() > LONGEST {
            return Err(Bad::value("model", "expected a name of 1 to 2048 characters").into());
        }
        let options =
            picked.text(2).map(|text| inside(text, "include_usage", "stream_options")).transpose()?.flatten();
        let user =
            picked.text(3).and_then(string).or_else(|| string(inside(picked.text(4)?, "user_id", "").ok()??));
        Ok(Self {
            model: model.into_owned(),
            stream: picked.text(1).map(|text| truth(text, "stream")).transpose()?.unwrap_or(false),
            include_usage: options
                .map(|text| truth(text, "stream_options.include_usage"))
                .transpose()?
                .unwrap_or(false),
            user: user.map(std::borrow::Cow::into_owned).filter(|user| !user.is_empty()),
            threaded: picked.text(5).is_some_and(|text| text != "null"),
        })
    }
}

/// As Bedrock takes of a model's name.
const LONGEST: usize = 2_048;

fn inside<'a>(object: &'a str, name: &'static str, at: &str) -> Result<Option<&'a str>, Bad> {
    Ok(pick(object, &[name]).map_err(|_| Bad::value(at, "expected an object"))?.text(0))
}

fn truth(text: &str, at: &str) -> Result<bool, Bad> {
    text.parse().map_err(|_| Bad::value(at, "expected true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_call_is_read() {
        let body = br#"{"messages":[],"model":"tri\u0061ge","stream":true,"stream_options":{"include_usage":true},"user":"u1"}"#;
        let envelope = Envelope::read(body).unwrap();
        assert_eq!(envelope.model, "triage");
        assert!(envelope.stream && envelope.include_usage);
        assert_eq!(envelope.user.as_deref(), Some("u1"));
        let body = br#"{"model":"m","metadata":{"user_id":"u2"},"stream":null}"#;
        let envelope = Envelope::read(body).unwrap();
        assert_eq!((envelope.stream, envelope.user.as_deref()), (false, Some("u2")));
        for (thread, held) in [("null", false), (r#"{"type":"create"}"#, true)] {
            let body = format!(r#"{{"model":"m","thread":{thread}}}"#);
            assert_eq!(Envelope::read(body.as_bytes()).unwrap().threaded, held);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        for (body, said) in [
            (r#"{}"#, "`model`: expected the name of a model"),
            (r#"{"model":7}"#, "`model`: expected a string"),
            (r#"{"model":""}"#, "`model`: expected a name of 1 to 2048 characters"),
            (r#"{"model":"m","stream":"yes"}"#, "`stream`: expected true or false"),
            (r#"{"model":"m","stream_options":7}"#, "`stream_options`: expected an object"),
        ] {
            assert_eq!(Envelope::read(body.as_bytes()).unwrap_err().said, said);
        }
        assert!(Envelope::read(br#"{"model":"a","mod\u0065l":"b"}"#).is_err());
    }
}
