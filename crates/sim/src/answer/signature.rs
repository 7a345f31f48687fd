//! Signatures of reasoning: only the family that made one takes it back.

use super::{Answer, Block};
use crate::seed::{self, ALPHANUMERIC, Rng};

/// Marks the reasoning of an answer as this provider's.
pub(crate) fn sign(answer: &mut Answer, provider: &str) {
    for block in &mut answer.blocks {
        if let Block::Thought { signature, .. } = block {
            signature.replace_range(..MARK.min(signature.len()), &mark(provider));
        }
    }
}

/// Whether the models of this provider made the signature.
pub(crate) fn is_of(signature: &str, provider: &str) -> bool {
    signature.starts_with(&mark(provider))
}

/// Characters that tell the maker.
const MARK: usize = 12;

fn mark(provider: &str) -> String {
    Rng::new(seed::mix(0, provider.as_bytes())).text(ALPHANUMERIC, MARK)
}
