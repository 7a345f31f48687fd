//! Chance, for one call: which target, and how long to wait.

use bedplate_core::call::CallId;

/// Numbers that are as good as random, made of the random end of a call's id: a call in a test is the same again.
#[derive(Clone, Copy)]
pub(crate) struct Chances(u64);

impl Chances {
    pub(crate) fn of(id: CallId) -> Self {
        Self(u64::from_be_bytes(id.span()))
    }

    /// Others for the same call, so that what they decide does not hang together.
    pub(crate) fn beside(id: CallId) -> Self {
        Self(u64::from_be_bytes(id.span()).rotate_left(32) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Any number, each as likely as another.
    pub(crate) fn next(&mut self) -> u32 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX)
    }
}
