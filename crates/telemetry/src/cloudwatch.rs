//! Delivery to CloudWatch Logs: EMF lines, from which CloudWatch makes metrics, and the call log.
//!
//! A log's own thread hands its lines over; a thread of the delivery's sends them in batches as large
//! as CloudWatch takes, in order, and again until they are taken. What waits is bounded: when
//! CloudWatch is gone for longer than that lasts, new lines are dropped and counted, and calls go on.
//!
//! The client is AWS's own and takes two minutes to compile, so it is in builds with the feature
//! `cloudwatch` alone (`docs/decisions/`). In others the section is refused.

#[cfg(not(feature = "cloudwatch"))]
mod absent;
#[cfg(feature = "cloudwatch")]
mod batch;
#[cfg(feature = "cloudwatch")]
mod client;
#[cfg(feature = "cloudwatch")]
mod delivery;
#[cfg(feature = "cloudwatch")]
mod queue;
#[cfg(test)]
#[cfg(feature = "cloudwatch")]
mod trial;

use bedplate_core::setting::{Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(not(feature = "cloudwatch"))]
pub(crate) use self::absent::{Delivery, Sender};
#[cfg(feature = "cloudwatch")]
pub(crate) use self::delivery::Delivery;
#[cfg(feature = "cloudwatch")]
pub(crate) use self::queue::Sender;

/// `[cloudwatch]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CloudWatchConfig {
    /// The log group that EMF lines are delivered to, beside the place that `[emf] to` names (which
    /// may be `"off"`). Without one they are not.
    pub emf: Option<String>,
    /// The log group that call-log lines are delivered to, beside the place that `[log] calls` names
    /// (which may be `"off"`). Without one they are not.
    pub calls: Option<String>,
    /// The log stream in both groups; default: the name of this machine.
    pub stream: Option<String>,
    /// Make a group or a stream that is not there.
    pub create: bool,
    /// Default: the region of the first Bedrock provider, else of the AWS configuration.
    pub region: Option<String>,
    /// A profile of the AWS configuration files; default: the standard credential chain.
    pub profile: Option<String>,
    /// A role to assume with those credentials.
    pub role_arn: Option<String>,
    /// Instead of AWS's public host: PrivateLink, FIPS, a test.
    pub endpoint: Option<String>,
    /// The longest that a line waits for others to be sent with.
    pub flush: Span,
    /// How long one request may take.
    pub timeout: Span,
    /// Bytes of lines that may wait to be sent, for each of the two logs; what finds no room is dropped and
    /// counted.
    pub queue: Size,
}

impl Default for CloudWatchConfig {
    fn default() -> Self {
        Self {
            emf: None,
            calls: None,
            stream: None,
            create: true,
            region: None,
            profile: None,
            role_arn: None,
            endpoint: None,
            flush: Span::secs(5),
            timeout: Span::secs(10),
            queue: Size(16 << 20),
        }
    }
}

/// Why nothing can be delivered.
#[derive(Debug, thiserror::Error)]
pub enum CloudWatchError {
    #[error("{0}")]
    Setting(String),
    #[error("the delivery to CloudWatch Logs cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// Whether this build can deliver.
const DELIVERS: bool = cfg!(feature = "cloudwatch");

impl CloudWatchConfig {
    /// What is wrong, each with the key that it is about.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        self.problems_of(DELIVERS)
    }

    fn problems_of(&self, delivers: bool) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (key, group) in [("emf", &self.emf), ("calls", &self.calls)] {
            let Some(group) = group else { continue };
            if !delivers {
                found.push((
                    key,
                    format!(
                        "`[cloudwatch] {key}`: this bedplate was built without delivery to CloudWatch Logs: \
                         build it with `--features cloudwatch`, or let the CloudWatch agent read the lines"
                    ),
                ));
            }
            if !is_group(group) {
                let said = format!("`[cloudwatch] {key}`: `{group}` is not the name of a log group");
                found.push((key, format!("{said}: 1 to 512 letters, digits and `_-/.#`")));
            }
        }
        if let Some(stream) = self.stream.as_ref().filter(|s| !is_stream(s)) {
            let said = format!("`[cloudwatch] stream`: `{stream}` is not the name of a log stream");
            found.push(("stream", format!("{said}: 1 to 512 characters without `:` and `*`")));
        }
        if let Some(endpoint) = self.endpoint.as_ref().filter(|e| !is_endpoint(e)) {
            let said = format!("`[cloudwatch] endpoint`: `{endpoint}` is not the URL of a service");
            found.push(("endpoint", said));
        }
        found
    }
}

/// `[.-_/#A-Za-z0-9]{1,512}`, by the API's own pattern.
fn is_group(name: &str) -> bool {
    (1..=512).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.#".contains(&b))
}

fn is_stream(name: &str) -> bool {
    (1..=512).contains(&name.chars().count()) && !name.contains([':', '*'])
}

fn is_endpoint(url: &str) -> bool {
    url.parse::<http::Uri>()
        .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> CloudWatchConfig {
        let group = |name: &str| Some(name.to_owned());
        CloudWatchConfig { emf: group("/bedplate/emf"), calls: group("calls"), ..CloudWatchConfig::default() }
    }

    #[test]
    fn a_build_that_cannot_deliver_refuses_what_asks_for_it() {
        assert_eq!(both().problems_of(true), []);
        assert_eq!(CloudWatchConfig::default().problems_of(false), []);
        let found = both().problems_of(false);
        assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["emf", "calls"]);
        assert!(found[0].1.contains("--features cloudwatch"), "{found:?}");
        assert_eq!(both().problems().is_empty(), cfg!(feature = "cloudwatch"));
    }

    #[test]
    fn names_that_aws_would_not_take_are_found_before_it_is_asked() {
        let text = |t: &str| Some(t.to_owned());
        let long = "g".repeat(513);
        for bad in ["", "a b", "group*", "gr\u{fc}n", &long] {
            let found = CloudWatchConfig { emf: text(bad), ..both() }.problems_of(true);
            assert_eq!(found.len(), 1, "{bad}");
        }
        for bad in ["", "a:b", "*"] {
            assert_eq!(CloudWatchConfig { stream: text(bad), ..both() }.problems_of(true).len(), 1, "{bad}");
        }
        for bad in ["logs.us-east-1.amazonaws.com", "ftp://host", "http://"] {
            assert_eq!(
                CloudWatchConfig { endpoint: text(bad), ..both() }.problems_of(true).len(),
                1,
                "{bad}"
            );
        }
        let good = CloudWatchConfig { endpoint: text("http://127.0.0.1:1"), stream: text("a/b c"), ..both() };
        assert_eq!(good.problems_of(true), []);
    }
}
