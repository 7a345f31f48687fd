use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::Skip;
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use bedplate_telemetry::call_log::{CallLog, Calls, Line};
use serde_json::{Map, Value};

use crate::outcomes::{answered, full, kept, nth, refused};
use crate::until;

const SECOND: Duration = Duration::from_secs(10);

fn line(outcome: &Outcome) -> String {
    serde_json::to_string(&Line::of(outcome)).unwrap()
}

#[test]
fn lines_are_as_they_were() {
    assert_eq!(
        line(&answered()),
        concat!(
            r#"{"time":"2026-11-22T12:00:03.25Z","call":"019a9f4c-5e00-7abc-8def-0123456789ab","#,
            r#""ending":"answered","status":200,"operation":"ConverseStream","model":"us.amazon.nova-lite-v1:0","#,
            r#""team":"payments","feature":"triage","environment":"prod","key":"key_0123456789abcdef","#,
            r#""dialect":"bedrock","attempts":1,"provider":"use1","region":"us-east-1","#,
            r#""target":"us.amazon.nova-lite-v1:0","tier":"default","#,
            r#""upstream_request_id":"7c9e0000-1111-4222-8333-444455556666","input_tokens":24,"#,
            r#""cache_read_tokens":100,"cache_write_5m_tokens":10,"cache_write_1h_tokens":0,"output_tokens":17,"#,
            r#""usage_basis":"reported","cost_nanos":5520,"cost_known":true,"price_version":"2026-11-22","#,
            r#""stop_reason":"end_turn","total_us":412000,"overhead_us":310,"body_read_us":150,"cleared_us":230,"#,
            r#""first_byte_us":210000,"first_token_us":212000,"upstream_latency_ms":405,"bytes_in":512,"#,
            r#""bytes_out":2048}"#,
        )
    );
    assert_eq!(
        line(&refused()),
        concat!(
            r#"{"time":"2026-11-22T12:00:03.25Z","call":"019a9f4c-5e00-7abc-8def-0123456789ab","#,
            r#""ending":"refused","status":403,"operation":"ConverseStream","model":"us.amazon.nova-lite-v1:0","#,
            r#""team":"","feature":"","environment":"","key":null,"dialect":"bedrock","code":"BP1002","#,
            r#""stage":"admit","error":"UnrecognizedClientException","attempts":0,"input_tokens":0,"#,
            r#""cache_read_tokens":0,"cache_write_5m_tokens":0,"cache_write_1h_tokens":0,"output_tokens":0,"#,
            r#""usage_basis":"none","cost_nanos":0,"cost_known":true,"total_us":90,"overhead_us":90,"#,
            r#""bytes_in":512,"bytes_out":2048}"#,
        )
    );
}

/// The table in the documentation names every field, in order, and says which are always there.
#[test]
fn every_field_is_documented() {
    let page = include_str!("../../../../docs/reference/call-log.md");
    let mut documented: Vec<(String, bool)> = Vec::new();
    for row in page.lines().filter(|l| l.starts_with("| `")) {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let names = cells.next().unwrap();
        let always = cells.nth(1).unwrap() == "yes";
        documented.extend(names.split(',').map(|n| (n.trim().trim_matches('`').to_owned(), always)));
    }
    let all: Map<String, Value> = serde_json::from_str(&line(&every_field())).unwrap();
    let least: Map<String, Value> = serde_json::from_str(&line(&refused_and_empty())).unwrap();
    let written: Vec<_> = all.keys().map(|name| (name.clone(), least.contains_key(name))).collect();
    assert_eq!(documented, written);
}

/// Also what no one call has: an answer that was kept, of a call that passed the cache by.
fn every_field() -> Outcome {
    let mut outcome = full();
    outcome.call.cache = kept().call.cache;
    outcome.call.timings.queued = Some(40);
    outcome.call.degraded = Some(bedplate_core::record::Degraded::Stale);
    if let Some(cache) = &mut outcome.call.cache {
        cache.skip = Some(Skip::Asked);
    }
    outcome
}

fn refused_and_empty() -> Outcome {
    let mut outcome = refused();
    outcome.call.operation = None;
    outcome.call.code = None;
    outcome.call.stage = None;
    outcome.call.error = None;
    outcome
}

#[test]
fn a_file_gets_every_line_and_may_be_renamed_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.log");
    let log = CallLog::build(&Calls::File(path.clone()), 1_000).unwrap().unwrap();
    (0..10).for_each(|n| log.settle(&nth(n)));
    until("the first ten lines", || fs::read_to_string(&path).unwrap().lines().count() == 10);
    fs::rename(&path, folder.path().join("calls.log.1")).unwrap();
    let mut hostile = answered();
    hostile.call.model = "two\nlines\u{2028}\"".into();
    log.settle(&Arc::new(hostile));
    assert!(log.close(SECOND));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1, "one line for one call, whatever its names hold");
    serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(log.dropped(), 0);
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_writing_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("logs");
    fs::create_dir(&inside).unwrap();
    let path = inside.join("calls.log");
    let log = CallLog::build(&Calls::File(path.clone()), 1_000).unwrap().unwrap();
    fs::remove_dir_all(&inside).unwrap();
    (0..7).for_each(|n| log.settle(&nth(n)));
    until("seven lost", || log.dropped() == 7);
    fs::create_dir(&inside).unwrap();
    log.settle(&nth(8));
    until("the file is back", || fs::read_to_string(&path).is_ok_and(|t| t.lines().count() == 1));
    assert_eq!(log.dropped(), 7);
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let log = CallLog::build(&Calls::File("/dev/full".into()), 1_000).unwrap().unwrap();
    (0..9).for_each(|n| log.settle(&nth(n)));
    assert!(log.close(SECOND));
    assert_eq!(log.dropped(), 9);
}

#[test]
fn a_full_queue_drops_and_counts_and_never_waits() {
    let folder = tempfile::tempdir().unwrap();
    // a pipe that nobody reads holds 64 KiB, then the writer hangs
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let log = CallLog::build(&Calls::File(path), 200).unwrap().unwrap();
    (0..50).for_each(|_| {
        (0..100).for_each(|n| log.settle(&nth(n)));
        std::thread::sleep(Duration::from_millis(5));
    });
    until("lost lines", || log.dropped() > 0);
    assert!(!log.close(Duration::from_millis(50)), "the writer is stuck, the caller is not");
    drop(reader);
}

#[test]
fn a_place_that_cannot_be_written_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Calls::File(folder.path().join("no/such/folder/calls.log"));
    assert!(CallLog::build(&calls, 10).is_err());
    assert!(CallLog::build(&Calls::Off, 10).unwrap().is_none());
}

#[test]
fn settings_read_as_documented() {
    let read = |text: &str| toml::from_str::<bedplate_telemetry::LogConfig>(text).map(|c| c.calls);
    assert_eq!(read("calls = \"stderr\"").unwrap(), Calls::Stderr);
    assert_eq!(read("calls = \"off\"").unwrap(), Calls::Off);
    assert_eq!(read("calls = { file = \"a.log\" }").unwrap(), Calls::File("a.log".into()));
    assert_eq!(read("").unwrap(), Calls::Stderr);
    assert!(read("call = \"off\"").is_err());
    let content = "[invocation]\nfolder = \"logs\"\ncontent = \"full\"";
    let refused = toml::from_str::<bedplate_telemetry::LogConfig>(content).unwrap_err().to_string();
    assert!(refused.contains("expected `off`"), "{refused}");
}
