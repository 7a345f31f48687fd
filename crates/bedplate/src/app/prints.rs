//! The files that a configuration stands in, by content: times say nothing when a file is copied, or a
//! link is turned to another folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bedplate_wire::sigv4::BodyDigest;

/// What each file held when it was looked at; `None` when it could not be read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Prints(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Prints {
    pub(super) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let print = |path: &Path| std::fs::read(path).ok().map(|content| *BodyDigest::of(&content).bytes());
        let print = |path: PathBuf| {
            let content = print(&path);
            (path, content)
        };
        Self(paths.into_iter().map(print).collect())
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same files as they are now. Off the runtime: a file may stand on a network.
    pub(super) async fn again(&self) -> Self {
        let paths: Vec<PathBuf> = self.0.keys().cloned().collect();
        let look = tokio::task::spawn_blocking(move || Self::of(paths));
        // only a runtime that ends drops a look
        look.await.unwrap_or_else(|_| self.clone())
    }

    /// Those of `paths` alone.
    pub(super) fn only<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Self {
        Self(paths.filter_map(|path| self.0.get_key_value(path)).map(|(p, d)| (p.clone(), *d)).collect())
    }

    /// Whether the file could be read.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.get(path).is_some_and(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        let look = || Prints::of([path.clone()]);
        let none = look();
        assert!(!none.has(&path));
        std::fs::write(&path, "a").unwrap();
        let first = look();
        assert_ne!(none, first);
        std::fs::File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(look(), first, "its time alone");
        std::fs::write(&path, "b").unwrap();
        std::fs::File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_ne!(look(), first, "the same size and time");
        assert_eq!(look().only(std::iter::empty()), Prints::default());
        assert_eq!(look().only([path.as_path()].into_iter()), look());
    }
}
