//! Prints `docs/dialects.md`: `cargo run -q -p bedplate-wire --example dialects > docs/dialects.md`.

#![allow(clippy::print_stdout, reason = "a page, made by hand")]

#[path = "../tests/it/dialects/page.rs"]
mod page;

fn main() {
    print!("{}", page::page());
}
