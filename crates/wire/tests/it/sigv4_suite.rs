//! The AWS signing test suite, read from the source of the `aws-sigv4` crate wherever cargo keeps it.

use std::path::{Path, PathBuf};
use std::process::Command;

use bedplate_wire::sigv4::{self, BodyDigest, Claim, HeaderSource, Request, SigningKey};

/// What the suite holds for services unlike Bedrock: paths that are not tidied, or encoded only once; a
/// session token that is added after signing; folded header lines, which no HTTP server lets pass.
const OTHERS: &[&str] = &[
    "-unnormalized",
    "get-space-normalized",
    "double-encode-path",
    "post-sts-header-after",
    "get-header-value-multiline",
];

#[test]
fn every_request_of_the_suite_verifies() {
    let mut verified = 0;
    for case in std::fs::read_dir(suite()).unwrap() {
        let dir = case.unwrap().path();
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        if OTHERS.iter().any(|other| name.ends_with(other)) {
            continue;
        }
        for form in ["header", "query"] {
            let file = dir.join(format!("{form}-signed-request.txt"));
            if let Ok(text) = std::fs::read(&file) {
                verify(&name, form, &text);
                verified += 1;
            }
        }
    }
    assert!(verified >= 55, "only {verified} requests were found");
}

/// The one secret of the suite.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn verify(name: &str, form: &str, text: &[u8]) {
    let text = String::from_utf8(text.to_vec()).unwrap().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let (method, rest) = first.split_once(' ').unwrap();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &[u8])> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n, v.as_bytes())).collect();
    let request = Request { method, path, query, headers: &headers };
    let claim = Claim::read(headers.first("authorization").as_deref(), query)
        .unwrap_or_else(|| panic!("{name} {form}: no claim"))
        .unwrap_or_else(|e| panic!("{name} {form}: {e}"));
    let at = claim.signed_at(&headers).unwrap();
    let key = SigningKey::derive(SECRET, at.date(), claim.scope.region(), claim.scope.service());
    let hash = BodyDigest::of(body.as_bytes()).hex();
    let shown = sigv4::explain(&claim, &at, &request, &hash);
    assert_eq!(
        sigv4::verify(&claim, &at, &request, &hash, &key),
        Ok(()),
        "{name} {form}\n{}",
        shown.canonical_request
    );
}

fn suite() -> PathBuf {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|p| p["name"] == "aws-sigv4").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().join("aws-signing-test-suite/v4")
}
