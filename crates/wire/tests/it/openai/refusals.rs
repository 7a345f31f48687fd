//! Every refusal as OpenAI's clients see it, byte for byte, and every error of Bedrock's.

use std::fmt::Write as _;

use bedplate_core::refusal::{Code, Refusal};
use bedplate_wire::openai::refuse::{Error, error, event, upstream};

fn line(name: &str, e: &Error, all: &mut String) {
    let again = match e.should_retry {
        Some(again) => format!(" x-should-retry: {again}"),
        None => String::new(),
    };
    writeln!(all, "{name} {}{again}\n  {}", e.status, std::str::from_utf8(&e.body).unwrap()).unwrap();
}

#[test]
fn refusals_are_what_the_golden_file_says() {
    let mut all = String::new();
    for code in Code::ALL {
        line(&code.to_string(), &error(&Refusal::of(*code)), &mut all);
    }
    line(
        "with a member",
        &error(&Refusal::new(Code::BadValue, "`messages[0].role`: expected `user`")),
        &mut all,
    );
    for (status, name) in [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (403, "UnrecognizedClientException"),
        (403, "ExpiredTokenException"),
        (404, "ResourceNotFoundException"),
        (400, "ServiceQuotaExceededException"),
        (429, "ThrottlingException"),
        (429, "ModelNotReadyException"),
        (408, "ModelTimeoutException"),
        (424, "ModelErrorException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
        (413, ""),
        (502, ""),
    ] {
        line(&format!("upstream {status} {name}"), &upstream(status, name, "what it \"says\""), &mut all);
    }
    let golden = include_str!("../../golden/openai-refusals.txt");
    assert!(all == golden, "tests/golden/openai-refusals.txt should be:\n{all}");
}

#[test]
fn a_broken_stream_ends_with_an_error_that_clients_raise() {
    for code in Code::ALL {
        let event = event(&Refusal::of(*code));
        let data = std::str::from_utf8(&event).unwrap().strip_prefix("data: ").unwrap();
        let body: serde_json::Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
        assert!(body["error"]["message"].as_str().is_some_and(|said| !said.is_empty()), "{code}");
        assert!(body["error"].as_object().unwrap().contains_key("code"));
    }
}
