//! Where a slice lies in its table.

use std::borrow::Cow;

use bedplate_core::budget::{NodeId, Window};

use crate::rows::bounded;

/// The key of a slice; in the order of the table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) budget: Cow<'a, str>,
    pub(crate) whose: Cow<'a, str>,
    pub(crate) starts: i64,
    pub(crate) node: Cow<'a, str>,
}

impl<'a> Place<'a> {
    pub(crate) fn of(window: &'a Window, node: &'a NodeId) -> Self {
        Self {
            budget: bounded(&window.account.budget.0),
            whose: bounded(&window.account.of),
            starts: window.starts.0,
            node: bounded(&node.0),
        }
    }
}
