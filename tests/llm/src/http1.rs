//! As much of HTTP/1.1 as a client on the same machine needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const LONGEST_HEAD: u64 = 64 * 1024;
const LONGEST_BODY: u64 = 1024 * 1024;

pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The next one on a connection; none when it has ended.
    ///
    /// # Errors
    /// When it is no HTTP, too long, or does not come.
    pub fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let first = line(from)?;
        if first.is_empty() {
            return Ok(None);
        }
        let mut words = first.split(' ').map(String::from);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let line = line(from)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad("a header has no colon"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            if headers.len() > 100 {
                return Err(bad("there are too many headers"));
            }
        }
        let mut request = Self { method, path, headers, body: Vec::new() };
        if request.header("expect").is_some() {
            from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.read_body(from)?;
        Ok(Some(request))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn read_body(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        if self.header("transfer-encoding").is_none() {
            let length = self.header("content-length").unwrap_or("0");
            let length = length.parse::<u64>().map_err(|_| bad("a length is no number"))?;
            return append(from, length, &mut self.body);
        }
        loop {
            let line = line(from)?;
            let size = line.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|_| bad("a chunk has no size"))?;
            append(from, size, &mut self.body)?;
            while !self::line(from)?.is_empty() {} // the end of a chunk; after the last one, trailers
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// # Errors
/// When the client does not take it.
pub fn answer(to: &mut TcpStream, status: u16, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        if status == 200 { "OK" } else { "Refused" },
        body.len()
    );
    to.write_all(&[head.as_bytes(), body].concat())
}

/// # Errors
/// When the client does not take it.
pub fn begin_stream(to: &mut TcpStream) -> io::Result<()> {
    to.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
          transfer-encoding: chunked\r\n\r\n",
    )
}

/// One server-sent event, in a chunk of its own.
///
/// # Errors
/// When the client does not take it.
pub fn event(to: &mut TcpStream, data: &str) -> io::Result<()> {
    let event = format!("data: {data}\n\n");
    to.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
}

/// # Errors
/// When the client does not take it.
pub fn end_stream(to: &mut TcpStream) -> io::Result<()> {
    to.write_all(b"0\r\n\r\n")
}

/// Whether the client has closed the connection.
pub fn has_left(client: &TcpStream) -> bool {
    let looked = client.set_nonblocking(true).and_then(|()| client.peek(&mut [0]));
    let left = match looked {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => e.kind() != io::ErrorKind::WouldBlock,
    };
    client.set_nonblocking(false).is_err() || left
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.by_ref().take(LONGEST_HEAD).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn append(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if length > LONGEST_BODY - body.len() as u64 {
        return Err(bad("the body is too long"));
    }
    let read = from.by_ref().take(length).read_to_end(body)?;
    if (read as u64) < length { Err(bad("the body is cut off")) } else { Ok(()) }
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
