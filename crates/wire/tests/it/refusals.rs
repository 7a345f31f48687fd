//! Every refusal as a caller sees it, byte for byte.

use std::fmt::Write as _;

use bedplate_core::refusal::{Code, Refusal};
use bedplate_wire::bedrock::refuse::aws_error;

#[test]
fn refusals_are_what_the_golden_file_says() {
    let mut all = String::new();
    for code in Code::ALL {
        let e = aws_error(&Refusal::of(*code));
        let body = std::str::from_utf8(&e.body).unwrap();
        writeln!(all, "{code} {} {}\n  {body}", e.status, e.error_type).unwrap();
    }
    let golden = include_str!("../golden/refusals.txt");
    assert!(all == golden, "tests/golden/refusals.txt should be:\n{all}");
}

#[test]
fn refusals_in_the_words_of_anthropic_are_what_the_golden_file_says() {
    let mut all = String::new();
    for code in Code::ALL {
        let e = bedplate_wire::anthropic::refuse::error(&Refusal::of(*code), "call");
        let again = e.should_retry.unwrap_or(matches!(e.status, 408 | 409 | 429) || e.status >= 500);
        let body = std::str::from_utf8(&e.body).unwrap();
        writeln!(all, "{code} {} {}\n  {body}", e.status, if again { "again" } else { "never" }).unwrap();
    }
    let golden = include_str!("../golden/refusals-anthropic.txt");
    assert!(all == golden, "tests/golden/refusals-anthropic.txt should be:\n{all}");
}

#[test]
fn errors_of_bedrock_in_the_words_of_anthropic() {
    for (name, status, want) in [
        ("ThrottlingException", 429, (429, "rate_limit_error")),
        ("ServiceUnavailableException", 503, (529, "overloaded_error")),
        ("ModelTimeoutException", 408, (504, "timeout_error")),
        ("ModelErrorException", 424, (424, "api_error")),
        ("ValidationException", 400, (400, "invalid_request_error")),
        ("AccessDeniedException", 403, (403, "permission_error")),
        ("InternalServerException", 500, (500, "api_error")),
    ] {
        let e = bedplate_wire::anthropic::refuse::upstream(status, name, "a \"b\"", "call");
        assert_eq!((e.status, e.kind), want, "{name}");
        let body: serde_json::Value = serde_json::from_slice(&e.body).unwrap();
        let said = serde_json::json!({"type": "error", "error": {"type": e.kind, "message": "a \"b\""}, "request_id": "call"});
        assert_eq!(body, said);
    }
}
