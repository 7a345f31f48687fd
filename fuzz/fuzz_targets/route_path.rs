//! A path that is a route has a name that is safe to show, and encodes back to the same route.
#![no_main]

use bedplate_core::refusal::Refusal;
use bedplate_wire::bedrock::{Family, Route};
use libfuzzer_sys::fuzz_target;

fn encoded(name: &str) -> String {
    name.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fuzz_target!(|data: (&str, &str)| {
    let (raw, label) = data;
    for path in [raw.to_owned(), format!("/model/{label}/converse"), format!("/inference-profiles/{label}")] {
        for method in ["GET", "POST"] {
            match Route::of(method, &path) {
                Ok(route) => {
                    assert!(!route.name.chars().any(char::is_control));
                    assert!(route.name.chars().count() <= 2_048);
                    let _ = Family::of(&route.name);
                    if path.starts_with("/model/") && path.ends_with("/converse") {
                        let again = format!("/model/{}/converse", encoded(&route.name));
                        assert_eq!(Route::of(method, &again), Ok(route));
                    }
                }
                Err(e) => assert!(!Refusal::from(e).said.is_empty()),
            }
        }
    }
});
