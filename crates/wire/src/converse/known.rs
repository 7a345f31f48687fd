//! Reading what the normal form models, and telling it from what it does not.

use std::fmt;

use bedplate_core::conversation::Member;

use crate::json::object::Bad;

/// Why something was not read.
pub(crate) enum Not {
    /// It is wrong.
    Bad(Bad),
    /// It says more than the form models: it is kept as it stood.
    Modelled,
}

impl Not {
    /// The same, deeper in a body.
    pub(crate) fn within(self, part: impl fmt::Display) -> Self {
        match self {
            Self::Bad(bad) => Self::Bad(bad.within(part)),
            Self::Modelled => Self::Modelled,
        }
    }
}

impl From<Bad> for Not {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

/// # Errors
/// When there are members beside those that the form models.
pub(crate) fn only(rest: &[Member<'_>]) -> Result<(), Not> {
    match rest.is_empty() {
        true => Ok(()),
        false => Err(Not::Modelled),
    }
}

/// # Errors
/// When a member is missing that must be there.
pub(crate) fn must<T>(found: Option<T>, name: &str) -> Result<T, Bad> {
    found.ok_or_else(|| Bad::value(name, "it is missing"))
}
