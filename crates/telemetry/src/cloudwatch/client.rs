//! AWS's client: what is asked of it, and what its errors mean.

use std::error::Error;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudwatchlogs::config::{Builder, Region, SharedCredentialsProvider};
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::operation::put_log_events::PutLogEventsError;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, RejectedLogEventsInfo};

use crate::cloudwatch::CloudWatchConfig;
use crate::cloudwatch::batch::Event;

/// One stream of one group.
pub(crate) struct Client {
    logs: aws_sdk_cloudwatchlogs::Client,
    group: String,
    stream: String,
}

/// Why lines were not taken, in AWS's words.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The group or the stream is not there.
    Missing(String),
    /// They may be taken later: nothing answers, no permission, too many requests.
    Passing(String),
    /// They will never be taken.
    Lasting(String),
}

impl Client {
    /// The region and the credentials come from the standard chain, unless they are named.
    pub(crate) async fn load(config: CloudWatchConfig, group: String) -> Self {
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &config.profile {
            loader = loader.profile_name(profile);
        }
        let mut aws = loader.load().await;
        if let Some(role) = &config.role_arn {
            let role = aws_config::sts::AssumeRoleProvider::builder(role).session_name("bedplate");
            let role = SharedCredentialsProvider::new(role.configure(&aws).build().await);
            aws = aws.into_builder().credentials_provider(role).build();
        }
        Self::new(&aws, &config, group)
    }

    pub(crate) fn new(aws: &SdkConfig, config: &CloudWatchConfig, group: String) -> Self {
        // these are for the logs alone, not for whom the chain asks for credentials
        let mut logs = Builder::from(aws)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(config.timeout.0).build());
        if let Some(endpoint) = &config.endpoint {
            logs = logs.endpoint_url(endpoint);
        }
        Self {
            logs: aws_sdk_cloudwatchlogs::Client::from_conf(logs.build()),
            group,
            stream: config.stream.clone().unwrap_or_else(machine),
        }
    }

    /// Sends one batch; gives how many of its events AWS rejected.
    ///
    /// # Errors
    /// Says whether trying again can help.
    pub(crate) async fn put(&self, events: &[Event]) -> Result<u64, Trouble> {
        let events: Result<Vec<_>, _> = events
            .iter()
            .map(|event| InputLogEvent::builder().timestamp(event.at).message(&event.line).build())
            .collect();
        let events = events.map_err(|e| Trouble::Lasting(e.to_string()))?;
        let n = events.len();
        let request = self.logs.put_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
        match request.set_log_events(Some(events)).send().await {
            Ok(answer) => Ok(answer.rejected_log_events_info().map_or(0, |info| rejected(info, n))),
            Err(e) if e.as_service_error().is_some_and(|e| e.is_data_already_accepted_exception()) => Ok(0),
            Err(e) => Err(trouble(&e)),
        }
    }

    /// Makes the stream, and the group when there is none.
    ///
    /// # Errors
    /// AWS's own words.
    pub(crate) async fn create(&self) -> Result<(), String> {
        match self.create_stream().await {
            Err(e) if code(&e) == "ResourceNotFoundException" => {}
            made => return made.map_err(|e| said(&e)),
        }
        let group = self.logs.create_log_group().log_group_name(&self.group).send().await;
        if let Err(e) = group
            // another gateway made it, or is about to
            && !["ResourceAlreadyExistsException", "OperationAbortedException"].contains(&code(&e))
        {
            return Err(said(&e));
        }
        self.create_stream().await.map_err(|e| said(&e))
    }

    async fn create_stream(
        &self,
    ) -> Result<(), SdkError<aws_sdk_cloudwatchlogs::operation::create_log_stream::CreateLogStreamError>>
    {
        let request = self.logs.create_log_stream();
        match request.log_group_name(&self.group).log_stream_name(&self.stream).send().await {
            Err(e) if code(&e) == "ResourceAlreadyExistsException" => Ok(()),
            made => made.map(|_| ()),
        }
    }
}

/// How many of `n` events, in order of time, were too old, had expired or were too new.
fn rejected(info: &RejectedLogEventsInfo, n: usize) -> u64 {
    let index = |index: Option<i32>| index.and_then(|i| usize::try_from(i).ok()).map(|i| i.min(n));
    let old = index(info.too_old_log_event_end_index()).max(index(info.expired_log_event_end_index()));
    let old = old.unwrap_or(0);
    let new = index(info.too_new_log_event_start_index()).map_or(0, |start| n - start.max(old));
    (old + new) as u64
}

fn trouble(e: &SdkError<PutLogEventsError>) -> Trouble {
    let said = said(e);
    let status = e.raw_response().map(|answer| answer.status().as_u16());
    match code(e) {
        "ResourceNotFoundException" => Trouble::Missing(said),
        "InvalidParameterException" | "ValidationException" | "SerializationException" => {
            Trouble::Lasting(said)
        }
        _ if status == Some(413) => Trouble::Lasting(said),
        _ => Trouble::Passing(said),
    }
}

fn code<E: ProvideErrorMetadata>(e: &E) -> &str {
    e.code().unwrap_or_default()
}

/// AWS's name and message of an error; without an answer the whole chain of causes.
fn said<E: Error + ProvideErrorMetadata + 'static>(e: &SdkError<E>) -> String {
    if let Some(code) = e.code() {
        return format!("{code}: {}", e.message().unwrap_or("without a message"));
    }
    let mut said = e.to_string();
    let mut cause = Error::source(e);
    while let Some(e) = cause {
        said.push_str(": ");
        said.push_str(&e.to_string());
        cause = e.source();
    }
    said
}

/// The machine's name, as the name of a stream.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().replace([':', '*'], "-");
    if name.is_empty() { "bedplate".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_events_are_counted_from_both_ends() {
        let info = RejectedLogEventsInfo::builder;
        assert_eq!(rejected(&info().build(), 10), 0);
        assert_eq!(rejected(&info().too_old_log_event_end_index(3).build(), 10), 3);
        assert_eq!(
            rejected(&info().too_old_log_event_end_index(3).expired_log_event_end_index(5).build(), 10),
            5
        );
        assert_eq!(rejected(&info().too_new_log_event_start_index(8).build(), 10), 2);
        let both = info().too_old_log_event_end_index(3).too_new_log_event_start_index(8).build();
        assert_eq!(rejected(&both, 10), 5);
        assert_eq!(rejected(&info().too_new_log_event_start_index(-1).build(), 10), 0);
        assert_eq!(rejected(&info().too_old_log_event_end_index(99).build(), 10), 10);
    }

    #[test]
    fn the_machine_has_a_name_that_a_stream_may_have() {
        let name = machine();
        assert!((1..=512).contains(&name.len()) && !name.contains([':', '*']), "{name}");
    }
}
