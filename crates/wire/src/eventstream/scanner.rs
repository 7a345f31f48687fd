//! From chunks as they arrive to whole frames.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::Frame;

/// The most bytes a frame may have: 24 MiB of payload, 128 KiB of headers, and the frame around them.
pub const MAX_FRAME: usize = 24 * 1024 * 1024 + 128 * 1024 + 16;

const PRELUDE: usize = 12;
const MAX_HEADERS: usize = 128 * 1024;

/// Why bytes are no event stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// The checksum of a frame's first eight bytes is wrong.
    PreludeChecksum,
    /// The checksum of a whole frame is wrong.
    MessageChecksum,
    /// A frame says it is longer than any may be, or shorter than its own parts.
    Length { total: u32, headers: u32 },
    /// A frame's headers cannot be read.
    Headers,
    /// The stream ended inside a frame; so many bytes of it came.
    Truncated { left: usize },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PreludeChecksum => f.write_str("a frame's prelude has a wrong checksum"),
            Self::MessageChecksum => f.write_str("a frame has a wrong checksum"),
            Self::Length { total, headers } => {
                write!(f, "a frame of {total} bytes with {headers} bytes of headers is impossible")
            }
            Self::Headers => f.write_str("a frame's headers cannot be read"),
            Self::Truncated { left } => write!(f, "the stream ended inside a frame, {left} bytes into it"),
        }
    }
}

impl std::error::Error for Damage {}

/// Cuts a stream into frames. Memory: the chunk last fed, and at most one frame that began in an
/// earlier one.
///
/// After [`Scanner::feed`] call [`Scanner::next_frame`] until it gives `None`.
pub struct Scanner {
    check: bool,
    /// Not yet looked at; whole frames are cut off it without copying.
    chunk: Bytes,
    /// A frame that began in an earlier chunk.
    partial: BytesMut,
    damage: Option<Damage>,
}

impl Scanner {
    /// With `check` the checksum of every whole frame is verified; that of its prelude always is.
    pub fn new(check: bool) -> Self {
        Self { check, chunk: Bytes::new(), partial: BytesMut::new(), damage: None }
    }

    pub fn feed(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            // fed twice without being emptied
            let mut both = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Damage`]; the scanner stays damaged, as nothing says where the next frame begins.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Damage> {
        match self.damage {
            Some(damage) => Err(damage),
            None => self.cut().inspect_err(|damage| self.damage = Some(*damage)),
        }
    }

    /// To be asked when the stream has ended and every frame was taken.
    ///
    /// # Errors
    /// [`Damage::Truncated`] when bytes are left over, or the damage met before.
    pub fn finish(&self) -> Result<(), Damage> {
        match (self.damage, self.partial.len() + self.chunk.len()) {
            (Some(damage), _) => Err(damage),
            (None, 0) => Ok(()),
            (None, left) => Err(Damage::Truncated { left }),
        }
    }

    fn cut(&mut self) -> Result<Option<Frame>, Damage> {
        if self.partial.is_empty() {
            if let Some(total) = length(&self.chunk)?
                && total <= self.chunk.len()
            {
                return Frame::read(self.chunk.split_to(total), self.check).map(Some);
            }
            self.take(self.chunk.len());
            return Ok(None);
        }
        if self.partial.len() < PRELUDE {
            self.take(PRELUDE - self.partial.len());
        }
        let Some(total) = length(&self.partial)? else { return Ok(None) };
        self.take(total - self.partial.len());
        if self.partial.len() < total {
            return Ok(None);
        }
        Frame::read(self.partial.split().freeze(), self.check).map(Some)
    }

    /// Moves up to `n` bytes from the chunk to the partial frame.
    fn take(&mut self, n: usize) {
        let n = n.min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(n));
    }
}

/// A frame's length, from its prelude; `None` when the prelude is not whole.
fn length(bytes: &[u8]) -> Result<Option<usize>, Damage> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else { return Ok(None) };
    let [a, b, c, d, e, f, g, h, crc @ ..] = *prelude;
    if crc32fast::hash(&prelude[..8]) != u32::from_be_bytes(crc) {
        return Err(Damage::PreludeChecksum);
    }
    let (total, headers) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    let (t, n) = (total as usize, headers as usize);
    if t > MAX_FRAME || n > MAX_HEADERS || t < 16 + n {
        return Err(Damage::Length { total, headers });
    }
    Ok(Some(t))
}
