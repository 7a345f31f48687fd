//! `[[notify]]`: one target of notices.

mod problems;

pub(crate) use self::problems::address;
#[cfg(feature = "sns")]
pub(crate) use self::problems::region;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bedplate_core::notice::{self, Notice, Severity};
use bedplate_core::setting::{SecretRef, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A target of notices. With none they are lines of bedplate's own log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How logs, metrics and commands name it.
    pub name: String,
    pub kind: Kind,
    /// What it is told of; empty: everything.
    #[serde(default)]
    pub on: Vec<notice::Kind>,
    /// The least severity that it is told of.
    #[serde(default = "info")]
    pub severity: Severity,
    /// `webhook`: where to post.
    #[serde(default)]
    pub url: Option<String>,
    /// `webhook`: what signs; 24 bytes or more, `whsec_` and base64 or any other text.
    #[serde(default)]
    pub secret: Option<SecretRef>,
    /// `webhook`: more headers, such as `authorization`.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretRef>,
    /// `slack`: where the webhook's URL stands. Whoever has it may post, so it is a secret.
    #[serde(default)]
    pub url_from: Option<SecretRef>,
    /// `sns`: the ARN of the topic.
    #[serde(default)]
    pub topic: Option<String>,
    /// `sns`: a profile of the AWS configuration files; default: the standard credential chain.
    #[serde(default)]
    pub profile: Option<String>,
    /// `sns`: a role to assume with those credentials.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// `sns`: instead of AWS's public host.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// `smtp`: the mail server.
    #[serde(default)]
    pub host: Option<String>,
    /// `smtp`; default: 587 with `starttls`, 465 with `implicit`, 25 with `off`.
    #[serde(default)]
    pub port: Option<u16>,
    /// `smtp`: how the connection is protected; default: `starttls`.
    #[serde(default)]
    pub tls: Option<SmtpTls>,
    /// `smtp`: who logs in; default: nobody.
    #[serde(default)]
    pub user: Option<String>,
    /// `smtp`: the password of `user`.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// `smtp`: the sender, `bedplate <bedplate@example.com>`.
    #[serde(default)]
    pub from: Option<String>,
    /// `smtp`: the recipients.
    #[serde(default)]
    pub to: Vec<String>,
    /// `webhook`, `slack`, `smtp`: a PEM file of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long one try may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// How long a notice is tried; then it is a dead letter.
    #[serde(default = "deadline")]
    pub deadline: Span,
    /// Notices that may wait for this target; those beyond are dead letters at once.
    #[serde(default = "queue")]
    pub queue: usize,
}

/// What takes notices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// JSON by POST, signed as Standard Webhooks are.
    Webhook,
    /// A message in Slack's form, for an incoming webhook.
    Slack,
    /// An Amazon SNS topic; in builds with the feature `sns`.
    Sns,
    /// A mail.
    Smtp,
    /// A line of bedplate's own log.
    Log,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Sns => "sns",
            Self::Smtp => "smtp",
            Self::Log => "log",
        }
    }
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// It begins in the clear and must turn to TLS before anything is said.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Never: for a mail server on the same machine.
    Off,
}

impl Config {
    /// A target with nothing set but its name and kind.
    pub fn named(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            on: Vec::new(),
            severity: info(),
            url: None,
            secret: None,
            headers: BTreeMap::new(),
            url_from: None,
            topic: None,
            profile: None,
            role_arn: None,
            endpoint: None,
            host: None,
            port: None,
            tls: None,
            user: None,
            password: None,
            from: None,
            to: Vec::new(),
            ca_file: None,
            timeout: timeout(),
            deadline: deadline(),
            queue: queue(),
        }
    }

    /// Every place where a secret of this target is found.
    pub fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretRef> {
        let own = self.secret.iter_mut().chain(&mut self.url_from).chain(&mut self.password);
        own.chain(self.headers.values_mut())
    }

    pub(crate) fn wants(&self, notice: &Notice) -> bool {
        let on = self.on.is_empty() || self.on.contains(&notice.kind);
        notice.kind == notice::Kind::Test || (on && notice.severity >= self.severity)
    }
}

fn info() -> Severity {
    Severity::Info
}

fn timeout() -> Span {
    Span::secs(10)
}

fn deadline() -> Span {
    Span::secs(3_600)
}

fn queue() -> usize {
    1_000
}
