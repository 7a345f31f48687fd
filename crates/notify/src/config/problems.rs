//! What is wrong with a target although it could be parsed.

use http::Uri;
use lettre::message::Mailbox;

use super::{Config, Kind, SmtpTls};

/// Whether this build has AWS's client.
const SNS: bool = cfg!(feature = "sns");

impl Kind {
    /// The keys that mean something to it, and whether it needs them.
    fn keys(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Webhook => &[("url", true), ("secret", true), ("headers", false), ("ca_file", false)],
            Self::Slack => &[("url_from", true), ("ca_file", false)],
            Self::Sns => &[("topic", true), ("profile", false), ("role_arn", false), ("endpoint", false)],
            Self::Smtp => &[
                ("host", true),
                ("from", true),
                ("to", true),
                ("port", false),
                ("tls", false),
                ("user", false),
                ("password", false),
                ("ca_file", false),
            ],
            Self::Log => &[],
        }
    }
}

impl Config {
    /// What is wrong, each with the key that it is about.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        self.problems_of(SNS)
    }

    fn problems_of(&self, sns: bool) -> Vec<(&'static str, String)> {
        let mut found = Found { name: &self.name, problems: Vec::new() };
        let plain = self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if self.name.is_empty() || !plain {
            found.add("name", "is not letters, digits, `-` and `_`");
        }
        if self.kind == Kind::Sns && !sns {
            found.add("kind", "this bedplate was built without it: build it with `--features sns`");
        }
        self.keys(&mut found);
        self.places(&mut found);
        self.mail(&mut found);
        for (name, _) in self.headers.iter().filter(|(name, _)| is_ours(name)) {
            found.add("headers", &format!("`{name}` is set by bedplate itself, or no name of a header"));
        }
        for (key, zero) in [
            ("timeout", self.timeout.0.is_zero()),
            ("deadline", self.deadline.0.is_zero()),
            ("queue", self.queue == 0),
        ] {
            if zero {
                found.add(key, "must be more than nothing");
            }
        }
        found.problems
    }

    /// Keys that are missing, and those of another kind.
    fn keys(&self, found: &mut Found<'_>) {
        let known = self.kind.keys();
        for (key, set) in self.given() {
            match known.iter().find(|(name, _)| *name == key) {
                Some((_, true)) if !set => {
                    found.add(key, &format!("is needed by a target of kind `{}`", self.kind.name()));
                }
                None if set => {
                    found.add(key, &format!("means nothing to a target of kind `{}`", self.kind.name()));
                }
                _ => {}
            }
        }
    }

    fn given(&self) -> [(&'static str, bool); 15] {
        [
            ("url", self.url.is_some()),
            ("secret", self.secret.is_some()),
            ("headers", !self.headers.is_empty()),
            ("url_from", self.url_from.is_some()),
            ("topic", self.topic.is_some()),
            ("profile", self.profile.is_some()),
            ("role_arn", self.role_arn.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("tls", self.tls.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("from", self.from.is_some()),
            ("to", !self.to.is_empty()),
        ]
    }

    fn places(&self, found: &mut Found<'_>) {
        if self.ca_file.is_some() && !self.kind.keys().iter().any(|(key, _)| *key == "ca_file") {
            found.add("ca_file", &format!("means nothing to a target of kind `{}`", self.kind.name()));
        }
        for (key, url) in [("url", &self.url), ("endpoint", &self.endpoint)] {
            if let Some(Err(why)) = url.as_deref().map(address) {
                found.add(key, why);
            }
        }
        if self.topic.as_deref().is_some_and(|topic| region(topic).is_none()) {
            found.add("topic", "is not the ARN of a topic: `arn:aws:sns:us-east-1:123456789012:name`");
        }
    }

    fn mail(&self, found: &mut Found<'_>) {
        if let Some(host) =
            self.host.as_ref().filter(|host| host.is_empty() || host.contains([':', '/', ' ']))
        {
            found.add("host", &format!("`{host}` is not the name or address of a server"));
        }
        let not_mail = |address: &String| address.parse::<Mailbox>().is_err();
        for (key, address) in self.from.iter().map(|a| ("from", a)).chain(self.to.iter().map(|a| ("to", a))) {
            if not_mail(address) {
                found.add(key, &format!("`{address}` is not a mail address"));
            }
        }
        if self.kind == Kind::Smtp && self.user.is_some() != self.password.is_some() {
            found.add("user", "and `password` go together");
        }
        if self.tls == Some(SmtpTls::Off) && self.password.is_some() {
            found.add("tls", "must not be off where a password is sent");
        }
    }
}

/// Reads the URL of a receiver.
///
/// # Errors
/// Says what is wrong, without the URL: it may be a secret.
pub(crate) fn address(url: &str) -> Result<Uri, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "is not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err("is not a URL that begins with `https://` or `http://`, and names a host");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("must not hold a login: set `headers = { authorization = { env = \"NAME\" } }`");
    }
    Ok(uri)
}

