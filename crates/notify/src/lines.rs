//! Files of JSON lines that only their owner may read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

/// One line with its end.
///
/// # Errors
/// Never for the types of this crate.
pub(crate) fn line(value: &impl Serialize) -> io::Result<String> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    Ok(line)
}

/// Opens a file for what is added at its end. Half a line there, which a crash left behind, is ended.
pub(crate) fn appender(path: &Path) -> io::Result<File> {
    let mut file = File::options().create(true).append(true).mode(0o600).open(path)?;
    if !ends_whole(path)? {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Puts a whole new file into the place of another, or leaves that one as it is.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// The file's text; none when there is no file. Bytes that are no text become such that are no JSON.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(e),
    }
}

fn ends_whole(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
