//! Leaf types of configuration: `"30s"`, `"1MiB"`, `{ env = "NAME" }`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// A length of time: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    pub const fn millis(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }

    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
}

const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        number_and_unit(s, &SPANS).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(|| {
            format!("not a length of time: `{s}`; write a whole number and ms, s, m, h or d: `30s`")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, scale) =
            SPANS.into_iter().find(|(_, scale)| ms != 0 && ms % scale == 0).unwrap_or(("ms", 1));
        write!(f, "{}{unit}", ms / scale)
    }
}

/// A number of bytes: a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        number_and_unit(s, &SIZES).map(Self).ok_or_else(|| {
            format!("not a size: `{s}`; write a whole number and B, KiB, MiB, GiB, KB, MB or GB: `1MiB`")
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = SIZES
            .into_iter()
            .find(|(_, scale)| self.0 != 0 && self.0.is_multiple_of(*scale))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / scale)
    }
}

fn number_and_unit(s: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = s.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = s.split_at(digits);
    let scale = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(scale)
}

macro_rules! text_setting {
    ($name:ident, $schema:literal, $pattern:literal, $example:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

text_setting!(Span, "Span", "^[0-9]+(ms|s|m|h|d)$", "30s");
text_setting!(Size, "Size", "^[0-9]+(B|KiB|MiB|GiB|KB|MB|GB)$", "1MiB");

/// Where a secret is found. Secrets never stand in a configuration file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretRef {
    /// The name of an environment variable.
    Env(String),
    /// A file; one newline at its end is left out.
    File(PathBuf),
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// Says which variable or file is missing, empty or unreadable.
    #[expect(clippy::disallowed_methods, reason = "secrets by reference: the home of env::var for secrets")]
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set"))?
            }
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|e| format!("the secret file `{}` cannot be read: {e}", path.display()))?,
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if text.is_empty() {
            return Err(format!("the secret at `{self}` is empty"));
        }
        Ok(Secret::new(text))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_read_and_print() {
        assert_eq!("30s".parse::<Span>().unwrap().0, Duration::from_secs(30));
        assert_eq!("1500ms".parse::<Span>().unwrap().to_string(), "1500ms");
        assert_eq!("60s".parse::<Span>().unwrap().to_string(), "1m");
        assert_eq!("25MB".parse::<Size>().unwrap().0, 25_000_000);
        assert_eq!("64KiB".parse::<Size>().unwrap().to_string(), "64KiB");
        assert_eq!(Span::millis(0).to_string(), "0ms");
        for bad in ["", "s", "1.5s", "-1s", "10", "10 s", "99999999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert!("1mib".parse::<Size>().is_err());
    }

    #[test]
    fn a_missing_secret_is_named() {
        let e = SecretRef::Env("BEDPLATE_NO_SUCH_VARIABLE".into()).read().unwrap_err();
        assert!(e.contains("`BEDPLATE_NO_SUCH_VARIABLE`"), "{e}");
    }
}
