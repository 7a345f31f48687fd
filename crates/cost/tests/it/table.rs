//! `tests/prices/golden.md`: calls whose cost was worked out by hand.

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::usage::{Unit, Usage};

use super::price;

const TABLE: &str = include_str!("../../../../tests/prices/golden.md");

/// `in 1000, read 10, query 3`
fn used(text: &str) -> Usage {
    let mut usage = Usage::default();
    for part in text.split(", ") {
        let (name, n) = part.split_once(' ').unwrap();
        let n: u64 = n.parse().unwrap();
        match name {
            "in" => usage.input = n,
            "out" => usage.output = n,
            "read" => usage.cache_read = n,
            "w5m" => usage.cache_write_5m = n,
            "w1h" => usage.cache_write_1h = n,
            unit => {
                let unit: Unit = serde_json::from_value(unit.into()).unwrap();
                usage.units.push((unit, n));
            }
        }
    }
    usage
}

fn cost(text: &str) -> Cost {
    let nanos = |text: &str| Nanos(text.parse().unwrap());
    text.strip_prefix("unknown + ")
        .map_or_else(|| Cost::Known(nanos(text)), |part| Cost::Unknown(nanos(part)))
}

#[test]
fn the_book_agrees_with_every_row() {
    let mut seen = 0;
    for line in TABLE.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, model, region, tier, usage, _, expected] = cells[..] else { panic!("{line}") };
        if number.parse::<u32>().is_err() {
            continue;
        }
        let priced = price(model, region, tier, &used(usage));
        assert_eq!(priced.cost, cost(expected), "row {number}: {}", priced.basis);
        seen += 1;
    }
    assert!(seen >= 60, "{seen} rows");
}
