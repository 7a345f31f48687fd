//! boto3 against the simulator: each module of `tests/boto` is one test here.

use std::path::Path;

use bedplate_core::clock::SystemClock;
use bedplate_core::setting::SecretRef;
use bedplate_sim::{ApplicationProfile, Config, FaultKind, FaultRule, GuardrailSetting, ModelSetting, Sim};
use tokio::process::Command;

use crate::support::quiet;

fn config(bearer: &Path) -> Config {
    let mut config = quiet();
    config.account = "123456789012".into();
    config.bearer_tokens = vec![SecretRef::File(bearer.to_path_buf())];
    config.application_profile = vec![ApplicationProfile {
        id: "a1b2c3d4e5f6".into(),
        name: "payments-nova".into(),
        model: "us.amazon.nova-pro-v1:0".into(),
    }];
    config.guardrail = vec![GuardrailSetting {
        id: "gr0abc1def2g".into(),
        versions: vec!["3".into()],
        block: vec!["CREDIT_DEBIT_CARD_NUMBER".into()],
        anonymize: vec!["EMAIL".into()],
        words: vec!["forbidden word".into()],
        topic: Vec::new(),
        prompt_attack: true,
        blocked_input: Some("That request is not allowed here.".into()),
        blocked_output: None,
    }];
    config.model.push(ModelSetting { id: "*nova-micro*".into(), rpm: Some(1), ..ModelSetting::default() });
    config.fault = vec![FaultRule {
        kind: FaultKind::Unavailable,
        model: Some("amazon.nova-premier*".into()),
        operation: None,
        every: None,
        first: Some(2),
        rate: None,
        after: None,
        delay: None,
        exception: None,
        retry_after: None,
    }];
    config
}

async fn run(module: &str, tls: bool) {
    let python = std::env::var_os("BEDPLATE_TEST_PYTHON")
        .expect("BEDPLATE_TEST_PYTHON must name a Python with boto3: run scripts/test, or set it");
    let dir = tempfile::tempdir().unwrap();
    let bearer = dir.path().join("bearer");
    std::fs::write(&bearer, "bedrock-api-key-test").unwrap();
    let ca = dir.path().join("ca.pem");
    let server = if tls {
        let (server, pem) = bedplate_sim::tls::self_signed(&["localhost", "127.0.0.1"]).unwrap();
        std::fs::write(&ca, pem).unwrap();
        Some(server)
    } else {
        None
    };
    let listen = ([127, 0, 0, 1], 0).into();
    let sim = Sim::start(config(&bearer), listen, server, SystemClock::shared()).await.unwrap();
    let (id, secret) = sim.credentials();
    let scheme = if tls { "https" } else { "http" };
    let mut python = Command::new(python);
    python
        .args(["-m", "unittest", "-v", module])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto"))
        .env("SIM_URL", format!("{scheme}://localhost:{}", sim.addr().port()))
        .env("SIM_CA", &ca)
        .env("AWS_ACCESS_KEY_ID", id)
        .env("AWS_SECRET_ACCESS_KEY", secret.expose())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", dir.path().join("none"))
        .env("AWS_SHARED_CREDENTIALS_FILE", dir.path().join("none"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    for unset in [
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_ENDPOINT_URL",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
    ] {
        python.env_remove(unset);
    }
    let out =
        tokio::time::timeout(std::time::Duration::from_secs(120), python.output()).await.unwrap().unwrap();
    let log = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{module}:\n{log}");
    assert!(!log.contains("Ran 0 tests") && !log.contains("skipped"), "{log}");
    sim.stop().await;
}

#[tokio::test]
async fn converse() {
    run("test_converse", false).await;
}

#[tokio::test]
async fn invoke() {
    run("test_invoke", false).await;
}

#[tokio::test]
async fn catalogue() {
    run("test_catalogue", false).await;
}

#[tokio::test]
async fn guardrails() {
    run("test_guardrails", false).await;
}

#[tokio::test]
async fn errors() {
    run("test_errors", false).await;
}

#[tokio::test]
async fn samples() {
    run("test_samples", false).await;
}

#[tokio::test]
async fn bearer_over_tls() {
    run("test_bearer", true).await;
}
