//! A file that grows by whole gzip members and is then moved to its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bedplate_core::clock::{Tick, Timestamp};
use bedplate_core::ids::{self, Ids};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::invocation_log::record::NO_ACCOUNT;
use crate::lines::is_at;

/// Where files grow, beneath the folder.
pub(crate) const OPEN: &str = ".open";
pub(crate) const PART: &str = "part";

/// The names of a file while it grows and afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    account: String,
    region: String,
    /// `20261122T120003250Z`
    stamp: String,
    id: String,
}

impl Place {
    pub(crate) fn new(account: &str, region: &str, now: Timestamp, ids: &dyn Ids) -> Self {
        let t = now.utc();
        let stamp = format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        );
        Self {
            account: plain(if account.is_empty() { NO_ACCOUNT } else { account }),
            region: plain(region),
            stamp,
            id: ids::text(ids, b"0123456789abcdef", 16),
        }
    }

    /// Reads the name of a file that grew.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".part")?.split('_').map(str::to_owned);
        let place =
            Self { account: parts.next()?, region: parts.next()?, stamp: parts.next()?, id: parts.next()? };
        let stamp = place.stamp.as_bytes();
        let dated = stamp.len() == 19
            && stamp[..8].iter().all(u8::is_ascii_digit)
            && stamp[9..11].iter().all(u8::is_ascii_digit);
        (dated && parts.next().is_none()).then_some(place)
    }

    pub(crate) fn growing(&self, folder: &Path) -> PathBuf {
        let name = format!("{}_{}_{}_{}.{PART}", self.account, self.region, self.stamp, self.id);
        folder.join(OPEN).join(name)
    }

    pub(crate) fn grown(&self, folder: &Path) -> PathBuf {
        let at = &self.stamp;
        let (year, month, day, hour) = (&at[..4], &at[4..6], &at[6..8], &at[9..11]);
        folder
            .join(format!("AWSLogs/{}/BedrockModelInvocationLogs/{}", self.account, self.region))
            .join(format!("{year}/{month}/{day}/{hour}/{at}_{}.json.gz", self.id))
    }
}

/// Letters, digits and `-` only: nothing that means something in a path or splits the name.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect()
}

/// A file that grows. It is locked as long as this process lives.
pub(crate) struct Growing {
    place: Place,
    path: PathBuf,
    file: File,
    /// Up to here it holds whole members.
    len: u64,
    pub(crate) records: u64,
    pub(crate) began: Tick,
}

impl Growing {
    pub(crate) fn open(folder: &Path, place: Place, now: Tick) -> io::Result<Self> {
        match fs::create_dir(folder.join(OPEN)) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let path = place.growing(folder);
        // locked before it has the name by which another process would look for it
        let opening = path.with_extension("opening");
        let file = OpenOptions::new().write(true).create_new(true).open(&opening)?;
        file.lock()?;
        fs::rename(&opening, &path)?;
        Ok(Self { place, path, file, len: 0, records: 0, began: now })
    }

    /// Whether the file still has its name: a removed one takes writes without complaint.
    pub(crate) fn is_there(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Adds one member, whole or not at all.
    pub(crate) fn add(&mut self, text: &[u8], records: u64) -> io::Result<()> {
        let mut member = GzEncoder::new(Vec::with_capacity(text.len() / 4 + 64), Compression::fast());
        member.write_all(text)?;
        let member = member.finish()?;
        if let Err(e) = self.file.write_all(&member) {
            // half a member would spoil those that come after it
            self.file.set_len(self.len)?;
            io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.len))?;
            return Err(e);
        }
        self.len += member.len() as u64;
        self.records += records;
        Ok(())
    }

    /// Moves the file to its place.
    pub(crate) fn finish(&self, folder: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        put(folder, &self.path, &self.place)
    }
}

/// Moves a grown file to its place.
pub(crate) fn put(folder: &Path, path: &Path, place: &Place) -> io::Result<()> {
    let grown = place.grown(folder);
    if let Some(parent) = grown.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::rename(path, grown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_core::ids::SystemIds;

    #[test]
    fn names_read_back_and_stay_in_the_folder() {
        let now = Timestamp::parse("2026-11-22T12:00:03.25Z").unwrap();
        let place = Place::new("", "us-east-1", now, &*SystemIds::shared());
        let path = place.growing(Path::new("f"));
        assert_eq!(Place::parse(path.file_name().unwrap().to_str().unwrap()), Some(place.clone()));
        let grown = place.grown(Path::new("f")).display().to_string();
        let start =
            "f/AWSLogs/000000000000/BedrockModelInvocationLogs/us-east-1/2026/11/22/12/20261122T120003250Z_";
        assert!(grown.starts_with(start) && grown.ends_with(".json.gz"), "{grown}");
        let odd = Place::new("../..", "a_b/c", now, &*SystemIds::shared());
        assert!(odd.growing(Path::new("f")).starts_with("f/.open"));
        assert_eq!((&*odd.account, &*odd.region), ("-----", "a-b-c"));
        assert_eq!(Place::parse("notes.txt"), None);
        assert_eq!(Place::parse("a_b_2026_c.part"), None);
    }
}
