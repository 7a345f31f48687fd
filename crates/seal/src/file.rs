//! The master key's file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::ids::{self, Ids};
use zeroize::Zeroizing;

use crate::master::MasterKey;

const HEADER: &str = "bedplate master key 1";
const MOST: u64 = 4_096;

/// A master key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the master key file `{}` {why}", path.display())]
pub struct KeyFileError {
    pub path: PathBuf,
    pub why: String,
}

impl KeyFileError {
    fn new(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }

    pub(crate) fn missing(path: &Path) -> Self {
        Self::new(path, "does not exist")
    }
}

/// The key in a file; `None` when there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<MasterKey>, KeyFileError> {
    let unreadable = |e: io::Error| KeyFileError::new(path, format!("cannot be read: {e}"));
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!("can be used by others than its owner (mode {mode:04o}): run `chmod 600` on it");
        return Err(KeyFileError::new(path, why));
    }
    let mut text = Zeroizing::new(String::new());
    (&mut file).take(MOST).read_to_string(&mut text).map_err(unreadable)?;
    parse(&text).map(Some).map_err(|why| KeyFileError::new(path, why))
}

/// Puts `key` at `path` unless a file is there by now; gives the key that the file holds.
pub(crate) fn create(path: &Path, key: &MasterKey, ids: &dyn Ids) -> Result<MasterKey, KeyFileError> {
    let failed = |e: io::Error| KeyFileError::new(path, format!("cannot be made: {e}"));
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let suffix = ids::text(ids, b"abcdefghijklmnopqrstuvwxyz", 8);
    let beside = folder.join(format!(".master-key-{suffix}.new"));
    let put = put(&beside, key).and_then(|()| fs::hard_link(&beside, path));
    // the link is the whole file or nothing; whoever comes second keeps the first one's key
    let removed = fs::remove_file(&beside);
    match put {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => removed.and_then(|()| File::open(folder)?.sync_all()).map_err(failed)?,
    }
    read(path)?.ok_or_else(|| KeyFileError::missing(path))
}

fn put(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text(key).as_bytes())?;
    file.sync_all()
}

fn text(key: &MasterKey) -> Zeroizing<String> {
    let secret = Zeroizing::new(STANDARD.encode(key.secret()));
    Zeroizing::new(format!("{HEADER}\nkind local\nid {}\nkey {}\n", key.id(), *secret))
}

fn parse(text: &str) -> Result<MasterKey, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(format!("does not begin with the line `{HEADER}`"));
    }
    let mut line = |name: &str| {
        let found = lines.next().and_then(|l| l.strip_prefix(name)?.strip_prefix(' '));
        found.ok_or_else(|| format!("is damaged: the line `{name} …` is not where it belongs"))
    };
    match line("kind")? {
        "local" => {}
        other => {
            return Err(format!("holds a key of kind `{other}`, which this version of bedplate cannot use"));
        }
    }
    let id = line("id")?;
    let bytes =
        Zeroizing::new(STANDARD.decode(line("key")?).map_err(|_| "is damaged: the key is not base64")?);
    let mut secret = Zeroizing::new([0; 32]);
    if bytes.len() != secret.len() {
        return Err(format!("is damaged: the key has {} bytes, not 32", bytes.len()));
    }
    secret.copy_from_slice(&bytes);
    let key = MasterKey::of(secret);
    match key.id().to_string() == id {
        true => Ok(key),
        false => Err(format!("is damaged: it says key {id} and holds key {}", key.id())),
    }
}
