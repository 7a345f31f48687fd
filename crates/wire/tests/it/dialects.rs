//! One dialect and another: the page that says what goes, and what comes back that went.

mod across;
mod page;

#[test]
fn the_page_in_docs_is_what_the_codecs_say() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md");
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == page::page(),
        "docs/dialects.md is not what the codecs say: cargo run -q -p bedplate-wire --example dialects > docs/dialects.md"
    );
}
