//! Which migrations a database still needs, and whether this version may use it at all.
//!
//! Migrations only add (expand); what nobody reads any more goes in a later release (contract). So
//! the version before and the version after work on one database, and a rolling upgrade needs no
//! pause. The first line of a migration says which schema is the oldest whose binaries still work
//! after it: `-- oldest: 1`.

use aws_lc_rs::digest;
use bedplate_core::ports::StoreError;

/// One file under `migrations/`.
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    pub(crate) fn checksum(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, self.sql.as_bytes()))
    }

    /// The oldest schema whose binaries work after this migration; without a word, only its own.
    pub(crate) fn oldest(&self) -> i64 {
        let first = self.sql.lines().next().unwrap_or_default();
        let said = first.strip_prefix("-- oldest:").and_then(|n| n.trim().parse().ok());
        said.unwrap_or(self.version)
    }
}

/// What a database says about itself: a row of `bedplate_schema`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Applied {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) checksum: String,
    pub(crate) oldest: i64,
}

impl From<(i64, String, String, i64)> for Applied {
    fn from((version, name, checksum, oldest): (i64, String, String, i64)) -> Self {
        Self { version, name, checksum, oldest }
    }
}

/// The table that remembers. The same words for every database.
pub(crate) const HISTORY: &str = "CREATE TABLE IF NOT EXISTS bedplate_schema (\
     version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, oldest BIGINT NOT NULL, \
     applied_at BIGINT NOT NULL)";
pub(crate) const APPLIED: &str =
    "SELECT version, name, checksum, oldest FROM bedplate_schema ORDER BY version";
pub(crate) const REMEMBER: &str =
    "INSERT INTO bedplate_schema (version, name, checksum, oldest, applied_at) VALUES ($1, $2, $3, $4, $5)";

/// The migrations that are missing, in order.
///
/// # Errors
/// [`StoreError::Corrupt`] when a migration was changed after it had been applied, or when a newer
/// version has changed the schema in a way that this one does not understand.
pub(crate) fn missing<'a>(
    known: &'a [Migration],
    applied: &[Applied],
) -> Result<Vec<&'a Migration>, StoreError> {
    let newest = known.last().map_or(0, |m| m.version);
    for row in applied {
        match known.iter().find(|m| m.version == row.version) {
            Some(m) if m.checksum() == row.checksum => {}
            Some(m) => {
                return Err(StoreError::Corrupt(format!(
                    "migration {} `{}` is not the one that this version knows as `{}`: its checksum differs",
                    row.version, row.name, m.name
                )));
            }
            None if row.version > newest && row.oldest <= newest => {}
            None => {
                return Err(StoreError::Corrupt(format!(
                    "its schema is at {} `{}`, which needs bedplate with schema {} or later; this one has {newest}",
                    row.version, row.name, row.oldest
                )));
            }
        }
    }
    Ok(known.iter().filter(|m| applied.iter().all(|a| a.version != m.version)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Migration; 2] = [
        Migration { version: 1, name: "one", sql: "-- oldest: 1\nCREATE TABLE a (x);" },
        Migration { version: 2, name: "two", sql: "CREATE TABLE b (x);" },
    ];

    fn applied(version: i64, oldest: i64) -> Applied {
        let checksum = KNOWN.iter().find(|m| m.version == version).map(Migration::checksum);
        Applied { version, name: "n".into(), checksum: checksum.unwrap_or_default(), oldest }
    }

    #[test]
    fn what_is_missing_comes_in_order() {
        let all: Vec<_> = missing(&KNOWN, &[]).unwrap().iter().map(|m| m.version).collect();
        assert_eq!(all, [1, 2]);
        let rest: Vec<_> = missing(&KNOWN, &[applied(1, 1)]).unwrap().iter().map(|m| m.version).collect();
        assert_eq!(rest, [2]);
    }

    #[test]
    fn a_changed_migration_is_refused() {
        let mut row = applied(1, 1);
        row.checksum = "0".into();
        let said = missing(&KNOWN, &[row]).err().unwrap().to_string();
        assert!(said.contains("its checksum differs"), "{said}");
    }

    #[test]
    fn a_newer_schema_is_taken_when_it_says_so() {
        let both = [applied(1, 1), applied(2, 2)];
        assert!(missing(&KNOWN, &[&both[..], &[applied(3, 2)]].concat()).unwrap().is_empty());
        let said = missing(&KNOWN, &[&both[..], &[applied(3, 3)]].concat()).err().unwrap().to_string();
        assert!(said.contains("needs bedplate with schema 3 or later; this one has 2"), "{said}");
    }

    #[test]
    fn the_oldest_is_on_the_first_line() {
        assert_eq!((KNOWN[0].oldest(), KNOWN[1].oldest()), (1, 2));
    }
}
