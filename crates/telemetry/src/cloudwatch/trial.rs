//! Deliveries to an endpoint that speaks the service's protocol, keeps what it takes, and fails on cue.
//! (The protocol itself is tried against an emulator in `tests/e2e/test_cloudwatch.py`.)

mod endpoint;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::SystemIds;
use bedplate_core::setting::{Size, Span};

use self::endpoint::{Answer, Endpoint, GROUP, STREAM};
use super::batch::{BYTES, EVENTS};
use super::client::Client;
use super::{CloudWatchConfig, Delivery, Sender};

const LONG: Duration = Duration::from_secs(30);

fn to(endpoint: &Endpoint) -> CloudWatchConfig {
    CloudWatchConfig {
        stream: Some(STREAM.into()),
        endpoint: Some(format!("http://{}", endpoint.address)),
        flush: Span::millis(20),
        ..CloudWatchConfig::default()
    }
}

fn start(config: &CloudWatchConfig) -> (Sender, Delivery) {
    let pair =
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(pair))
        .build();
    let client = Client::new(&aws, config, GROUP.into());
    config.deliver_by(std::future::ready(client), "a log", &SystemIds::shared()).unwrap()
}

/// Lines of one second after another.
fn send(sender: &Sender, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers
        .map(|n| {
            let line = format!("{{\"n\":{n}}}");
            sender.put(Timestamp::from_secs(1_795_348_803 + n as i64), format!("{line}\n").as_bytes());
            line
        })
        .collect()
}

#[track_caller]
fn until(what: &str, mut met: impl FnMut() -> bool) {
    let soon = (0..3_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        met()
    });
    assert!(soon, "not in half a minute: {what}");
}

#[test]
fn lines_arrive_in_order_in_a_group_that_is_made() {
    let endpoint = Endpoint::start();
    let (sender, delivery) = start(&to(&endpoint));
    let lines = send(&sender, 0..250);
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(endpoint.lines(), lines);
    assert_eq!(endpoint.events()[7].0, 1_795_348_810_000);
    assert_eq!(
        endpoint.asked()[..4],
        ["PutLogEvents", "CreateLogStream", "CreateLogGroup", "CreateLogStream"]
    );
    assert_eq!(delivery.losses().count(), 0);
    assert!(endpoint.authorizations().iter().all(|a| a.contains("/eu-central-1/logs/aws4_request")));
}

#[test]
fn what_fails_for_a_while_is_sent_again() {
    let endpoint = Endpoint::start();
    endpoint.make();
    endpoint.will([
        Answer::Error(400, "ThrottlingException"),
        Answer::Error(503, "ServiceUnavailableException"),
        Answer::Error(400, "AccessDeniedException"),
        Answer::HangUp,
    ]);
    let (sender, delivery) = start(&to(&endpoint));
    let lines = send(&sender, 0..20);
    until("all lines", || endpoint.lines().len() == 20);
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(endpoint.lines(), lines);
    assert_eq!(delivery.losses().count(), 0);
    assert!(endpoint.asked().iter().all(|asked| asked == "PutLogEvents"), "it was there");
}

#[test]
fn what_can_never_be_taken_is_counted_and_the_rest_goes_on() {
    let endpoint = Endpoint::start();
    endpoint.make();
    endpoint.will([Answer::Error(400, "InvalidParameterException")]);
    let (sender, delivery) = start(&to(&endpoint));
    send(&sender, 0..1);
    until("a loss", || delivery.losses().count() == 1);
    let lines = send(&sender, 1..4);
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(endpoint.lines(), lines);
    assert_eq!(delivery.losses().count(), 1);
}

#[test]
fn events_that_the_service_rejects_are_counted() {
    let endpoint = Endpoint::start();
    endpoint.make();
    endpoint.will([Answer::Rejects(r#"{"tooOldLogEventEndIndex":2,"tooNewLogEventStartIndex":9}"#)]);
    let (sender, delivery) = start(&CloudWatchConfig { flush: Span::secs(3_600), ..to(&endpoint) });
    send(&sender, 0..10);
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(delivery.losses().count(), 3);
}

#[test]
fn without_leave_to_make_a_group_lines_wait_until_somebody_makes_it() {
    let endpoint = Endpoint::start();
    let (sender, delivery) = start(&CloudWatchConfig { create: false, ..to(&endpoint) });
    let lines = send(&sender, 0..5);
    until("a try", || !endpoint.asked().is_empty());
    endpoint.make();
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(endpoint.lines(), lines);
    assert!(endpoint.asked().iter().all(|asked| asked == "PutLogEvents"));
}

#[test]
fn no_request_holds_more_than_the_service_takes() {
    let endpoint = Endpoint::start();
    endpoint.make();
    let (sender, delivery) = start(&CloudWatchConfig { flush: Span::secs(3_600), ..to(&endpoint) });
    let mut lines = send(&sender, 0..EVENTS + 1);
    for n in 0..12 {
        let line = format!("{n}{}", "0".repeat(200_000));
        sender.put(Timestamp::from_secs(1_795_400_000), line.as_bytes());
        lines.push(line);
    }
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(delivery.losses().count(), 0);
    assert!(endpoint.lines() == lines);
    let sizes = endpoint.sizes();
    assert!(sizes.len() >= 4 && sizes.iter().all(|(n, bytes)| *n <= EVENTS && *bytes <= BYTES), "{sizes:?}");
}

#[test]
fn an_endpoint_that_is_gone_costs_the_lines_that_find_no_room_and_no_time() {
    let config = to(&Endpoint::start());
    let (sender, delivery) = start(&CloudWatchConfig { queue: Size(1_000), ..config });
    send(&sender, 0..1_000);
    assert!(delivery.losses().count() > 900);
    drop(sender);
    assert!(!delivery.ended(Duration::from_millis(100)));
    assert_eq!(delivery.losses().count(), 1_000, "what waited to the end is counted too");
}

#[test]
fn one_that_comes_back_is_used_again() {
    let endpoint = Endpoint::start();
    endpoint.make();
    endpoint.refuse(true);
    let (sender, delivery) = start(&to(&endpoint));
    let lines = send(&sender, 0..10);
    until("a few tries", || endpoint.asked().len() > 2);
    endpoint.refuse(false);
    until("all lines", || endpoint.lines() == lines);
    let more = send(&sender, 10..20);
    drop(sender);
    assert!(delivery.ended(LONG));
    assert_eq!(endpoint.lines(), [lines, more].concat());
    assert_eq!(delivery.losses().count(), 0);
}

#[test]
fn a_delivery_that_is_dropped_ends_its_thread() {
    let endpoint = Endpoint::start();
    endpoint.refuse(true);
    let (sender, delivery) = start(&to(&endpoint));
    send(&sender, 0..3);
    let losses = delivery.losses();
    drop(delivery);
    until("all lost", || losses.count() == 3);
}
