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
