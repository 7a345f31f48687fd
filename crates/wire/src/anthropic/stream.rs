//! Claude's own streams on their way to Anthropic's clients: another framing around the same bytes.

use bytes::{Bytes, BytesMut};

use super::refuse;
use crate::bedrock::refuse::message;
use crate::eventstream::{Kind, Scanner};
use crate::json::{pick, string, utf8};
use crate::sse;
use crate::translate::{Broken, chunk, upper_camel};

/// Takes AWS's frames and gives server-sent events.
pub struct Frames {
    scanner: Scanner,
    /// The answer has come to its end, or to an error.
    over: bool,
    /// The call, as errors name it.
    call: String,
}

impl Frames {
    pub fn new(call: String) -> Self {
        Self { scanner: Scanner::new(false), over: false, call }
    }

    /// Takes the next bytes; gives nothing when no event is whole.
    ///
    /// # Errors
    /// [`Broken`], when they cannot be read.
    pub fn feed(&mut self, bytes: Bytes) -> Result<Bytes, Broken> {
        let mut out = BytesMut::with_capacity(bytes.len());
        self.scanner.feed(bytes);
        while let Some(frame) = self.scanner.next_frame().map_err(|damage| Broken(damage.to_string()))? {
            match frame.kind() {
                Kind::Event("chunk") => {
                    let payload = chunk(frame.payload())?;
                    let unreadable = || Broken("an event of the stream cannot be read".into());
                    let text = utf8(&payload).map_err(|_| unreadable())?;
                    let picked = pick(text, &["type"]).map_err(|_| unreadable())?;
                    let name = picked.text(0).and_then(string).ok_or_else(unreadable)?;
                    self.over |= matches!(&*name, "message_stop" | "error");
                    sse::write(&name, text, &mut out);
                }
                Kind::Exception(name) => self.failed(&upper_camel(name), &message(frame.payload()), &mut out),
                Kind::Error { code, message } => self.failed(code, message, &mut out),
                // SDKs skip what they do not know
                Kind::Event(_) | Kind::Other => {}
            }
        }
        Ok(out.freeze())
    }

    /// The upstream ended the stream.
    ///
    /// # Errors
    /// [`Broken`], when it stops short.
    pub fn finish(&self) -> Result<Bytes, Broken> {
        match self.scanner.finish() {
            Err(damage) => Err(Broken(damage.to_string())),
            Ok(()) if self.over => Ok(Bytes::new()),
            Ok(()) => Err(Broken("the stream ended before the answer did".into())),
        }
    }

    fn failed(&mut self, name: &str, message: &str, out: &mut BytesMut) {
        self.over = true;
        let error = refuse::upstream(500, name, message, &self.call);
        let body = String::from_utf8_lossy(&error.body);
        sse::write("error", &body, out);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::eventstream::{encode_event, encode_exception};

    fn frame(payload: &str) -> Bytes {
        let body = format!(r#"{{"bytes":"{}","p":"abc"}}"#, STANDARD.encode(payload));
        encode_event("chunk", body.as_bytes())
    }

    #[test]
    fn payloads_are_the_same_bytes_in_another_frame() {
        let delta = r#"{"type":"content_block_delta", "new":[1],"delta":{"text":"é\n"}}"#;
        let all = [frame(delta), frame(r#"{"type":"message_stop"}"#)].concat();
        let want = format!(
            "event: content_block_delta\ndata: {delta}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        );
        for at in 0..all.len() {
            let mut frames = Frames::new(String::new());
            let mut out = Vec::new();
            for part in [&all[..at], &all[at..]] {
                out.extend_from_slice(&frames.feed(Bytes::copy_from_slice(part)).unwrap());
            }
            assert_eq!(String::from_utf8(out).unwrap(), want, "cut at {at}");
            assert!(frames.finish().is_ok());
        }
    }

    #[test]
    fn an_exception_is_an_error_event_and_a_short_stream_is_seen() {
        let mut frames = Frames::new("c1".into());
        let out = frames.feed(encode_exception("throttlingException", br#"{"message":"slow"}"#)).unwrap();
        let out = String::from_utf8(out.to_vec()).unwrap();
        assert!(
            out.starts_with("event: error\n") && out.contains("rate_limit_error") && out.contains("slow"),
            "{out}"
        );
        assert!(frames.finish().is_ok());
        let mut frames = Frames::new(String::new());
        frames.feed(frame(r#"{"type":"ping"}"#)).unwrap();
        assert!(frames.finish().is_err());
    }
}
