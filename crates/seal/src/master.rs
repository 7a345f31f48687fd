//! The key that wraps all others.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use bedplate_core::ids::Ids;
use zeroize::Zeroizing;

use crate::file::{self, KeyFileError};

/// A master key in memory; wiped when dropped.
pub struct MasterKey {
    id: MasterKeyId,
    secret: Zeroizing<[u8; 32]>,
    pub(crate) wrapping: LessSafeKey,
}

/// Names a master key without telling anything about it; shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MasterKeyId(pub(crate) [u8; 8]);

impl MasterKey {
    /// Reads the key file, or makes one with a fresh key. Two processes that start at once end up
    /// with one key.
    ///
    /// # Errors
    /// When the file can be read by others than its owner, is damaged, or cannot be read or made.
    pub fn load_or_create(path: &Path, ids: &dyn Ids) -> Result<Self, KeyFileError> {
        match file::read(path)? {
            Some(key) => Ok(key),
            None => file::create(path, &Self::generate(ids), ids),
        }
    }

    /// Reads the key file.
    ///
    /// # Errors
    /// As [`MasterKey::load_or_create`], and when there is no such file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        file::read(path)?.ok_or_else(|| KeyFileError::missing(path))
    }

    /// A fresh key that stands in no file.
    pub fn generate(ids: &dyn Ids) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        ids.fill(&mut *secret);
        Self::of(secret)
    }

    pub fn id(&self) -> MasterKeyId {
        self.id
    }

    pub(crate) fn of(secret: Zeroizing<[u8; 32]>) -> Self {
        let mut id = [0; 8];
        derive(&*secret, b"bedplate seal 1 id", &mut id);
        let mut wrapping = Zeroizing::new([0; 32]);
        derive(&*secret, b"bedplate seal 1 wrap", &mut *wrapping);
        Self { id: MasterKeyId(id), secret, wrapping: aes(&wrapping) }
    }

    /// A key of its own for one purpose: what is sealed under it wears out neither this key nor those of other
    /// purposes.
    pub fn child(&self, purpose: &str) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        derive(&*self.secret, &[b"bedplate seal 1 child ", purpose.as_bytes()].concat(), &mut *secret);
        Self::of(secret)
    }

    /// A name for `bytes` that nobody without this key can find out or check.
    pub fn name(&self, bytes: &[u8]) -> [u8; 32] {
        let mut key = Zeroizing::new([0; 32]);
        derive(&*self.secret, b"bedplate seal 1 name", &mut *key);
        let mut name = [0; 32];
        name.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), bytes).as_ref());
        name
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

/// HKDF-SHA-256 without salt, filling `out`.
pub(crate) fn derive(secret: &[u8], info: &[u8], out: &mut [u8]) {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let filled = Salt::new(HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[info], Length(out.len()))
        .and_then(|okm| okm.fill(out));
    // fails only for outputs above 255 × 32 bytes; going on with zeroes would be a known key
    if filled.is_err() {
        std::process::abort();
    }
}

pub(crate) fn aes(key: &[u8; 32]) -> LessSafeKey {
    match UnboundKey::new(&AES_256_GCM, key) {
        Ok(key) => LessSafeKey::new(key),
        // fails only for keys that are not 32 bytes long
        Err(_) => std::process::abort(),
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}
