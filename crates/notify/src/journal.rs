//! The journal: what is on its way and what was sent, so that a restart loses no notice and repeats none.
//!
//! One file of JSON lines, written behind and made anew when most of it is past. Half a line at its end is what
//! a crash leaves; it is passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ids::{self, Ids};
use bedplate_core::notice::{Notice, NoticeId};
use serde::{Deserialize, Serialize};

use crate::lines;
use crate::once::Once;

/// How many keys are remembered, and how long: longer than the longest period a key can stand for.
const KEYS: (usize, Duration) = (10_000, Duration::from_secs(400 * 86_400));
/// Lines that are past, at least, before the file is made anew.
const PAST: usize = 1_000;

/// A notice on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// When it was taken.
    pub(crate) at: Timestamp,
    pub(crate) notice: Arc<Notice>,
    /// Targets that do not have it yet.
    pub(crate) to: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Who claims keys here, also after a restart.
    Owner(String),
    Taken(Taken),
    /// A target has a notice, or it is a dead letter.
    Done {
        id: NoticeId,
        target: String,
    },
    /// A notice of this key was sent, here or elsewhere.
    Key {
        key: String,
        at: Timestamp,
    },
}

pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    owner: String,
    keys: BTreeMap<String, Timestamp>,
    /// With the order in which they came.
    pending: BTreeMap<NoticeId, (u64, Taken)>,
    next: u64,
    /// Lines in the file.
    lines: usize,
    /// A line may have been written half.
    torn: bool,
    said: Once,
}

