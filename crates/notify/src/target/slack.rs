//! A message in Slack's form: `text` for what shows no blocks (Mattermost, Rocket.Chat, notifications), and blocks.
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks>.

use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::notice::{Notice, Severity};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::hook::Hook;
use super::{Target, Trouble, set};
use crate::config::{Config, address};
use crate::words;

pub(super) struct Slack {
    hook: Hook,
    /// The part of the URL that is the secret.
    path: String,
}

impl Slack {
    pub(super) fn new(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let secret = set("url_from", config.url_from.as_ref())?.read()?;
        let uri =
            address(secret.expose().trim()).map_err(|why| format!("what stands at `url_from` {why}"))?;
        let path = uri.path().to_owned();
        Ok(Self { hook: Hook::new(uri, config.ca_file.as_deref(), clock)?, path })
    }
}

impl Target for Slack {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let body = Bytes::from(message(notice).to_string());
            let posted = self.hook.post(HeaderMap::new(), body).await;
            posted.map_err(|trouble| match self.path.len() {
                // some receivers repeat the path when they refuse it
                2.. => Trouble { why: trouble.why.replace(&self.path, "…"), ..trouble },
                _ => trouble,
            })
        })
    }
}

fn message(notice: &Notice) -> Value {
    let mark = match notice.severity {
        Severity::Info => ":information_source:",
        Severity::Warning => ":warning:",
        Severity::Critical => ":rotating_light:",
    };
    let text = format!("{mark} {}", escaped(&words::line(&notice.subject, 250)));
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": words::line(&notice.subject, 150) },
    })];
    if !notice.text.is_empty() {
        // five characters at most for one: within 3,000
        blocks.push(json!({ "type": "section", "text": markdown(&words::short(&notice.text, 600)) }));
    }
    let fields: Vec<Value> = notice
        .fields
        .iter()
        .map(|(name, value)| {
            json!({
                "type": "mrkdwn",
                "text": format!("*{}*\n{}", escaped(&words::line(name, 100)), escaped(&words::line(value, 250))),
            })
        })
        .collect();
    let sections = fields.chunks(10).take(4).map(|fields| json!({ "type": "section", "fields": fields }));
    blocks.extend(sections);
    let foot = format!("{} {} · {} · {}", mark, notice.severity, notice.at, notice.id);
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": foot }] }));
    json!({ "text": text, "blocks": blocks })
}

fn markdown(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": escaped(text) })
}

/// Nothing in a notice may mention a channel or make a link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use bedplate_core::clock::Timestamp;
    use bedplate_core::notice::Kind;
    use bedplate_testkit::SeededIds;

    use super::*;

    #[test]
    fn a_message_keeps_slacks_limits_and_mentions_nobody() {
        let at = Timestamp::from_secs(1_795_348_803);
        let mut notice =
            Notice::new(&SeededIds::new(1), at, Kind::Budget, Severity::Critical, "<!channel> ".repeat(100))
                .text("<>&".repeat(5_000));
        for n in 0..60 {
            notice = notice.field(&format!("field_{n}"), "<@U0> ".repeat(500));
        }
        let message = message(&notice);
        assert!(message["text"].as_str().unwrap().starts_with(":rotating_light: &lt;!channel&gt;"));
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "header" => {
                    assert_eq!(block["text"]["type"], "plain_text");
                    assert!(block["text"]["text"].as_str().unwrap().chars().count() <= 150);
                }
                "section" if block.get("fields").is_some() => {
                    let fields = block["fields"].as_array().unwrap();
                    assert!(fields.len() <= 10);
                    for field in fields {
                        let text = field["text"].as_str().unwrap();
                        assert!(text.len() <= 2_000 && !text.contains('<'), "{text}");
                    }
                }
                "section" => {
                    let text = block["text"]["text"].as_str().unwrap();
                    assert!(text.len() <= 3_000 && !text.contains('<'), "{}", text.len());
                }
                kind => assert_eq!(kind, "context"),
            }
        }
    }

    #[test]
    fn a_small_notice_is_a_small_message() {
        let at = Timestamp::from_secs(1_795_348_803);
        let notice =
            Notice::new(&SeededIds::new(1), at, Kind::Budget, Severity::Warning, "support is at 80%")
                .field("spent", "$8.00");
        let message = message(&notice);
        assert_eq!(message["text"], ":warning: support is at 80%");
        assert_eq!(message["blocks"].as_array().unwrap().len(), 3);
        assert_eq!(message["blocks"][1]["fields"][0]["text"], "*spent*\n$8.00");
    }
}
