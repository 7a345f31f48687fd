//! Just enough HTTP/1.1 to read answers: a head, then a body by length or in chunks.

use std::io;

pub fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What a head says of the answer.
pub struct Head {
    pub status: u16,
    pub close: bool,
    pub body: Body,
}

impl Head {
    /// Reads a head at the start of `bytes`; `None` when more is needed. Gives its length too.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let mut lines = bytes[..end].split(|b| *b == b'\n');
        let line = lines.next().unwrap_or_default();
        let status = line.get(9..12).and_then(|s| std::str::from_utf8(s).ok()?.parse().ok());
        let status = status.ok_or_else(|| bad("no status line"))?;
        let (mut close, mut length, mut chunked) = (false, None, false);
        for line in lines {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                length = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                close = value.eq_ignore_ascii_case(b"close");
            }
        }
        let body = match (chunked, length) {
            (true, _) => Body::Size(0),
            (false, Some(0)) => Body::Done,
            (false, Some(n)) => Body::Length(n),
            (false, None) => return Err(bad("a body without length")),
        };
        Ok(Some((Self { status, close, body }, end + 4)))
    }
}

/// Where in a body the reader is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// So many bytes are to come.
    Length(usize),
    /// In a chunk's size line.
    Size(usize),
    /// In a chunk's data; when it is over, two bytes of line end follow.
    Chunk(usize),
    /// After a chunk's data: so many bytes of line end.
    ChunkEnd(usize),
    /// In the line end after the last chunk.
    Last(usize),
    Done,
}

impl Body {
    /// Takes what it can of `bytes`, appends body bytes to `out`, gives how many it took.
    ///
    /// # Errors
    /// When the chunks are malformed.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        while at < bytes.len() && *self != Body::Done {
            let here = &bytes[at..];
            match *self {
                Body::Length(left) | Body::Chunk(left) => {
                    let n = left.min(here.len());
                    out.extend_from_slice(&here[..n]);
                    at += n;
                    *self = match (*self, left - n) {
                        (Body::Length(_), 0) => Body::Done,
                        (Body::Length(_), left) => Body::Length(left),
                        (_, 0) => Body::ChunkEnd(2),
                        (_, left) => Body::Chunk(left),
                    };
                }
                Body::Size(size) => {
                    at += 1;
                    *self = match here[0] {
                        b'\n' if size == 0 => Body::Last(2),
                        b'\n' => Body::Chunk(size),
                        b'\r' => Body::Size(size),
                        digit => {
                            let digit = (digit as char).to_digit(16).ok_or_else(|| bad("a chunk's size"))?;
                            Body::Size(size * 16 + digit as usize)
                        }
                    };
                }
                Body::ChunkEnd(left) => {
                    at += 1;
                    *self = if left == 1 { Body::Size(0) } else { Body::ChunkEnd(left - 1) };
                }
                Body::Last(left) => {
                    at += 1;
                    *self = if left == 1 { Body::Done } else { Body::Last(left - 1) };
                }
                Body::Done => {}
            }
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let wire = b"5\r\nhello\r\n1\r\n \r\n10\r\n0123456789abcdef\r\n0\r\n\r\nNEXT";
        for cut in 0..wire.len() {
            let (mut body, mut out, mut took) = (Body::Size(0), Vec::new(), 0);
            for part in [&wire[..cut], &wire[cut..]] {
                took += body.take(part, &mut out).unwrap();
            }
            assert_eq!((body, out.as_slice()), (Body::Done, &b"hello 0123456789abcdef"[..]));
            assert_eq!(&wire[took..], b"NEXT");
        }
    }

    #[test]
    fn heads_are_read() {
        let (head, n) = Head::read(b"HTTP/1.1 403 No\r\nContent-Length: 7\r\nConnection: close\r\n\r\nx")
            .unwrap()
            .unwrap();
        assert_eq!((head.status, head.close, head.body, n), (403, true, Body::Length(7), 57));
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
    }
}
