//! An Amazon SNS topic.

use std::error::Error;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::{Builder, Region, SharedCredentialsProvider};
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;
use bedplate_core::BoxFuture;
use bedplate_core::notice::Notice;
use serde_json::json;
use tokio::sync::OnceCell;

use super::{Target, Trouble, set};
use crate::config::{Config, region};
use crate::words;

pub(super) struct Sns {
    config: Config,
    topic: String,
    region: String,
    /// Made with the first notice: the credential chain may take seconds.
    client: OnceCell<Client>,
}

impl Sns {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let topic = set("topic", config.topic.clone())?;
        let region = set("topic", region(&topic))?.to_owned();
        Ok(Self { config: config.clone(), topic, region, client: OnceCell::new() })
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(|| async { load(&self.config, &self.region).await }).await
    }
}

/// The credentials come from the standard chain, unless they are named.
async fn load(config: &Config, region: &str) -> Client {
    let mut loader =
        aws_config::defaults(aws_config::BehaviorVersion::latest()).region(Region::new(region.to_owned()));
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    let mut aws = loader.load().await;
    if let Some(role) = &config.role_arn {
        let role = aws_config::sts::AssumeRoleProvider::builder(role).session_name("bedplate");
        let role = SharedCredentialsProvider::new(role.configure(&aws).build().await);
        aws = aws.into_builder().credentials_provider(role).build();
    }
    // the lane tries again by itself
    let timeout = TimeoutConfig::builder().operation_timeout(config.timeout.0).build();
    let mut sns = Builder::from(&aws).retry_config(RetryConfig::disabled()).timeout_config(timeout);
    if let Some(endpoint) = &config.endpoint {
        sns = sns.endpoint_url(endpoint);
    }
    Client::from_conf(sns.build())
}

impl Target for Sns {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let attribute = |value: &str| {
                let text = MessageAttributeValue::builder().data_type("String").string_value(value);
                text.build().map_err(|e| Trouble::lasting(e.to_string()))
            };
            let mut publish = self
                .client()
                .await
                .publish()
                .topic_arn(&self.topic)
                .subject(subject(notice))
                .message_structure("json")
                .message(messages(notice))
                .message_attributes("id", attribute(&notice.id.0)?)
                .message_attributes("kind", attribute(notice.kind.name())?)
                .message_attributes("severity", attribute(notice.severity.name())?);
            if self.topic.ends_with(".fifo") {
                publish = publish.message_group_id(notice.kind.name()).message_deduplication_id(&notice.id.0);
            }
            publish.send().await.map(|_| ()).map_err(|e| trouble(&e))
        })
    }
}

/// JSON for programs; words for people.
fn messages(notice: &Notice) -> String {
    let short = words::line(&format!("{}: {}", notice.severity, notice.subject), 140);
    json!({
        "default": words::json(notice).to_string(),
        "email": words::plain(notice),
        "sms": short,
    })
    .to_string()
}

/// SNS takes up to 100 characters of ASCII in one line.
fn subject(notice: &Notice) -> String {
    let ascii: String =
        words::subject(notice).chars().map(|c| if c.is_ascii() { c } else { '?' }).take(100).collect();
    ascii.trim_end().to_owned()
}

fn trouble(e: &SdkError<PublishError>) -> Trouble {
    let said = match e.code() {
        Some(code) => words::line(&format!("{code}: {}", e.message().unwrap_or("without a message")), 300),
        None => words::causes(e as &dyn Error),
    };
    let lasting = e.as_service_error().is_some_and(|e| {
        e.is_not_found_exception()
            || e.is_invalid_parameter_exception()
            || e.is_invalid_parameter_value_exception()
            || e.is_validation_exception()
    });
    if lasting { Trouble::lasting(said) } else { Trouble::passing(said) }
}

#[cfg(test)]
mod tests {
    use bedplate_core::clock::Timestamp;
    use bedplate_core::notice::{Kind, Severity};
    use bedplate_testkit::SeededIds;

    use super::*;

    #[test]
    fn subjects_are_what_sns_takes() {
        let notice =
            |text: &str| Notice::new(&SeededIds::new(1), Timestamp(0), Kind::Budget, Severity::Warning, text);
        assert_eq!(subject(&notice("grün\nblau")), "[bedplate] warning: gr?n blau");
        assert_eq!(subject(&notice(&"x".repeat(500))).len(), 100);
    }
}
