//! A project: the directory with `bedplate.toml`, and its state in `.bedplate/`.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The project directory. Paths in the configuration are relative to it.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) dir: PathBuf,
}

impl Project {
    /// # Errors
    /// When there is no such directory.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        let dir = fs::canonicalize(dir).map_err(|e| {
            Failure::usage(format!("the project directory `{}` cannot be opened: {e}", dir.display()))
        })?;
        Ok(Self { dir })
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("bedplate.toml")
    }

    /// `.bedplate/`, made when it is not there; nobody else may look into it.
    pub(crate) fn state(&self) -> Result<PathBuf, Failure> {
        let state = self.dir.join(".bedplate");
        let make = || -> std::io::Result<()> {
            if !state.exists() {
                fs::create_dir_all(&state)?;
                fs::set_permissions(&state, fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        };
        make().map_err(|e| Failure::usage(format!("`{}` cannot be made: {e}", state.display())))?;
        Ok(state)
    }

    /// Takes the project for this process.
    ///
    /// # Errors
    /// Names the process that has it.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        let path = self.state()?.join("lock");
        let failed = |e: std::io::Error| Failure::usage(format!("the lock file `{}`: {e}", path.display()));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                let pid = text.lines().next().unwrap_or("unknown").to_owned();
                return Err(Failure::usage(format!(
                    "bedplate runs already in `{}`, as process {pid}",
                    self.dir.display()
                ))
                .hint(format!("Stop it with `kill {pid}`, or choose another directory with `--project`.")));
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let mut lock = Lock { file };
        lock.write(&format!("{}\n", std::process::id())).map_err(failed)?;
        Ok(lock)
    }

    /// What the process that holds the lock says of itself, if one does.
    pub(crate) fn running(&self) -> Option<String> {
        let path = self.dir.join(".bedplate/lock");
        let mut file = File::options().read(true).write(true).open(path).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).ok()?;
                Some(text)
            }
            _ => None,
        }
    }
}

/// Holds the project until it is dropped, or the process ends however it ends.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Replaces what others read in the lock file: the process id, then one JSON line about where it
    /// listens.
    pub(crate) fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.flush()
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let partial = path.with_extension("partial");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)
}
