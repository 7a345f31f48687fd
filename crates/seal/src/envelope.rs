//! Sealing and opening; the format is in the crate's documentation.

use std::ops::Range;

use aws_lc_rs::aead::{Aad, Nonce};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use bedplate_core::ids::Ids;
use zeroize::Zeroizing;

use crate::master::{MasterKey, MasterKeyId, aes, derive};

const VERSION: u8 = 1;
const LOCAL: u8 = 1;
const HEAD: usize = 10;
const WRAP_NONCE: Range<usize> = 10..22;
const WRAPPED: Range<usize> = 22..70;
const COMMITMENT: Range<usize> = 70..102;
const NONCE: Range<usize> = 102..114;
const CONTENT: usize = 114;
const TAG: usize = 16;

/// Why an envelope does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("not a sealed envelope: {0} bytes are too few")]
    TooShort(usize),
    #[error("the envelope has format {version}.{wrapping}, which this version of bedplate cannot read")]
    UnknownFormat { version: u8, wrapping: u8 },
    #[error("the envelope was sealed under master key {needed}, and this is master key {have}")]
    OtherKey { needed: MasterKeyId, have: MasterKeyId },
    /// It was changed, or it does not belong where it was found.
    #[error("the envelope is damaged, or does not belong here")]
    Damaged,
}

impl MasterKey {
    /// Seals `plain`. The envelope opens only with the same `associated` bytes: name there what the
    /// envelope belongs to.
    pub fn seal(&self, ids: &dyn Ids, associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut data_key = Zeroizing::new([0; 32]);
        ids.fill(&mut *data_key);

        let mut out = Vec::with_capacity(CONTENT + plain.len() + TAG);
        out.extend([VERSION, LOCAL]);
        out.extend(self.id().0);
        let nonce = random(ids);
        let mut wrapped = Zeroizing::new(data_key.to_vec());
        let tag =
            self.wrapping.seal_in_place_separate_tag(unique(nonce), Aad::from(&out[..HEAD]), &mut wrapped);
        out.extend(nonce);
        out.extend(&*wrapped);
        out.extend(tag.unwrap_or_else(|_| impossible()).as_ref());
        out.extend(commitment(&data_key));

        let nonce = random(ids);
        let bound = [&out[..], associated].concat();
        out.extend(nonce);
        out.extend(plain);
        let (_, content) = out.split_at_mut(CONTENT);
        let tag = content_key(&data_key).seal_in_place_separate_tag(unique(nonce), Aad::from(bound), content);
        out.extend(tag.unwrap_or_else(|_| impossible()).as_ref());
        out
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`SealError::OtherKey`] names the master key that is needed; anything changed in the envelope
    /// or in `associated` is [`SealError::Damaged`].
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let needed = MasterKeyId::of_envelope(sealed)?;
        if needed != self.id() {
            return Err(SealError::OtherKey { needed, have: self.id() });
        }
        let data_key = self.unwrap(sealed)?;
        verify_slices_are_equal(&commitment(&data_key), &sealed[COMMITMENT])
            .map_err(|_| SealError::Damaged)?;

        let bound = [&sealed[..COMMITMENT.end], associated].concat();
        let mut content = Zeroizing::new(sealed[CONTENT..].to_vec());
        let n = content_key(&data_key)
            .open_in_place(nonce(sealed, NONCE)?, Aad::from(bound), &mut content)
            .map_err(|_| SealError::Damaged)?
            .len();
        content.truncate(n);
        Ok(content)
    }

    fn unwrap(&self, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let mut wrapped = Zeroizing::new(sealed[WRAPPED].to_vec());
        let plain = self
            .wrapping
            .open_in_place(nonce(sealed, WRAP_NONCE)?, Aad::from(&sealed[..HEAD]), &mut wrapped)
            .map_err(|_| SealError::Damaged)?;
        let mut data_key = Zeroizing::new([0; 32]);
        data_key.copy_from_slice(plain);
        Ok(data_key)
    }
}

impl MasterKeyId {
    /// The master key that an envelope needs.
    ///
    /// # Errors
    /// When it is no envelope, or of a format this version does not know.
    pub fn of_envelope(sealed: &[u8]) -> Result<Self, SealError> {
        if sealed.len() < CONTENT + TAG {
            return Err(SealError::TooShort(sealed.len()));
        }
        if sealed[..2] != [VERSION, LOCAL] {
            return Err(SealError::UnknownFormat { version: sealed[0], wrapping: sealed[1] });
        }
        let mut id = [0; 8];
        id.copy_from_slice(&sealed[2..HEAD]);
        Ok(Self(id))
    }
}

fn commitment(data_key: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    derive(data_key, b"bedplate seal 1 commitment", &mut out);
    out
}

fn content_key(data_key: &[u8; 32]) -> aws_lc_rs::aead::LessSafeKey {
    let mut key = Zeroizing::new([0; 32]);
    derive(data_key, b"bedplate seal 1 content", &mut *key);
    aes(&key)
}

fn random(ids: &dyn Ids) -> [u8; 12] {
    let mut nonce = [0; 12];
    ids.fill(&mut nonce);
    nonce
}

fn unique(nonce: [u8; 12]) -> Nonce {
    Nonce::assume_unique_for_key(nonce)
}

fn nonce(sealed: &[u8], at: Range<usize>) -> Result<Nonce, SealError> {
    Nonce::try_assume_unique_for_key(&sealed[at]).map_err(|_| SealError::Damaged)
}

/// AES-GCM refuses only contents above 64 GiB, which no `Vec` of ours reaches; writing them in the
/// clear instead is not an answer.
fn impossible<T>() -> T {
    std::process::abort()
}
