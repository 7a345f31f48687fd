//! The embedded list, read a second time by other means.

use std::collections::BTreeMap;

use bedplate_core::money::Cost;
use bedplate_core::usage::{Unit, Usage};
use bedplate_cost::{Ask, PriceBook};
use serde_json::Value;

fn list() -> Value {
    serde_json::from_str(include_str!("../../data/models.json")).unwrap()
}

#[test]
fn the_book_says_where_it_comes_from() {
    let book = PriceBook::embedded();
    assert_eq!(&*book.version(), list()["generated"]);
    assert_eq!(&*book.source(), list()["source"]);
    assert_eq!(
        book.entries().len() + book.mantle_entries().len(),
        list()["models"].as_array().unwrap().len()
    );
    assert_eq!(book.max_output_tokens("amazon.nova-lite-v1:0"), Some(10_000));
    assert_eq!(
        book.entry("us.anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap().geo.as_deref(),
        Some("us")
    );
}

/// A million tokens (or one unit) of each price by itself, against the list read as floats.
#[test]
fn every_default_price_is_the_lists() {
    let book = PriceBook::embedded();
    let mut seen = 0;
    for model in list()["models"].as_array().unwrap() {
        if model["endpoint"] != "bedrock-runtime" {
            continue;
        }
        let id = model["id"].as_str().unwrap();
        let region = if model["geo"] == "us-gov" { "us-gov-west-1" } else { "us-east-1" };
        for (member, dollars) in model["price"].as_object().unwrap() {
            let Some((tier, usage)) = one(member) else { continue };
            if model["price"]["usd_per_output_image_by_size"].as_object().is_some_and(|s| s.len() > 1) {
                continue;
            }
            let priced = book.price(Ask { model: id, region, tier, usage: &usage });
            let nanos = (dollars.as_f64().unwrap() * 1e9).round();
            let long = model["price_long_context"].is_array();
            assert!(
                long || matches!(priced.cost, Cost::Known(n) if n.0 as f64 == nanos),
                "{id} {member}: {priced:?}"
            );
            seen += 1;
        }
    }
    assert!(seen > 800, "{seen}");
}

fn one(member: &str) -> Option<(&'static str, Usage)> {
    let n = 1_000_000;
    let unit = |unit| Usage { units: vec![(unit, 1)], ..Usage::default() };
    Some((
        "",
        match member {
            "input" => Usage { input: n, ..Usage::default() },
            "output" => Usage { output: n, ..Usage::default() },
            "cache_read" => Usage { cache_read: n, ..Usage::default() },
            "cache_write_5m" => Usage { cache_write_5m: n, ..Usage::default() },
            "cache_write_1h" => Usage { cache_write_1h: n, ..Usage::default() },
            "usd_per_query" => unit(Unit::Query),
            "usd_per_input_image" => unit(Unit::InputImage),
            "usd_per_output_image" => unit(Unit::OutputImage),
            "usd_per_input_video_second" => unit(Unit::InputVideoSecond),
            "usd_per_input_audio_second" => unit(Unit::InputAudioSecond),
            _ => return None,
        },
    ))
}

#[test]
fn ids_are_unique_within_an_endpoint() {
    let mut seen = BTreeMap::new();
    for model in list()["models"].as_array().unwrap() {
        *seen.entry((model["endpoint"].to_string(), model["id"].to_string())).or_insert(0) += 1;
    }
    assert!(seen.values().all(|n| *n == 1));
}
