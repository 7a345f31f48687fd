//! What a process that was killed left behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::invocation_log::file::{OPEN, PART, Place, put};

/// Moves every leftover file to its place, as far as it is whole. Files that a living process holds
/// are left alone.
pub(crate) fn salvage(folder: &Path) {
    // nothing was ever written here, or it cannot be read now: what is written next will say so
    let Ok(entries) = fs::read_dir(folder.join(OPEN)) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|e| e == PART) {
            let name = path.display();
            match one(folder, &path) {
                Ok(Some(0)) => tracing::info!("the invocation log file `{name}` was empty and is removed"),
                Ok(Some(bytes)) => {
                    tracing::info!("the invocation log file `{name}` is salvaged: {bytes} bytes")
                }
                Ok(None) => {}
                Err(e) => tracing::warn!("the invocation log file `{name}` cannot be salvaged: {e}"),
            }
        }
    }
}

/// How many bytes were whole; `None` when the file belongs to a living process.
fn one(folder: &Path, path: &Path) -> io::Result<Option<u64>> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let place =
        Place::parse(name).ok_or_else(|| io::Error::other("its name does not say where it belongs"))?;
    let whole = whole_members(&file)?;
    if whole == 0 {
        fs::remove_file(path)?;
    } else {
        file.set_len(whole)?;
        put(folder, path, &place)?;
    }
    Ok(Some(whole))
}

/// The length of the whole gzip members that a file begins with.
fn whole_members(mut file: &File) -> io::Result<u64> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let mut member = GzDecoder::new(rest);
        if io::copy(&mut member, &mut io::sink()).is_err() {
            break;
        }
        rest = member.into_inner();
    }
    Ok((bytes.len() - rest.len()) as u64)
}
