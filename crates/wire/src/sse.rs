//! Server-sent events, as OpenAI's and Anthropic's streams are framed (`text/event-stream`).

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// The content type of a stream.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// The most bytes an event may have.
pub const MAX_EVENT: usize = 24 * 1024 * 1024;

/// What keeps a connection alive and says nothing: a comment.
pub const COMMENT: &[u8] = b": keep-alive\n\n";

/// Writes one event; `name` is left out when it is empty. `data` must hold no line break: JSON does not.
pub fn write(name: &str, data: &str, out: &mut BytesMut) {
    out.reserve(name.len() + data.len() + 16);
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Cuts a byte stream into events. Lines end with `\n`, `\r\n` or `\r`; comments, ids and retry times are passed over.
///
/// After [`Decoder::feed`] call [`Decoder::next_event`] until it gives `None`.
#[derive(Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// Where the first line that was not looked at begins.
    at: usize,
    /// The name and the data of the event that is being read, as ranges of the buffer.
    name: Range<usize>,
    data: Vec<Range<usize>>,
    /// A byte-order mark may stand before the first line.
    begun: bool,
    /// A line ended with `\r` at the end of a chunk: a `\n` that follows belongs to it.
    after_return: bool,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Empty when it has none.
    pub name: Bytes,
    /// Its lines of data, with `\n` between.
    pub data: Bytes,
}

/// What stands between two empty lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// `None` when nothing is said: a comment, which keeps the connection alive.
    pub event: Option<Event>,
    /// As it came, with the empty line that ended it.
    pub raw: Bytes,
}

/// An event is longer than any may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl Decoder {
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut chunk = chunk;
        if std::mem::take(&mut self.after_return) && chunk.first() == Some(&b'\n') {
            chunk = &chunk[1..];
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLong> {
        while let Some(block) = self.next_block()? {
            if block.event.is_some() {
                return Ok(block.event);
            }
        }
        Ok(None)
    }

    /// The next whole block, an event or not; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn next_block(&mut self) -> Result<Option<Block>, TooLong> {
        if !self.begun && self.buffer.len() >= BOM.len() {
            self.begun = true;
            if self.buffer.starts_with(BOM) {
                self.at = BOM.len();
            }
        }
        while let Some(line) = self.line() {
            if line.is_empty() {
                return Ok(Some(self.take()));
            }
            self.field(line);
        }
        if self.buffer.len() > MAX_EVENT { Err(TooLong) } else { Ok(None) }
    }

    /// Whether the stream ended amid an event.
    pub fn is_amid(&self) -> bool {
        !self.data.is_empty() || self.at < self.buffer.len()
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<Range<usize>> {
        let begin = self.at;
        let end = begin + memchr2(b'\n', b'\r', self.buffer.get(begin..)?)?;
        self.at = end + 1;
        if self.buffer[end] == b'\r' {
            match self.buffer.get(end + 1) {
                Some(b'\n') => self.at += 1,
                Some(_) => {}
                None => self.after_return = true,
            }
        }
        Some(begin..end)
    }

    fn field(&mut self, line: Range<usize>) {
        let text = &self.buffer[line.clone()];
        let colon = memchr::memchr(b':', text).unwrap_or(text.len());
        let space = usize::from(text.get(colon + 1) == Some(&b' '));
        let value = (line.start + colon + 1 + space).min(line.end)..line.end;
        match &text[..colon] {
            b"data" => self.data.push(value),
            b"event" => self.name = value,
            // a comment, an id, a time to wait before coming back
            _ => {}
        }
    }

    /// What the empty line before `at` ended.
    fn take(&mut self) -> Block {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        let whole = self.buffer.split_to(self.at).freeze();
        self.at = 0;
        let data = match data.as_slice() {
            [] => return Block { event: None, raw: whole },
            [one] => whole.slice(one.clone()),
            lines => lines.iter().map(|line| &whole[line.clone()]).collect::<Vec<_>>().join(&b'\n').into(),
        };
        Block { event: Some(Event { name: whole.slice(name), data }), raw: whole }
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk);
            while let Some(event) = decoder.next_event().unwrap() {
                out.push((text(&event.name), text(&event.data)));
            }
        }
        out
    }

    const STREAM: &[u8] = b"\xef\xbb\xbf: hello\r\nevent: a\r\ndata: {\"x\":1}\r\n\r\n\ndata:one\ndata: two\n\nevent:\rdata\r\rid: 7\n\ndata: end\n\n";

    fn events() -> Vec<(String, String)> {
        [("a", "{\"x\":1}"), ("", "one\ntwo"), ("", ""), ("", "end")]
            .map(|(n, d)| (n.into(), d.into()))
            .to_vec()
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        assert_eq!(read(&[STREAM]), events());
        for at in 0..STREAM.len() {
            let (one, two) = STREAM.split_at(at);
            assert_eq!(read(&[one, two]), events(), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(read(&bytes), events());
    }

    #[test]
    fn blocks_are_the_stream_and_comments_are_among_them() {
        let mut decoder = Decoder::default();
        decoder.feed(STREAM);
        let blocks: Vec<Block> = std::iter::from_fn(|| decoder.next_block().unwrap()).collect();
        assert_eq!(blocks.iter().flat_map(|block| block.raw.to_vec()).collect::<Vec<u8>>(), STREAM);
        assert_eq!(blocks.iter().filter(|block| block.event.is_some()).count(), events().len());
        decoder.feed(b": still there\n\n");
        let comment = decoder.next_block().unwrap().unwrap();
        assert_eq!((comment.event, &*comment.raw), (None, &b": still there\n\n"[..]));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = BytesMut::new();
        write("message_start", "{\"a\":\"b: c\"}", &mut out);
        write("", "[DONE]", &mut out);
        assert_eq!(
            read(&[&out]),
            [
                ("message_start".to_owned(), "{\"a\":\"b: c\"}".to_owned()),
                (String::new(), "[DONE]".to_owned())
            ]
        );
    }

    #[test]
    fn an_end_amid_an_event_is_seen() {
        let mut decoder = Decoder::default();
        decoder.feed(b"data: x\n\n");
        assert!(decoder.next_event().unwrap().is_some() && !decoder.is_amid());
        decoder.feed(b"data: y\n");
        assert!(decoder.next_event().unwrap().is_none() && decoder.is_amid());
    }
}
