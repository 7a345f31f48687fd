//! Encryption at rest: the master key and the envelopes it seals.
//!
//! # The envelope, byte by byte
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 1 | how the data key is wrapped: 1 = AES-256-GCM under a local master key |
//! | 2 | 8 | master key id |
//! | 10 | 12 | nonce of the wrapping, random |
//! | 22 | 48 | the data key: 32 bytes encrypted, 16 bytes tag |
//! | 70 | 32 | commitment to the data key |
//! | 102 | 12 | nonce of the content, random |
//! | 114 | n + 16 | the content encrypted, 16 bytes tag |
//!
//! Every envelope has a data key of its own, 32 random bytes. From it two values are derived with
//! HKDF-SHA-256 (no salt): the content key (info `bedplate seal 1 content`) and the commitment (info
//! `bedplate seal 1 commitment`). The wrapping key is derived alike from the master key (info
//! `bedplate seal 1 wrap`), the master key id is the first 8 bytes of the derivation with info
//! `bedplate seal 1 id`: it says nothing about the key and changes when the key does.
//!
//! Associated data: the wrapping authenticates bytes 0–9; the content authenticates bytes 0–101, then
//! the caller's associated data, which is not stored. An envelope therefore opens only where it was
//! put: a key's secret moved to another row does not.
//!
//! AES-GCM does not commit to its key: without the commitment one ciphertext could be made that two
//! keys open to two contents. It is compared in constant time before the content is touched.
//!
//! Random 96-bit nonces under one key are safe up to 2³² messages; content keys are used once, and a
//! master key may wrap four thousand million data keys before it must be replaced.
//!
//! A child of a master key for one purpose is derived with info `bedplate seal 1 child PURPOSE` and is a master key
//! itself, with an id of its own; names are HMAC-SHA-256 under info `bedplate seal 1 name`.
//!
//! # The master key file
//!
//! ```text
//! bedplate master key 1
//! kind local
//! id 3f6c0a9be1d27745
//! key <32 bytes in base64>
//! ```
//!
//! The file must belong to its owner alone (mode 0600). Lose it, and nothing sealed under it can be
//! read again. Later kinds (a key held by AWS KMS) add lines of their own and a new second byte.

mod envelope;
mod file;
mod master;

pub use envelope::SealError;
pub use file::KeyFileError;
pub use master::{MasterKey, MasterKeyId};