impl Journal {
    /// Reads `journal.jsonl` in `folder`, and makes it anew with what is not past.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn open(folder: &Path, ids: &dyn Ids, now: Timestamp) -> io::Result<Self> {
        let path = folder.join("journal.jsonl");
        let text = lines::read(&path)?;
        let mut journal = Self {
            file: lines::appender(&path)?,
            path,
            owner: ids::text(ids, b"abcdefghijklmnopqrstuvwxyz0123456789", 16),
            keys: BTreeMap::new(),
            pending: BTreeMap::new(),
            next: 0,
            lines: 0,
            torn: false,
            said: Once::default(),
        };
        journal.read(&text)?;
        journal.keys.retain(|_, at| at.plus(KEYS.1) >= now);
        journal.rewrite()?;
        Ok(journal)
    }

    /// Lines that another version wrote are kept apart: they may be notices.
    fn read(&mut self, text: &str) -> io::Result<()> {
        let mut strange = 0;
        for line in text.split_inclusive('\n') {
            match serde_json::from_str(line) {
                Ok(line) => self.apply(line),
                // half of the last one is what a crash leaves
                Err(_) => strange += usize::from(line.ends_with('\n') && !line.trim().is_empty()),
            }
        }
        if strange > 0 {
            let aside = self.path.with_extension("unread");
            lines::replace(&aside, text)?;
            let aside = aside.display();
            tracing::warn!(
                "{strange} lines of the journal of notices cannot be read; all is kept in `{aside}`"
            );
        }
        Ok(())
    }

    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// What is on its way, as it came.
    pub(crate) fn pending(&self) -> Vec<Taken> {
        let mut pending: Vec<_> = self.pending.values().collect();
        pending.sort_by_key(|(n, _)| *n);
        pending.into_iter().map(|(_, taken)| taken.clone()).collect()
    }

    pub(crate) fn knows(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Remembers that another sends what `key` stands for.
    pub(crate) fn key(&mut self, key: &str, at: Timestamp) {
        self.write(vec![Line::Key { key: key.to_owned(), at }], false);
        self.forget();
    }

    /// Remembers notices and their keys; they are on the disk when this returns.
    pub(crate) fn take(&mut self, taken: Vec<Taken>) {
        if !taken.is_empty() {
            self.write(taken.into_iter().map(Line::Taken).collect(), true);
            self.forget();
        }
    }

    pub(crate) fn done(&mut self, id: &NoticeId, target: &str) {
        self.write(vec![Line::Done { id: id.clone(), target: target.to_owned() }], false);
    }

    /// What cannot be written is still known until the process ends, and is written with what comes next.
    fn write(&mut self, lines: Vec<Line>, sync: bool) {
        let text: io::Result<String> = lines.iter().map(lines::line).collect();
        self.lines += lines.len();
        lines.into_iter().for_each(|line| self.apply(line));
        let past = self.lines.saturating_sub(1 + self.keys.len() + self.pending.len());
        let written = if self.torn || past > PAST.max(self.lines / 2) {
            self.rewrite()
        } else {
            text.and_then(|text| self.file.write_all(text.as_bytes()))
        };
        let written = written.and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        self.torn = written.is_err();
        match written {
            Ok(()) => self.said.well(|| "the journal of notices is written again".into()),
            Err(e) => {
                let path = self.path.display();
                self.said.ill(|| format!("a restart will forget notices: `{path}` cannot be written: {e}"));
            }
        }
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Owner(owner) => self.owner = owner,
            Line::Taken(taken) => {
                if let Some(key) = &taken.notice.dedup {
                    self.keys.insert(key.clone(), taken.at);
                }
                self.pending.insert(taken.notice.id.clone(), (self.next, taken));
                self.next += 1;
            }
            Line::Done { id, target } => {
                if let Some((_, taken)) = self.pending.get_mut(&id) {
                    taken.to.retain(|name| *name != target);
                    if taken.to.is_empty() {
                        self.pending.remove(&id);
                    }
                }
            }
            Line::Key { key, at } => {
                self.keys.insert(key, at);
            }
        }
    }

    /// When there are too many, old keys go.
    fn forget(&mut self) {
        let (most, _) = KEYS;
        if self.keys.len() > most {
            let mut times: Vec<Timestamp> = self.keys.values().copied().collect();
            times.sort_unstable();
            // a tenth at once: not for every key anew
            let oldest = times[self.keys.len() - most + most / 10];
            self.keys.retain(|_, at| *at > oldest);
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let keys = self.keys.iter().map(|(key, at)| Line::Key { key: key.clone(), at: *at });
        let pending = self.pending().into_iter().map(Line::Taken);
        let all: Vec<Line> =
            [Line::Owner(self.owner.clone())].into_iter().chain(keys).chain(pending).collect();
        let text: io::Result<String> = all.iter().map(lines::line).collect();
        lines::replace(&self.path, &text?)?;
        self.file = lines::appender(&self.path)?;
        self.lines = all.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bedplate_core::notice::{Kind, Severity};
    use bedplate_testkit::SeededIds;

    use super::*;

    fn taken(ids: &dyn Ids, secs: i64, key: Option<&str>, to: &[&str]) -> Taken {
        let at = Timestamp::from_secs(secs);
        let mut notice = Notice::new(ids, at, Kind::Budget, Severity::Info, "s");
        notice.dedup = key.map(str::to_owned);
        Taken { at, notice: Arc::new(notice), to: to.iter().map(|&name| name.to_owned()).collect() }
    }

    fn open(folder: &Path, seed: u64) -> Journal {
        Journal::open(folder, &SeededIds::new(seed), Timestamp::from_secs(100)).unwrap()
    }

    #[test]
    fn what_is_not_done_comes_back_and_keys_stay() {
        let folder = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let mut journal = open(folder.path(), 2);
        let owner = journal.owner().to_owned();
        let both = [taken(&ids, 9, Some("k"), &["a", "b"]), taken(&ids, 5, None, &["a"])];
        journal.take(both.to_vec());
        journal.done(&both[0].notice.id, "a");
        journal.key("elsewhere", Timestamp::from_secs(6));
        drop(journal);
        let mut journal = open(folder.path(), 3);
        assert_eq!(journal.owner(), owner);
        assert!(journal.knows("k") && journal.knows("elsewhere") && !journal.knows("other"));
        let left = Taken { to: vec!["b".into()], ..both[0].clone() };
        assert_eq!(journal.pending(), [left, both[1].clone()]);
        journal.done(&both[0].notice.id, "b");
        journal.done(&both[1].notice.id, "a");
        journal.done(&both[1].notice.id, "a");
        drop(journal);
        let journal = open(folder.path(), 4);
        assert!(journal.pending().is_empty() && journal.knows("k"));
    }

    #[test]
    fn every_beginning_of_the_file_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let mut journal = open(folder.path(), 2);
        journal.take(vec![taken(&ids, 9, Some("k"), &["a"])]);
        journal.take(vec![taken(&ids, 10, None, &["a"])]);
        drop(journal);
        let path = folder.path().join("journal.jsonl");
        let whole = std::fs::read(&path).unwrap();
        let mut seen = [0; 3];
        // every end of a line, and a good part of what lies between
        for n in (0..=whole.len()).filter(|n| n % 7 == 0 || whole[..*n].ends_with(b"\n")) {
            std::fs::write(&path, &whole[..n]).unwrap();
            let mut journal = open(folder.path(), 5);
            let pending = journal.pending().len();
            seen[pending] += 1;
            journal.take(vec![taken(&ids, 11, None, &["b"])]);
            drop(journal);
            assert_eq!(open(folder.path(), 6).pending().len(), pending + 1);
        }
        assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
    }

    #[test]
    fn what_another_version_wrote_is_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = open(folder.path(), 2);
        journal.take(vec![taken(&SeededIds::new(1), 9, None, &["a"])]);
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap() + "{\"taken\":{\"at\":1,\"notice\":{}}}\n{\"ow";
        std::fs::write(&path, &text).unwrap();
        assert_eq!(open(folder.path(), 3).pending().len(), 1);
        assert_eq!(std::fs::read_to_string(path.with_extension("unread")).unwrap(), text);
        std::fs::remove_file(path.with_extension("unread")).unwrap();
        assert_eq!(open(folder.path(), 4).pending().len(), 1);
        assert!(!path.with_extension("unread").exists());
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let mut journal = open(folder.path(), 2);
        let stays = taken(&ids, 1, Some("k"), &["gone"]);
        journal.take(vec![stays.clone()]);
        for _ in 0..100 {
            let batch: Vec<Taken> = (0..30).map(|n| taken(&ids, n, None, &["a"])).collect();
            journal.take(batch.clone());
            batch.iter().for_each(|taken| journal.done(&taken.notice.id, "a"));
        }
        let size = std::fs::metadata(folder.path().join("journal.jsonl")).unwrap().len();
        assert!(size < 400_000, "{size}");
        drop(journal);
        assert_eq!(open(folder.path(), 3).pending(), [stays]);
    }

    #[test]
    fn old_keys_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path(), 2);
        for n in 0..10_500 {
            journal.key(&format!("k{n}"), Timestamp::from_secs(n));
        }
        assert!(!journal.knows("k0") && journal.knows("k10499") && journal.knows("k2000"));
        assert!(journal.keys.len() <= KEYS.0);
        drop(journal);
        let later = Timestamp::from_secs(10_000).plus(KEYS.1);
        let journal = Journal::open(folder.path(), &SeededIds::new(3), later).unwrap();
        assert!(!journal.knows("k9999") && journal.knows("k10000"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_memory_of_the_restart_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ids = SeededIds::new(1);
        let mut journal = open(folder.path(), 2);
        // a file that is full for ever
        journal.file = File::options().write(true).open("/dev/full").unwrap();
        journal.take(vec![taken(&ids, 1, Some("k"), &["a"])]);
        assert!(journal.knows("k") && journal.torn);
        journal.take(vec![taken(&ids, 2, None, &["a"])]);
        assert!(!journal.torn);
        drop(journal);
        assert_eq!(open(folder.path(), 3).pending().len(), 2);
    }
}
