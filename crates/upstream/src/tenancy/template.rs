//! Text with a caller's names in it.

use bedplate_core::principal::Principal;
use bedplate_wire::sigv4::{BodyDigest, hex};

use super::members;

/// `{team}@{environment}`, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    /// The place in [`MEMBERS`].
    Member(usize),
}

/// In the order of [`members`].
const MEMBERS: [&str; 4] = ["team", "feature", "environment", "key"];

impl Template {
    /// # Errors
    /// Says what cannot be read.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').ok_or_else(|| format!("`{text}` has a `{{` without its `}}`"))?;
            let member = MEMBERS.iter().position(|member| *member == name).ok_or_else(|| match name {
                "user" | "chain" | "call" => format!(
                    "`{{{name}}}` is the caller's to choose, and AWS would take a session for each: there are `{{team}}`, \
                     `{{feature}}`, `{{environment}}` and `{{key}}`"
                ),
                _ => format!("there is no `{{{name}}}`, but `{{team}}`, `{{feature}}`, `{{environment}}` and `{{key}}`"),
            })?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Member(member));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Which of [`MEMBERS`] it uses.
    pub(crate) fn uses(&self) -> [bool; 4] {
        std::array::from_fn(|n| self.0.contains(&Part::Member(n)))
    }

    pub(crate) fn fill(&self, who: &Principal) -> String {
        let names = members(who);
        self.0.iter().fold(String::new(), |mut out, part| {
            out.push_str(match part {
                Part::Text(text) => text,
                Part::Member(n) => names.get(*n).copied().unwrap_or_default(),
            });
            out
        })
    }
}

/// What AWS takes as a role session name.
pub(crate) fn session_name(raw: &str) -> String {
    fitted(raw, 2, 64, |c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

/// What AWS takes as the value of a session tag.
pub(crate) fn tag_value(raw: &str) -> String {
    fitted(raw, 0, 256, tag_character)
}

pub(crate) fn tag_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)
}

/// The text itself when it fits; else what fits of it, and a hash of all of it, so that two texts stay two.
fn fitted(raw: &str, least: usize, most: usize, allowed: impl Fn(char) -> bool) -> String {
    let count = raw.chars().count();
    if (least..=most).contains(&count) && raw.chars().all(&allowed) {
        return raw.to_owned();
    }
    const HASH: usize = 10;
    let mut out: String =
        raw.chars().take(most - HASH - 1).map(|c| if allowed(c) { c } else { '-' }).collect();
    out.push('-');
    out.extend(hex(BodyDigest::of(raw.as_bytes()).bytes()).chars().take(HASH));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_core::key::KeyId;

    fn who(team: &str, environment: &str) -> Principal {
        Principal {
            key: KeyId("key_1".into()),
            team: team.into(),
            feature: "triage".into(),
            environment: environment.into(),
            risk_profile: "".into(),
        }
    }

    #[test]
    fn names_are_filled_in() {
        let fill = |text| Template::read(text).map(|t| t.fill(&who("payments", "prod")));
        assert_eq!(fill("{team}@{environment}"), Ok("payments@prod".into()));
        assert_eq!(fill("gw-{feature}{key}!"), Ok("gw-triagekey_1!".into()));
        assert_eq!(fill("plain"), Ok("plain".into()));
        assert_eq!(Template::read("{key}x{team}").unwrap().uses(), [true, false, false, true]);
        for bad in ["{team", "{Team}", "{}", "{user}", "{chain}@{team}"] {
            assert!(Template::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_aws_does_not_take_is_replaced_and_stays_apart() {
        assert_eq!(session_name("payments@prod"), "payments@prod");
        let (a, b) = (session_name("a/b"), session_name("a-b"));
        assert!(a.starts_with("a-b-") && a != b && b == "a-b", "{a} {b}");
        let long = |end: &str| session_name(&format!("{}{end}", "x".repeat(80)));
        assert_eq!(long("1").len(), 64);
        assert_ne!(long("1"), long("2"));
        assert_eq!(long("1"), long("1"));
        for short in ["", "a", "é"] {
            let name = session_name(short);
            assert!((2..=64).contains(&name.len()), "{name}");
        }
        assert_eq!(tag_value(""), "");
        assert_eq!(tag_value("a/b c"), "a/b c");
        assert_eq!(tag_value(&"y".repeat(300)).len(), 256);
    }
}
