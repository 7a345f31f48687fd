//! Envelopes and key files.
#![allow(clippy::unwrap_used, reason = "tests")]

mod child;
mod envelope;
mod key_file;

use bedplate_seal::MasterKey;
use bedplate_testkit::SeededIds;

fn key(seed: u64) -> MasterKey {
    MasterKey::generate(&SeededIds::new(seed))
}
