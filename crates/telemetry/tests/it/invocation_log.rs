use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ids::SystemIds;
use bedplate_core::ports::Sink;
use bedplate_core::refusal::Code;
use bedplate_telemetry::invocation_log::{InvocationLog, InvocationLogConfig};
use bedplate_testkit::ManualClock;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::outcomes::{answered, full, nth, refused, timed_out};
use crate::until;

const SECONDS: Duration = Duration::from_secs(10);
const BELOW: &str = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/22/12";

fn log(folder: &Path, clock: &ManualClock) -> InvocationLog {
    let config = InvocationLogConfig { folder: Some(folder.to_owned()), ..InvocationLogConfig::default() };
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    config.build(clock, SystemIds::shared(), 100_000).unwrap().unwrap()
}

fn noon() -> ManualClock {
    ManualClock::at("2026-11-22T12:00:05Z")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every record in every file that is in its place.
fn records(folder: &Path) -> Vec<Value> {
    files(&folder.join(BELOW)).iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_have_bedrocks_shape() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), &noon());
    log.settle(&Arc::new(full()));
    log.settle(&Arc::new(timed_out(Code::FirstTokenTimeout)));
    log.settle(&Arc::new(refused()));
    assert!(log.close(SECONDS));
    let records = records(folder.path());
    assert_eq!(records.len(), 3, "one for each upstream request, none for a call that reached none");

    let throttled = &records.iter().find(|r| r["errorCode"] == "ThrottlingException").unwrap();
    let late = &records.iter().find(|r| r["errorCode"] == "BP4002").unwrap();
    let answered = &records.iter().find(|r| r["errorCode"].is_null()).unwrap();
    assert!(throttled["output"].is_null() && late["output"].is_null());
    assert_eq!(late["requestId"], crate::outcomes::ID, "the call id when the upstream gave none");
    let expected = serde_json::json!({
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-22T12:00:03Z",
        "accountId": "123456789012",
        "identity": { "arn": "arn:aws:iam::123456789012:user/bedplate/payments/key_0123456789abcdef" },
        "region": "us-east-1",
        "requestId": "7c9e0000-1111-4222-8333-444455556666",
        "operation": "ConverseStream",
        "modelId": "us.amazon.nova-lite-v1:0",
        "requestMetadata": {
            "bedplate:team": "payments",
            "bedplate:feature": "triage",
            "bedplate:env": "prod",
            "bedplate:call": crate::outcomes::ID,
            "bedplate:user": "u-7",
            "bedplate:chain": "run-12",
            "bedplate:alias": "us.amazon.nova-lite-v1:0",
        },
        "input": {
            "inputContentType": "application/json",
            "inputTokenCount": 24,
            "cacheReadInputTokenCount": 100,
            "cacheWriteInputTokenCount": 10,
        },
        "output": { "outputContentType": "application/json", "outputTokenCount": 17 },
    });
    assert_eq!(**answered, expected);

    let known = shape_of_samples();
    for record in &records {
        let mut ours = BTreeMap::new();
        shape(record, "", &mut ours);
        for (path, kind) in ours {
            assert_eq!(known.get(&path), Some(&kind), "{path}");
        }
    }
    let keys = |r: &Value| r.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(keys(answered).iter().all(|k| keys(&sample("converse")).contains(k)));
}

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Paths and types of all members that Bedrock's records have.
fn shape_of_samples() -> BTreeMap<String, &'static str> {
    let mut known = BTreeMap::new();
    ["converse", "invoke-stream", "throttled"].iter().for_each(|name| shape(&sample(name), "", &mut known));
    known
}

fn shape(value: &Value, path: &str, out: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        _ => "other",
    };
    out.insert(path.to_owned(), kind);
    if let Value::Object(members) = value {
        for (name, member) in members {
            // the caller chooses these names
            let name = if path.ends_with("requestMetadata") { "*" } else { name };
            shape(member, &format!("{path}.{name}"), out);
        }
    }
}

#[test]
fn a_file_grows_and_is_moved_after_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let clock = noon();
    let log = log(folder.path(), &clock);
    log.settle(&nth(1));
    let open = folder.path().join(".open");
    until("a growing file", || files(&open).len() == 1 && files(&open)[0].metadata().unwrap().len() > 0);
    assert!(records(folder.path()).is_empty());
    log.settle(&nth(2));
    clock.advance(Duration::from_secs(59));
    log.settle(&nth(3));
    clock.advance(Duration::from_secs(2));
    until("the file in its place", || records(folder.path()).len() == 3);
    assert!(files(&open).is_empty());
    let name = files(&folder.path().join(BELOW))[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("20261122T120005000Z_") && name.ends_with(".json.gz"), "{name}");
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_folder_that_goes_away_costs_records_and_nothing_else() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("logs");
    let log = log(&folder, &noon());
    log.settle(&nth(1));
    until("a growing file", || files(&folder.join(".open")).iter().any(|f| f.metadata().unwrap().len() > 0));
    fs::remove_dir_all(&folder).unwrap();
    log.settle(&nth(2));
    // what was in the removed file is lost too, and said so
    until("two lost", || log.dropped() == 2);
    assert!(!folder.exists(), "the folder may be a mount that is missing: it is not made again");
    fs::create_dir(&folder).unwrap();
    log.settle(&nth(3));
    assert!(log.close(SECONDS));
    let back = records(&folder);
    assert_eq!(back.len(), 1);
    assert_eq!(back[0]["requestId"], "request-3");
    assert_eq!(log.dropped(), 2);
}

