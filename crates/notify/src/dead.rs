//! Dead letters: notices that were given up, one JSON line each, until an operator sends them again.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bedplate_core::clock::Timestamp;
use bedplate_core::notice::{Notice, NoticeId};
use serde::{Deserialize, Serialize};

use crate::lines;

/// Bytes that dead letters may take.
pub const LARGEST: u64 = 16 << 20;

/// A notice that one target did not get.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// When it was given up.
    pub at: Timestamp,
    pub target: String,
    pub tries: u32,
    /// What the last try came to.
    pub why: String,
    pub notice: Notice,
}

/// The file `dead.jsonl`, which a running bedplate and commands share.
#[derive(Debug)]
pub struct DeadLetters {
    path: PathBuf,
    largest: u64,
}

impl DeadLetters {
    /// Those in the folder of notices, which need not be there.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("dead.jsonl"), largest: LARGEST }
    }

    /// Adds one.
    ///
    /// # Errors
    /// When the file cannot be written, or has [`LARGEST`] bytes.
    pub fn add(&self, letter: &DeadLetter) -> io::Result<()> {
        let _mine = self.lock("lock")?;
        let line = lines::line(letter)?;
        let mut file = lines::appender(&self.path)?;
        if file.metadata()?.len() + line.len() as u64 > self.largest {
            return Err(io::Error::other(format!("dead letters have {} bytes already", self.largest)));
        }
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn list(&self) -> io::Result<Vec<DeadLetter>> {
        let text = lines::read(&self.path)?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Takes out what was delivered after all; what cannot be read stays. Gives how many are gone.
    ///
    /// # Errors
    /// When the file cannot be read or written; it is as it was then.
    pub fn remove(&self, delivered: &[(NoticeId, String)]) -> io::Result<usize> {
        let _mine = self.lock("lock")?;
        let text = lines::read(&self.path)?;
        let gone = |line: &&str| {
            serde_json::from_str::<DeadLetter>(line).is_ok_and(|letter| {
                delivered.iter().any(|(id, target)| *id == letter.notice.id && *target == letter.target)
            })
        };
        let (gone, kept): (Vec<&str>, Vec<&str>) = text.lines().partition(gone);
        if !gone.is_empty() {
            let kept: String = kept.into_iter().flat_map(|line| [line, "\n"]).collect();
            lines::replace(&self.path, &kept)?;
        }
        Ok(gone.len())
    }

    /// Keeps other commands from sending the same letters, until it is dropped; `None` when one does now.
    ///
    /// # Errors
    /// When there can be no lock.
    pub fn try_retry(&self) -> io::Result<Option<File>> {
        let file = self.open("retry")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }

    /// A file of its own: the letters' file is replaced as a whole.
    fn lock(&self, kind: &str) -> io::Result<File> {
        let file = self.open(kind)?;
        file.lock()?;
        Ok(file)
    }

    fn open(&self, kind: &str) -> io::Result<File> {
        let path = self.path.with_extension(kind);
        File::options().create(true).write(true).truncate(false).mode(0o600).open(path)
    }
}

#[cfg(test)]
mod tests {
    use bedplate_core::ids::SystemIds;
    use bedplate_core::notice::{Kind, Severity};

    use super::*;

    fn letter(target: &str) -> DeadLetter {
        let ids = SystemIds::shared();
        let notice = Notice::new(&*ids, Timestamp::from_secs(7), Kind::Budget, Severity::Warning, "one\ntwo");
        DeadLetter {
            at: Timestamp::from_secs(9),
            target: target.into(),
            tries: 3,
            why: "gone".into(),
            notice,
        }
    }

    #[test]
    fn letters_are_kept_until_they_are_delivered() {
        let folder = tempfile::tempdir().unwrap();
        let dead = DeadLetters::of(folder.path());
        assert_eq!(dead.list().unwrap(), []);
        let letters = [letter("a"), letter("b"), letter("a")];
        letters.iter().for_each(|letter| dead.add(letter).unwrap());
        assert_eq!(dead.list().unwrap(), letters);
        let first = (letters[0].notice.id.clone(), "a".to_owned());
        assert_eq!(dead.remove(&[first.clone(), (letters[1].notice.id.clone(), "a".into())]).unwrap(), 1);
        assert_eq!(dead.remove(&[first]).unwrap(), 0);
        assert_eq!(dead.list().unwrap(), letters[1..]);
    }

    #[test]
    fn half_a_line_harms_no_other_and_is_not_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let dead = DeadLetters::of(folder.path());
        let letters = [letter("a"), letter("b")];
        dead.add(&letters[0]).unwrap();
        File::options().append(true).open(&dead.path).unwrap().write_all(b"{\"at\":12,\"tar\xff").unwrap();
        dead.add(&letters[1]).unwrap();
        assert_eq!(dead.list().unwrap(), letters);
        assert_eq!(dead.remove(&[(letters[0].notice.id.clone(), "a".into())]).unwrap(), 1);
        assert_eq!(dead.list().unwrap(), letters[1..]);
        assert!(lines::read(&dead.path).unwrap().starts_with("{\"at\":12,"));
    }

    #[test]
    fn they_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = DeadLetters::of(folder.path());
        dead.largest = 1_000;
        let added = (0..100).take_while(|_| dead.add(&letter("a")).is_ok()).count();
        assert!((2..10).contains(&added), "{added}");
        assert_eq!(dead.list().unwrap().len(), added);
    }

    #[test]
    fn one_command_retries_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let dead = DeadLetters::of(folder.path());
        let first = dead.try_retry().unwrap();
        assert!(first.is_some() && dead.try_retry().unwrap().is_none());
        dead.add(&letter("a")).unwrap();
        drop(first);
        assert!(dead.try_retry().unwrap().is_some());
    }
}
