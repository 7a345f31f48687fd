//! Random calls, priced by `tests/prices/cases.py`: another language, another arithmetic, no shared code.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::usage::{Unit, Usage};
use bedplate_cost::{Ask, PriceBook};
use serde::Deserialize;

/// A line: a price file, or a call.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Book { book: usize, file: String },
    Call(Call),
}

#[derive(Deserialize, Debug)]
struct Call {
    by: usize,
    at: String,
    model: String,
    region: String,
    tier: String,
    usage: BTreeMap<String, u64>,
    known: bool,
    nanos: i64,
}

fn usage(counts: &BTreeMap<String, u64>) -> Usage {
    let mut usage = Usage::default();
    for (name, n) in counts {
        match &**name {
            "input" => usage.input = *n,
            "output" => usage.output = *n,
            "cache_read" => usage.cache_read = *n,
            "cache_write_5m" => usage.cache_write_5m = *n,
            "cache_write_1h" => usage.cache_write_1h = *n,
            unit => {
                let unit: Unit = serde_json::from_value(unit.into()).unwrap();
                usage.units.push((unit, *n));
            }
        }
    }
    usage
}

/// What the generator says, by the Python that tests name, else the one on the path.
fn lines(seed: &str) -> Vec<Line> {
    let python = std::env::var_os("BEDPLATE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/prices");
    let out = Command::new(python)
        .args(["cases.py", seed])
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn two_readings_of_the_list_agree_to_the_nano_dollar() {
    let mut books: Vec<PriceBook> = Vec::new();
    let (mut calls, mut known) = (0, 0);
    for line in lines("20261122") {
        let call = match line {
            Line::Book { book, file } => {
                assert_eq!(book, books.len());
                let read = PriceBook::embedded().with_overrides(&file);
                books.push(read.unwrap_or_else(|e| panic!("{e}\n{file}")));
                continue;
            }
            Line::Call(call) => call,
        };
        let usage = usage(&call.usage);
        let ask = Ask { model: &call.model, region: &call.region, tier: &call.tier, usage: &usage };
        let priced = books[call.by].on(Timestamp::parse(&call.at).unwrap()).price(ask);
        let expected =
            if call.known { Cost::Known(Nanos(call.nanos)) } else { Cost::Unknown(Nanos(call.nanos)) };
        assert_eq!(priced.cost, expected, "{}: {call:?}", priced.basis);
        calls += 1;
        known += u32::from(call.known && call.nanos > 0);
    }
    // a generator that found no price for anything would agree too
    assert!(calls >= 20_000 && known >= 8_000, "{calls} calls, {known} with a price");
}
