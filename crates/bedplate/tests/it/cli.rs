//! Commands that need no gateway.

use crate::running::run;

fn project(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bedplate.toml"), config).unwrap();
    dir
}

#[test]
fn check_names_the_place_and_the_nearest_right_name() {
    let dir = project("[listen]\ndata = \"127.0.0.1:0\"\n\n[timeuot]\nidle = \"1s\"\n");
    let (code, _, err) = run(dir.path(), &["check"]);
    assert_eq!(code, 2);
    assert!(err.contains("bedplate.toml:4:2"), "{err}");
    assert!(err.contains("did you mean `timeout`?"), "{err}");

    let (code, out, _) = run(project("").path(), &["check"]);
    assert_eq!((code, out.contains("is good")), (0, true), "{out}");
}

#[test]
fn check_reads_the_prices_too() {
    let folder = project("[prices]\noverrides = \"prices.toml\"\n");
    let (code, _, said) = run(folder.path(), &["check"]);
    assert!(code == 2 && said.contains("bedplate.toml:2:") && said.contains("prices.toml"), "{said}");
    std::fs::write(folder.path().join("prices.toml"), "[models.\"m.x\"]\nprice = { inputs = 1 }\n").unwrap();
    let (code, _, said) = run(folder.path(), &["check"]);
    assert!(code == 2 && said.contains("price.inputs: no such price"), "{said}");
    std::fs::write(
        folder.path().join("prices.toml"),
        "[models.\"m.x\"]\nprice = { input = 1, output = 2 }\n",
    )
    .unwrap();
    let (code, _, said) = run(folder.path(), &["check"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn explain_knows_every_code_and_no_other() {
    let dir = project("");
    let (code, out, _) = run(dir.path(), &["explain", "bp1003"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("# BP1003"), "{out}");
    assert_eq!(run(dir.path(), &["explain", "BP0000"]).0, 2);
}

#[test]
fn keys_are_made_listed_rotated_and_disabled() {
    let dir = project("");
    let json = |args: &[&str]| {
        let (code, out, err) = run(dir.path(), &[args, &["--format", "json"]].concat());
        assert_eq!(code, 0, "{err}");
        out.lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let made = json(&[
        "key",
        "create",
        "--team",
        "support",
        "--feature",
        "triage",
        "--env",
        "prod",
        "--expires",
        "30d",
    ]);
    let id = made[0]["key_id"].as_str().unwrap().to_owned();
    assert_eq!(made[0]["access_key_id"].as_str().unwrap().len(), 20);
    assert!(made[0]["secret_access_key"].is_string() && made[0]["bearer_token"].is_string());

    let rotated = json(&["key", "rotate", &id, "--overlap", "1h"]);
    let listed = json(&["key", "list"]);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1]["rotated_from"], id.as_str());
    assert_eq!(listed[1]["team"], "support");
    let successor = rotated[0]["key_id"].as_str().unwrap();
    json(&["key", "disable", successor]);
    assert_eq!(json(&["key", "list"])[1]["state"], "disabled");

    assert_eq!(run(dir.path(), &["key", "disable", "key_nobody"]).0, 2);
    assert_eq!(run(dir.path(), &["key", "create", "--team", "no spaces"]).0, 2);
    let raw = std::fs::read(dir.path().join(".bedplate/bedplate.db")).unwrap();
    let secret = made[0]["secret_access_key"].as_str().unwrap().as_bytes();
    assert!(!raw.windows(secret.len()).any(|w| w == secret), "the secret stands in the database");
}

#[test]
fn doctor_finds_nothing_wrong_with_a_new_project() {
    let (code, out, _) = run(project("").path(), &["doctor"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("the built-in simulator"), "{out}");
}

#[test]
fn doctor_says_what_to_fix() {
    let dir = project(
        "[[provider]]\nname = \"gone\"\nkind = \"bedrock\"\nendpoints = { runtime = \"http://127.0.0.1:1\", control = \"http://127.0.0.1:1\" }\n\
         bearer = { file = \"token\" }\n",
    );
    std::fs::write(dir.path().join("token"), "t0ken").unwrap();
    let (code, out, _) = run(dir.path(), &["doctor"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("BAD") && out.contains("127.0.0.1:1"), "{out}");
}

#[test]
fn a_secret_that_is_not_there_is_named() {
    let dir =
        project("[[provider]]\nname = \"a\"\nkind = \"bedrock\"\nbearer = { env = \"NO_SUCH_TOKEN\" }\n");
    let (code, _, err) = run(dir.path(), &["up", "--data", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
    assert_eq!(code, 2);
    assert!(err.contains("`NO_SUCH_TOKEN`"), "{err}");
}
