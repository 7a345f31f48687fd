//! An upstream that streams: ConverseStream as event-stream frames, each its own HTTP chunk and its own
//! write; Converse as a short constant answer.
//!
//!   upstream --listen 127.0.0.1:9100 [--chunks 50] [--delay-us 10000]
//!
//! Chunk i is due at `--delay-us` times i after the request was read, so that the schedule does not drift.

use std::sync::Arc;
use std::time::Duration;

use bedplate_bench::args::Args;
use bedplate_bench::frames::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

const ANSWER: &str = r#"{"metrics":{"latencyMs":123},"output":{"message":{"content":[{"text":"constant-answer"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":25,"outputTokens":60,"totalTokens":85}}"#;
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nx-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Script {
    chunks: Vec<Vec<u8>>,
    delay: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::of_process();
    let script = Arc::new(Script {
        chunks: events(args.or("--chunks", 50)?),
        delay: Duration::from_micros(args.or("--delay-us", 10_000)?),
    });
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(args.need("--listen")?)?;
    let listener = socket.listen(4096)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            // a client that goes away is no news
            let _ = serve(tcp, &script).await;
        });
    }
}

/// The chunks of one answer with `deltas` texts.
fn events(deltas: usize) -> Vec<Vec<u8>> {
    let mut frames = vec![frame("messageStart", r#"{"p":"abcd","role":"assistant"}"#)];
    for n in 0..deltas {
        let delta = format!(
            r#"{{"contentBlockIndex":0,"delta":{{"text":"streamed-token-{n:04} "}},"p":"abcdefgh"}}"#
        );
        frames.push(frame("contentBlockDelta", &delta));
    }
    frames.push(frame("contentBlockStop", r#"{"contentBlockIndex":0,"p":"ab"}"#));
    frames.push(frame("messageStop", r#"{"p":"abc","stopReason":"end_turn"}"#));
    let usage = format!(r#"{{"inputTokens":25,"outputTokens":{deltas},"totalTokens":{}}}"#, 25 + deltas);
    frames.push(frame("metadata", &format!(r#"{{"metrics":{{"latencyMs":123}},"p":"ab","usage":{usage}}}"#)));
    frames
        .into_iter()
        .map(|frame| [format!("{:x}\r\n", frame.len()).as_bytes(), &frame, b"\r\n"].concat())
        .collect()
}

async fn serve(mut tcp: TcpStream, script: &Script) -> std::io::Result<()> {
    let mut read = Vec::with_capacity(2048);
    loop {
        let Some(path) = request(&mut tcp, &mut read).await? else { return Ok(()) };
        let began = Instant::now();
        if path.ends_with("/converse-stream") {
            tcp.write_all(STREAM).await?;
            for (n, chunk) in script.chunks.iter().enumerate() {
                if !script.delay.is_zero() {
                    tokio::time::sleep_until(began + script.delay * n as u32).await;
                }
                tcp.write_all(chunk).await?;
            }
            tcp.write_all(b"0\r\n\r\n").await?;
        } else {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
            tcp.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len()).as_bytes())
                .await?;
        }
    }
}

/// Reads one request with a content length; gives its path, or nothing when the client is gone.
async fn request(tcp: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<Option<String>> {
    loop {
        if let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let whole = end + 4 + length.unwrap_or(0);
            while read.len() < whole {
                if tcp.read_buf(read).await? == 0 {
                    return Ok(None);
                }
            }
            read.drain(..whole);
            return Ok(head.split(' ').nth(1).map(str::to_owned));
        }
        if tcp.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}
