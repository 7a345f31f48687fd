//! A measurement, not a test: `cargo test --release -p bedplate-cost --test it -- --ignored --nocapture speed`.

use bedplate_core::clock::SystemClock;
use bedplate_cost::{Ask, PriceBook};

use super::tokens;

#[test]
#[ignore = "a measurement"]
fn speed() {
    let clock = SystemClock::shared();
    let began = clock.tick();
    let book = PriceBook::embedded();
    let ready = clock.tick().since(began);
    let usage = tokens(1_000, 10_000, 2_000, 500, 300);
    let ask = Ask {
        model: "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        region: "us-east-1",
        tier: "default",
        usage: &usage,
    };
    let n = 1_000_000;
    let began = clock.tick();
    for _ in 0..n {
        std::hint::black_box(book.price(std::hint::black_box(ask)));
    }
    println!("embedded {ready:?}, price {:?}", clock.tick().since(began) / n);
}