#[test]
fn what_a_killed_process_left_is_salvaged_as_far_as_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join(".open");
    // a file with two whole members, as a running log leaves it
    {
        let log = log(folder.path(), &noon());
        log.settle(&nth(1));
        until("a growing file", || files(&open).iter().any(|f| f.metadata().unwrap().len() > 0));
        let one = files(&open)[0].metadata().unwrap().len();
        log.settle(&nth(2));
        until("a second member", || files(&open)[0].metadata().unwrap().len() > one);
        // copied aside before the log ends properly
        fs::copy(&files(&open)[0], folder.path().join("copy")).unwrap();
        assert!(log.close(SECONDS));
    }
    fs::remove_dir_all(folder.path().join("AWSLogs")).unwrap();
    let whole = fs::read(folder.path().join("copy")).unwrap();
    let place = |id: &str| open.join(format!("123456789012_us-east-1_20261122T120004000Z_{id}.part"));
    fs::write(place("aaaa"), &whole).unwrap();
    // the second member torn at every kind of place: its header, its text, its check sum
    fs::write(place("bbbb"), &whole[..whole.len() - 3]).unwrap();
    fs::write(place("cccc"), &whole[..whole.len() / 2 + 4]).unwrap();
    fs::write(place("dddd"), &whole[..20]).unwrap();
    fs::write(place("eeee"), b"").unwrap();
    fs::write(open.join("notes.part"), b"hello").unwrap();
    // a living process holds this one
    let living = File::create(place("ffff")).unwrap();
    living.lock().unwrap();

    let log = log(folder.path(), &noon());
    until("salvage", || !place("aaaa").exists() && !place("eeee").exists());
    assert!(log.close(SECONDS));
    let by_file: BTreeMap<_, _> = files(&folder.path().join(BELOW))
        .iter()
        .map(|f| (f.file_name().unwrap().to_str().unwrap()[20..24].to_owned(), read(f).len()))
        .collect();
    assert_eq!(by_file, BTreeMap::from([("aaaa".into(), 2), ("bbbb".into(), 1), ("cccc".into(), 1)]));
    assert!(place("ffff").exists());
    assert!(open.join("notes.part").exists(), "what is not ours is left alone");
}

#[test]
fn kill_9_loses_a_second_at_most() {
    // the child is this test binary, told by an environment variable to log until it is killed
    if let Some(folder) = std::env::var_os("BEDPLATE_TEST_LOG_UNTIL_KILLED") {
        let log = log(Path::new(&folder), &noon());
        for n in 0.. {
            log.settle(&nth(n));
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "invocation_log::kill_9_loses_a_second_at_most"])
        .env("BEDPLATE_TEST_LOG_UNTIL_KILLED", folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let open = folder.path().join(".open");
    std::thread::sleep(Duration::from_millis(3_500));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(files(&open).len(), 1);
    let log = log(folder.path(), &noon());
    assert!(log.close(SECONDS));
    let kept: Vec<u64> = records(folder.path())
        .iter()
        .map(|r| r["requestId"].as_str().unwrap()["request-".len()..].parse().unwrap())
        .collect();
    assert!(kept.len() > 500, "about three seconds of records: {}", kept.len());
    assert!(kept.iter().enumerate().all(|(i, n)| *n == i as u64), "no gaps");
}

/// A limit on the size of files stands for the full disk: a write is cut short, the next one fails.
#[test]
fn a_full_disk_costs_records_and_never_spoils_a_file() {
    const CHILD: &str = "BEDPLATE_TEST_LOG_ON_A_FULL_DISK";
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = Path::new(&folder);
        let clock = noon();
        let log = log(folder, &clock);
        let mut settled = 0;
        while log.dropped() == 0 {
            (0..100).for_each(|_| {
                log.settle(&nth(settled));
                settled += 1;
            });
            std::thread::sleep(Duration::from_millis(500));
        }
        // the next file has room again
        clock.advance(Duration::from_secs(61));
        until("the full file in its place", || !files(&folder.join(BELOW)).is_empty());
        log.settle(&nth(999_999));
        assert!(log.close(SECONDS));
        fs::write(folder.join("said"), format!("{} {settled}", log.dropped())).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "ulimit -f 16; trap '' XFSZ; exec \"$0\" --exact \
        invocation_log::a_full_disk_costs_records_and_never_spoils_a_file";
    let child = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, folder.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(child.success());
    let said = fs::read_to_string(folder.path().join("said")).unwrap();
    let numbers: Vec<u64> = said.split(' ').map(|n| n.parse().unwrap()).collect();
    let (dropped, settled) = (numbers[0], numbers[1]);
    let kept = records(folder.path());
    assert!(0 < dropped && dropped < settled);
    assert_eq!(kept.len() as u64 + dropped, settled + 1, "each record is written or counted");
    assert!(kept.iter().any(|r| r["requestId"] == "request-999999"));
}

#[test]
fn two_processes_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (log(folder.path(), &noon()), log(folder.path(), &noon()));
    (0..100).for_each(|n| if n % 2 == 0 { a.settle(&nth(n)) } else { b.settle(&nth(n)) });
    assert!(a.close(SECONDS) && b.close(SECONDS));
    assert_eq!(files(&folder.path().join(BELOW)).len(), 2);
    assert_eq!(records(folder.path()).len(), 100);
}

#[test]
fn an_unknown_account_has_twelve_zeroes() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), &noon());
    let mut outcome = answered();
    outcome.attempts[0].account = "".into();
    log.settle(&Arc::new(outcome));
    assert!(log.close(SECONDS));
    let below = folder.path().join(BELOW.replace("123456789012", "000000000000"));
    assert_eq!(read(&files(&below)[0])[0]["accountId"], "000000000000");
}
