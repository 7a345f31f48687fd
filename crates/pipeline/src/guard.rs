//! May it go in. No guard is configured in this version: `check` refuses a configuration that asks
//! for one, so nothing is let through that somebody believes to be screened.

use crate::compose::Composed;

/// A call that may go to a provider. Only [`clear`] makes one.
pub(crate) struct Cleared(pub(crate) Composed);

pub(crate) fn clear(composed: Composed) -> Cleared {
    Cleared(composed)
}
