//! Bounded label values: what a caller writes must not grow the registry without end.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// The value that stands for all beyond the limit.
pub(crate) const OTHER: &str = "other";
/// The value that stands for an empty one; Prometheus takes an empty label for a missing one.
pub(crate) const NONE: &str = "none";

/// The values of one label, first come first served.
pub(crate) struct Label {
    limit: usize,
    seen: RwLock<HashMap<Arc<str>, ()>>,
    other: Arc<str>,
    none: Arc<str>,
}

impl Label {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, seen: RwLock::default(), other: OTHER.into(), none: NONE.into() }
    }

    /// The value to show for `value`. A new one is taken in when `may_admit` and there is room.
    pub(crate) fn value(&self, value: &str, may_admit: bool) -> Arc<str> {
        if value.is_empty() {
            return Arc::clone(&self.none);
        }
        if let Some((seen, ())) = self.seen.read().get_key_value(value) {
            return Arc::clone(seen);
        }
        if !may_admit {
            return Arc::clone(&self.other);
        }
        let mut seen = self.seen.write();
        if let Some((seen, ())) = seen.get_key_value(value) {
            return Arc::clone(seen);
        }
        if seen.len() >= self.limit {
            return Arc::clone(&self.other);
        }
        let value: Arc<str> = value.into();
        seen.insert(Arc::clone(&value), ());
        value
    }

    pub(crate) fn other(&self) -> Arc<str> {
        Arc::clone(&self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_stands_other() {
        let label = Label::new(2);
        assert_eq!(&*label.value("a", false), "other", "not yet known");
        assert_eq!(&*label.value("a", true), "a");
        assert_eq!(&*label.value("b", true), "b");
        assert_eq!(&*label.value("c", true), "other");
        assert_eq!(&*label.value("a", false), "a");
        assert_eq!(&*label.value("", false), "none");
    }
}
