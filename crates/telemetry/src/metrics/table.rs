//! Counters by three names and a number, found without allocation and without a lock of its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Three label values and a number for what is an enum or a status.
pub(crate) type Names = ([Arc<str>; 3], u32);

/// Rows of one thread. `C` is what is counted in a row.
pub(crate) struct Table<C> {
    state: RandomState,
    rows: Vec<(Names, C)>,
    /// By hash of the names; compared in full when found.
    index: HashMap<u64, usize, BuildHasherDefault<AsIs>>,
    limit: usize,
}

impl<C: Default> Table<C> {
    /// A table of at most `limit` rows, and one more for each number that comes later.
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: RandomState::default(), rows: Vec::new(), index: HashMap::default(), limit }
    }

    /// The place of the row of exactly these names.
    pub(crate) fn find(&self, names: [&str; 3], number: u32) -> Option<usize> {
        let at = *self.index.get(&self.hash(names, number))?;
        let of = &self.rows[at].0;
        (of.1 == number && texts(&of.0) == names).then_some(at)
    }

    /// The counts at a place.
    pub(crate) fn at(&mut self, at: usize) -> &mut C {
        &mut self.rows[at].1
    }

    /// The place of the row of the values that are shown for some names, made when it is new. When
    /// the table is full all three are `other`.
    pub(crate) fn shown(&mut self, shown: [Arc<str>; 3], number: u32, other: &Arc<str>) -> usize {
        if let Some(at) = self.find(texts(&shown), number) {
            return at;
        }
        let others = [other, other, other].map(Arc::clone);
        let names = if self.rows.len() < self.limit { shown } else { others };
        if let Some(at) = self.find(texts(&names), number) {
            return at;
        }
        self.index.insert(self.hash(texts(&names), number), self.rows.len());
        self.rows.push(((names, number), C::default()));
        self.rows.len() - 1
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &(Names, C)> {
        self.rows.iter()
    }

    fn hash(&self, names: [&str; 3], number: u32) -> u64 {
        self.state.hash_one((names, number))
    }
}

fn texts(names: &[Arc<str>; 3]) -> [&str; 3] {
    [&names[0], &names[1], &names[2]]
}

/// The keys of the index are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_counts_the_rest_together() {
        let mut table: Table<u64> = Table::new(2);
        let other: Arc<str> = "other".into();
        let names = |a: &str| [Arc::from(a), Arc::from("t"), Arc::from("f")];
        for model in ["a", "b", "c", "d", "a"] {
            let found = table.find([model, "t", "f"], 7);
            let at = found.unwrap_or_else(|| table.shown(names(model), 7, &other));
            *table.at(at) += 1;
        }
        let counted: Vec<_> = table.rows().map(|((names, _), n)| (names[0].to_string(), *n)).collect();
        assert_eq!(counted, [("a".into(), 2), ("b".into(), 1), ("other".into(), 2)]);
        assert!(table.find(["a", "t", "f"], 8).is_none());
    }
}
