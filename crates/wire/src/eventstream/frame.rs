//! One frame, and what its headers say.

use std::ops::Range;

use bytes::Bytes;

use super::Damage;

/// A whole frame. Its payload is content: it cannot be formatted.
#[derive(Clone)]
pub struct Frame {
    raw: Bytes,
    headers_len: usize,
    kind: Found,
}

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// An event, by its `:event-type`.
    Event(&'a str),
    /// A modelled error that ends the stream, by its `:exception-type`.
    Exception(&'a str),
    /// An unmodelled error that ends the stream.
    Error { code: &'a str, message: &'a str },
    /// Anything else.
    Other,
}

/// A header's value: all ten wire types.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    Bool(bool),
    Byte(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Millis(i64),
    Uuid([u8; 16]),
}

/// Where the headers that tell the kind lie in the frame.
#[derive(Clone, Default)]
enum Found {
    Event(Range<usize>),
    Exception(Range<usize>),
    Error(Range<usize>, Range<usize>),
    #[default]
    Other,
}

impl Frame {
    /// Reads a frame whose prelude was verified and whose length is that of `raw`.
    pub(super) fn read(raw: Bytes, check: bool) -> Result<Self, Damage> {
        let headers_len = raw
            .get(4..8)
            .and_then(|b| b.try_into().ok())
            .map_or(0, |b: [u8; 4]| u32::from_be_bytes(b) as usize);
        if raw.len() < 16 + headers_len {
            return Err(Damage::Headers);
        }
        if check {
            let (body, crc) = raw.split_at(raw.len() - 4);
            if crc32fast::hash(body).to_be_bytes() != crc {
                return Err(Damage::MessageChecksum);
            }
        }
        let mut frame = Self { raw, headers_len, kind: Found::Other };
        frame.kind = frame.find()?;
        Ok(frame)
    }

    /// The frame as it came, to be forwarded.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    pub fn into_raw(self) -> Bytes {
        self.raw
    }

    pub fn payload(&self) -> &[u8] {
        self.raw.get(self.payload_range()).unwrap_or_default()
    }

    /// Where the payload lies in [`Frame::raw`].
    pub fn payload_range(&self) -> Range<usize> {
        12 + self.headers_len..self.raw.len() - 4
    }

    pub fn kind(&self) -> Kind<'_> {
        match &self.kind {
            Found::Event(name) => Kind::Event(self.text(name)),
            Found::Exception(name) => Kind::Exception(self.text(name)),
            Found::Error(code, message) => Kind::Error { code: self.text(code), message: self.text(message) },
            Found::Other => Kind::Other,
        }
    }

    /// The headers in order.
    pub fn headers(&self) -> HeaderIter<'_> {
        HeaderIter { bytes: self.raw.get(12..12 + self.headers_len).unwrap_or_default(), at: 0 }
    }

    fn text(&self, range: &Range<usize>) -> &str {
        // the header reader let only UTF-8 pass
        self.raw.get(range.clone()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }

    fn find(&self) -> Result<Found, Damage> {
        let (mut event, mut exception, mut code, mut message) = (None, None, None, None);
        let mut kind = Kind::Other;
        let mut headers = self.headers();
        while let Some(header) = headers.next() {
            let (name, value) = header?;
            let Value::Text(text) = value else { continue };
            let end = 12 + headers.at;
            let place = match name {
                ":event-type" => &mut event,
                ":exception-type" => &mut exception,
                ":error-code" => &mut code,
                ":error-message" => &mut message,
                ":message-type" => {
                    kind = match text {
                        "event" => Kind::Event(""),
                        "exception" => Kind::Exception(""),
                        "error" => Kind::Error { code: "", message: "" },
                        _ => Kind::Other,
                    };
                    continue;
                }
                _ => continue,
            };
            *place = Some(end - text.len()..end);
        }
        Ok(match (kind, event, exception) {
            (Kind::Event(_), Some(name), _) => Found::Event(name),
            (Kind::Exception(_), _, Some(name)) => Found::Exception(name),
            (Kind::Error { .. }, ..) => Found::Error(code.unwrap_or(0..0), message.unwrap_or(0..0)),
            _ => Found::Other,
        })
    }
}

/// Headers of a frame, borrowed from it.
pub struct HeaderIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Result<(&'a str, Value<'a>), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let header = self.header();
        if header.is_none() {
            self.at = self.bytes.len();
        }
        Some(header.ok_or(Damage::Headers))
    }
}

impl<'a> HeaderIter<'a> {
    fn header(&mut self) -> Option<(&'a str, Value<'a>)> {
        let name_len = usize::from(self.array::<1>()?[0]);
        let name = std::str::from_utf8(self.slice(name_len)?).ok()?;
        let value = match self.array::<1>()?[0] {
            0 => Value::Bool(true),
            1 => Value::Bool(false),
            2 => Value::Byte(i8::from_be_bytes(self.array()?)),
            3 => Value::Int16(i16::from_be_bytes(self.array()?)),
            4 => Value::Int32(i32::from_be_bytes(self.array()?)),
            5 => Value::Int64(i64::from_be_bytes(self.array()?)),
            6 => Value::Bytes(self.counted()?),
            7 => Value::Text(std::str::from_utf8(self.counted()?).ok()?),
            8 => Value::Millis(i64::from_be_bytes(self.array()?)),
            9 => Value::Uuid(self.array()?),
            _ => return None,
        };
        Some((name, value))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_be_bytes(self.array()?);
        self.slice(usize::from(len))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    fn slice(&mut self, n: usize) -> Option<&'a [u8]> {
        let out = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(out)
    }
}
