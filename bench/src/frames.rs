//! `application/vnd.amazon.eventstream`: made for the upstream, checked by the client.

use std::io;

use crate::http1::bad;

/// One message with the headers that Bedrock sends.
pub fn frame(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7); // a string
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = 12 + headers.len() + payload.len() + 4;
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(&(total as u32).to_be_bytes());
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

/// What went by in a stream.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub frames: u64,
    /// `contentBlockDelta` events.
    pub deltas: u64,
    /// The stream's `metadata` event, its last, has come.
    pub ended: bool,
}

impl Seen {
    /// Takes the whole server-sent events at the start of `bytes`; gives how many bytes they are.
    ///
    /// # Errors
    /// On an error event, or a line that is none of an event's.
    pub fn take_sse(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while let Some(end) = memchr::memmem::find(&bytes[at..], b"\n\n") {
            let event = &bytes[at..at + end];
            at += end + 2;
            self.frames += 1;
            let holds = |text: &[u8]| memchr::memmem::find(event, text).is_some();
            if !event.starts_with(b"data: ") && !event.starts_with(b"event: ") || holds(b"\"error\"") {
                return Err(bad("an event of the stream"));
            }
            // a text, in OpenAI's words or Anthropic's
            if holds(b"\"content\":\"") && !holds(b"\"content\":\"\"") || holds(b"\"text_delta\"") {
                self.deltas += 1;
            }
            self.ended |= event == b"data: [DONE]" || event.starts_with(b"event: message_stop");
        }
        Ok(at)
    }

    /// Takes the whole frames at the start of `bytes`; gives how many bytes they are.
    ///
    /// # Errors
    /// On a wrong checksum, a broken frame, or one that is no event.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while let Some(prelude) = bytes.get(at..at + 12) {
            let total = u32_at(prelude, 0) as usize;
            let headers = u32_at(prelude, 4) as usize;
            if crc32fast::hash(&prelude[..8]) != u32_at(prelude, 8) || total < headers + 16 {
                return Err(bad("a frame's prelude"));
            }
            let Some(frame) = bytes.get(at..at + total) else { break };
            if crc32fast::hash(&frame[..total - 4]) != u32_at(frame, total - 4) {
                return Err(bad("a frame's checksum"));
            }
            match event(&frame[12..12 + headers]).ok_or_else(|| bad("a frame without event type"))? {
                b"contentBlockDelta" => self.deltas += 1,
                b"metadata" => self.ended = true,
                _ => {}
            }
            self.frames += 1;
            at += total;
        }
        Ok(at)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The value of `:event-type`.
fn event(mut headers: &[u8]) -> Option<&[u8]> {
    while let Some((length, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let rest = rest.strip_prefix(&[7])?;
        let (size, rest) = rest.split_at_checked(2)?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([size[0], size[1]])))?;
        if name == b":event-type" {
            return Some(value);
        }
        headers = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_and_damage_is_seen() {
        let mut wire = frame("messageStart", r#"{"role":"assistant"}"#);
        wire.extend(frame("contentBlockDelta", r#"{"delta":{"text":"a"}}"#));
        wire.extend(frame("metadata", "{}"));
        let mut seen = Seen::default();
        assert_eq!(seen.take(&wire[..wire.len() - 1]).unwrap(), wire.len() - frame("metadata", "{}").len());
        let mut seen = Seen::default();
        assert_eq!(seen.take(&wire).unwrap(), wire.len());
        assert_eq!(seen, Seen { frames: 3, deltas: 1, ended: true });
        for at in 0..wire.len() {
            let mut damaged = wire.clone();
            damaged[at] ^= 1;
            let mut seen = Seen::default();
            let whole = seen.take(&damaged).is_ok_and(|n| n == wire.len());
            assert!(!whole, "damage at {at} went unseen");
        }
    }
}
