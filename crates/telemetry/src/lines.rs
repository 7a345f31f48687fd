//! Where lines go: a standard stream or a file that may be rotated away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A place for lines.
#[derive(Debug)]
pub(crate) enum Lines {
    /// They are delivered and stand nowhere else.
    Nowhere,
    Stdout,
    Stderr,
    File {
        path: PathBuf,
        open: Option<File>,
    },
}

impl Lines {
    /// A file to which lines are added; made when it is not there.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let open = Some(append(path)?);
        Ok(Self::File { path: path.to_owned(), open })
    }

    /// Writes whole lines.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(lines),
            Self::File { path, open } => {
                // a rotated file is left to whoever took it
                if !open.as_ref().is_some_and(|file| is_at(file, path)) {
                    *open = Some(append(path)?);
                }
                match open {
                    Some(file) => add(file, lines),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Adds lines, all or none: half a line on a full disk would spoil the one that comes after it.
fn add(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let mut rest = lines;
    while !rest.is_empty() {
        let failed = match file.write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(n) => {
                rest = &rest[n..];
                continue;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => e,
        };
        let added = (lines.len() - rest.len()) as u64;
        if added > 0 {
            // from the end: the file may have been cut by whoever rotates it
            file.set_len(file.metadata()?.len().saturating_sub(added))?;
        }
        return Err(failed);
    }
    Ok(())
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Whether `path` still names the open file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}
