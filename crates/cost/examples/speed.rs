//! What reading the book and pricing a call cost: `cargo run --release -p bedplate-cost --example speed`.
#![allow(clippy::print_stdout, reason = "a measurement")]

use bedplate_core::clock::SystemClock;
use bedplate_core::usage::Usage;
use bedplate_cost::{Ask, PriceBook};

fn main() {
    let clock = SystemClock::shared();
    let began = clock.tick();
    let book = PriceBook::embedded();
    let ready = clock.tick().since(began);
    let usage = Usage {
        input: 1_000,
        cache_read: 10_000,
        cache_write_5m: 2_000,
        cache_write_1h: 500,
        output: 300,
        ..Usage::default()
    };
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
