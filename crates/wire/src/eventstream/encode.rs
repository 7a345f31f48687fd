//! Frames as Bedrock writes them.

use bytes::{BufMut, Bytes, BytesMut};

/// A frame of an event: `:event-type`, `:content-type`, `:message-type`, in that order.
pub fn encode_event(event_type: &str, payload: &[u8]) -> Bytes {
    frame((":event-type", event_type), "event", payload)
}

/// A frame that ends a stream with an error: `exception_type` in lower camel case
/// (`throttlingException`), `payload` a JSON object with a `message`.
pub fn encode_exception(exception_type: &str, payload: &[u8]) -> Bytes {
    frame((":exception-type", exception_type), "exception", payload)
}

fn frame(kind: (&str, &str), message_type: &str, payload: &[u8]) -> Bytes {
    let headers = [kind, (":content-type", "application/json"), (":message-type", message_type)];
    let headers_len: usize = headers.iter().map(|(n, v)| 4 + short(n).len() + text(v).len()).sum();
    let total = 16 + headers_len + payload.len();
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    out.put_u32(u32::try_from(headers_len).unwrap_or(u32::MAX));
    out.put_u32(crc32fast::hash(&out));
    for (name, value) in headers {
        out.put_u8(u8::try_from(short(name).len()).unwrap_or(u8::MAX));
        out.put_slice(short(name).as_bytes());
        out.put_u8(7);
        out.put_u16(u16::try_from(text(value).len()).unwrap_or(u16::MAX));
        out.put_slice(text(value).as_bytes());
    }
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}

/// Names hold at most 255 bytes.
fn short(name: &str) -> &str {
    cut(name, usize::from(u8::MAX))
}

/// Texts hold at most 65,535 bytes.
fn text(value: &str) -> &str {
    cut(value, usize::from(u16::MAX))
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}