/// The region in the ARN of an SNS topic.
pub(crate) fn region(topic: &str) -> Option<&str> {
    match topic.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && !name.is_empty() =>
        {
            Some(region)
        }
        _ => None,
    }
}

/// Headers that say what and how much is sent, and those that are none.
fn is_ours(name: &str) -> bool {
    let ours = ["content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent"];
    http::HeaderName::try_from(name)
        .map_or(true, |name| ours.contains(&name.as_str()) || name.as_str().starts_with("webhook-"))
}

struct Found<'a> {
    name: &'a str,
    problems: Vec<(&'static str, String)>,
}

impl Found<'_> {
    fn add(&mut self, key: &'static str, said: &str) {
        self.problems.push((key, format!("`[[notify]] {key}` of `{}`: {said}", self.name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[track_caller]
    fn keys(text: &str, expected: &[&str]) {
        let found = read(text).problems_of(true);
        assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), expected, "{found:#?}");
    }

    const SMTP: &str = "name = 'm'\nkind = 'smtp'\nhost = 'mail.example'\nfrom = 'B <b@example.com>'\nto = ['o@example.com']\n";

    #[test]
    fn good_targets_have_no_problems() {
        keys("name = 'a'\nkind = 'log'\non = ['budget']\nseverity = 'warning'", &[]);
        keys("name = 'a'\nkind = 'webhook'\nurl = 'https://h.example/x'\nsecret = { env = 'S' }", &[]);
        keys("name = 'a'\nkind = 'slack'\nurl_from = { env = 'S' }\nca_file = 'x'", &[]);
        keys("name = 'a'\nkind = 'sns'\ntopic = 'arn:aws:sns:us-east-1:123456789012:t.fifo'", &[]);
        keys(SMTP, &[]);
        keys(&format!("{SMTP}tls = 'implicit'\nuser = 'u'\npassword = {{ env = 'P' }}"), &[]);
    }

    #[test]
    fn what_is_missing_or_means_nothing_is_said() {
        keys("name = 'a b'\nkind = 'webhook'", &["name", "url", "secret"]);
        keys("name = 'a'\nkind = 'slack'\nurl = 'https://h.example'", &["url", "url_from"]);
        keys("name = 'a'\nkind = 'sns'\ntopic = 'orders'\nca_file = 'x'", &["ca_file", "topic"]);
        keys("name = 'a'\nkind = 'smtp'", &["host", "from", "to"]);
        keys(
            "name = 'a'\nkind = 'log'\nto = ['x@y.example']\nqueue = 0\ntimeout = '0s'",
            &["to", "timeout", "queue"],
        );
    }

    #[test]
    fn addresses_that_cannot_be_reached_or_hold_logins_are_said() {
        for url in ["h.example", "ftp://h.example", "https://", "https://u:p@h.example", "https://h example"]
        {
            let text = format!("name = 'a'\nkind = 'webhook'\nsecret = {{ env = 'S' }}\nurl = '{url}'");
            keys(&text, &["url"]);
            assert!(!read(&text).problems()[0].1.contains("u:p"));
        }
        keys(&SMTP.replace("mail.example", "smtp://mail.example"), &["host"]);
        keys(&SMTP.replace("o@example.com", "nobody"), &["to"]);
        keys(&format!("{SMTP}user = 'u'"), &["user"]);
        keys(&format!("{SMTP}user = 'u'\npassword = {{ env = 'P' }}\ntls = 'off'"), &["tls"]);
        let webhook = "name = 'a'\nkind = 'webhook'\nurl = 'https://h.example'\nsecret = { env = 'S' }\n";
        for header in ["webhook-id", "Content-Type", "a b"] {
            keys(&format!("{webhook}headers = {{ '{header}' = {{ env = 'H' }} }}"), &["headers"]);
        }
    }

    #[test]
    fn a_build_without_sns_says_how_to_get_it() {
        let text = "name = 'a'\nkind = 'sns'\ntopic = 'arn:aws:sns:us-east-1:123456789012:t'";
        let found = read(text).problems_of(false);
        assert!(found.len() == 1 && found[0].1.contains("--features sns"), "{found:?}");
        assert_eq!(read(text).problems().is_empty(), cfg!(feature = "sns"));
    }
}
