//! Notices: what operators are told of while calls go on.
//!
//! A notice names things and numbers. It never holds content, and never a secret.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::BoxFuture;
use crate::clock::Timestamp;
use crate::ids::{self, Ids};
use crate::ports::StoreError;

/// Where notices go. Crate `notify` delivers them.
pub trait Notices: Send + Sync {
    /// Hands a notice over and returns at once, whatever becomes of it: one that finds no room is dropped,
    /// counted and said. May be called on the path of a call.
    fn notify(&self, notice: Notice);
}

/// What is shared by all nodes so that one of them alone sends a notice that each of them has.
pub trait Claims: Send + Sync {
    /// Whether `owner` is the one to send what `key` stands for: the first who asks, now and whenever it asks
    /// again. An owner outlives its process.
    ///
    /// # Errors
    /// When nobody can say; the notice is sent then.
    fn claim<'a>(&'a self, key: &'a str, owner: &'a str) -> BoxFuture<'a, Result<bool, StoreError>>;
}

/// Identifies a notice to those who receive it, however often it is sent: `ntc_` and 20 lower-case letters
/// and digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeId(pub String);

impl NoticeId {
    pub fn new(ids: &dyn Ids) -> Self {
        Self(format!("ntc_{}", ids::text(ids, b"abcdefghijklmnopqrstuvwxyz0123456789", 20)))
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that operators are told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    pub id: NoticeId,
    /// When it happened.
    pub at: Timestamp,
    pub kind: Kind,
    pub severity: Severity,
    /// One line: what happened, to what.
    pub subject: String,
    /// Sentences: what it means, what to do.
    #[serde(default)]
    pub text: String,
    /// Names and values for programs, each name once; names are lower-case letters and `_`.
    #[serde(default)]
    pub fields: Vec<(String, String)>,
    /// What this notice stands for: of those with the same key one is sent, by all nodes and over restarts.
    /// Without a key each is sent.
    #[serde(default)]
    pub dedup: Option<String>,
}

impl Notice {
    pub fn new(
        ids: &dyn Ids,
        at: Timestamp,
        kind: Kind,
        severity: Severity,
        subject: impl Into<String>,
    ) -> Self {
        Self {
            id: NoticeId::new(ids),
            at,
            kind,
            severity,
            subject: subject.into(),
            text: String::new(),
            fields: Vec::new(),
            dedup: None,
        }
    }

    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Adds a field; of one that is there already, the value is replaced.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.fields.retain(|(there, _)| there != name);
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    #[must_use]
    pub fn dedup(self, key: impl Into<String>) -> Self {
        Self { dedup: Some(key.into()), ..self }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $($(#[$of:meta])* $variant:ident = $word:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$of])* #[serde(rename = $word)] $variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As configuration, metrics and receivers read it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(s: &str) -> Result<Self, ()> {
                Self::ALL.iter().find(|it| it.name() == s).copied().ok_or(())
            }
        }
    };
}

words! {
    /// What a notice is about.
    Kind:
    /// A budget has reached a threshold.
    Budget = "budget",
    /// Somebody tries whether notices arrive; sent to the targets that are named, whatever these want.
    Test = "test",
}

words! {
    /// How much it matters.
    Severity:
    /// Good to know.
    Info = "info",
    /// Somebody should look.
    Warning = "warning",
    /// Calls are or will soon be refused.
    Critical = "critical",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    #[test]
    fn severities_are_ordered_and_words_read_back() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Critical);
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(*severity));
        }
        assert_eq!("budget".parse(), Ok(Kind::Budget));
        assert_eq!("Budget".parse::<Kind>(), Err(()));
    }

    #[test]
    fn a_field_stands_once() {
        let ids = SystemIds::shared();
        let notice = Notice::new(&*ids, Timestamp(0), Kind::Budget, Severity::Warning, "s")
            .field("spent", 1)
            .field("limit", 2)
            .field("spent", 3);
        assert_eq!(notice.fields, [("limit".into(), "2".into()), ("spent".into(), "3".to_owned())]);
        assert!(notice.id.0.starts_with("ntc_") && notice.id.0.len() == 24);
    }
}
