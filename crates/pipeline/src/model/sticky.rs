//! Which target a conversation stays on.
//!
//! Each has a home among the targets of an alias: that for which a hash of both, stretched by the target's weight, is
//! the largest. Every node finds the same one and none keeps a table; when a target comes or goes only conversations
//! that lived there, or will, move. Where a conversation was answered elsewhere, because its home could not, it stays
//! there while the prompt cache is warm: only that is remembered.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::Fingerprint;
use bedplate_core::clock::Tick;
use bedplate_core::principal::Principal;

use super::line::{Alias, Target};
use super::warm::Warm;
use crate::call::Call;

/// How an alias keeps conversations together.
pub(crate) struct Sticky {
    pub(crate) warm: Arc<Warm>,
    /// How long after the last call.
    pub(crate) lasts: Duration,
}

/// Stands for a conversation of one tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Conversation(pub(super) u64);

impl Conversation {
    /// By what the caller calls it, else by how it began; `None` when neither is known.
    pub(crate) fn of(call: &Call, who: &Principal) -> Option<Self> {
        let (kind, name) = match &call.tags.conversation {
            Some(name) => (&b"named"[..], Fingerprint::of("name", [name.as_bytes()])),
            None => (&b"opening"[..], call.body.view().opening()?),
        };
        let parts = [who.team.as_bytes(), who.environment.as_bytes(), kind, &name.bytes()[..]];
        Some(Self(short(Fingerprint::of("conversation 1", parts))))
    }
}

/// What a target is called by when conversations are shared out: the same on every node.
pub(super) fn seed(provider: &str, model: &str, tier: Option<&str>) -> u64 {
    let parts = [provider.as_bytes(), model.as_bytes(), tier.unwrap_or_default().as_bytes()];
    short(Fingerprint::of("target 1", parts))
}

fn short(print: Fingerprint) -> u64 {
    print.bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

impl Alias {
    /// Where a conversation goes among the targets at `among`: where it is kept, else the nearest to its home.
    pub(super) fn place_of(&self, whose: Conversation, among: &[usize], now: Tick) -> Option<usize> {
        let kept = self.sticky.as_ref().and_then(|sticky| sticky.warm.kept(whose, now));
        let is_kept = |at: &usize| self.targets.get(*at).is_some_and(|target| Some(target.seed) == kept);
        let kept = among.iter().position(is_kept);
        kept.or_else(|| {
            let pull = |at: &usize| self.targets.get(*at).map_or(0.0, |target| pull(whose, target));
            (0..among.len()).max_by(|a, b| pull(&among[*a]).total_cmp(&pull(&among[*b])))
        })
    }

    /// Whether a conversation is kept at a target.
    pub(super) fn stays_at(&self, whose: Conversation, at: usize, now: Tick) -> bool {
        let kept = self.sticky.as_ref().and_then(|sticky| sticky.warm.kept(whose, now));
        kept.is_some() && self.targets.get(at).map(|target| target.seed) == kept
    }

    /// A target has answered a conversation.
    pub(crate) fn answered(&self, whose: Conversation, by: &Target, fits: impl Fn(&str) -> bool, now: Tick) {
        let Some(sticky) = &self.sticky else { return };
        let reads: Vec<usize> = (0..self.targets.len()).filter(|at| fits(&self.targets[*at].model)).collect();
        let pulls = reads.iter().filter_map(|at| self.targets.get(*at));
        let home = pulls.max_by(|a, b| pull(whose, a).total_cmp(&pull(whose, b)));
        if home.is_none_or(|home| home.seed == by.seed) {
            sticky.warm.forget(whose, now);
        } else {
            sticky.warm.keep(whose, by.seed, now, sticky.lasts);
        }
    }
}

/// How strongly a target draws a conversation. The strongest draws as many of them as its weight is of all weights:
/// weighted rendezvous hashing, by `-weight / ln(u)`.
fn pull(whose: Conversation, target: &Target) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a hash, as a fraction")]
    let u = ((mixed(whose.0 ^ target.seed) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    match target.weight {
        // asked when no other is left, but in an order of its own
        0 => u - 1.0,
        weight => -f64::from(weight) / u.ln(),
    }
}

/// The finish of splitmix64, twice: every bit depends on every other.
fn mixed(mut z: u64) -> u64 {
    for _ in 0..2 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
    }
    z
}
