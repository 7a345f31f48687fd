//! An operator's file.

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::usage::Usage;
use bedplate_cost::{Ask, PriceBook};

use super::tokens;

fn with(text: &str) -> PriceBook {
    PriceBook::embedded().with_overrides(text).unwrap()
}

fn cost(book: &PriceBook, model: &str, region: &str, tier: &str, usage: &Usage) -> Cost {
    book.price(Ask { model, region, tier, usage }).cost
}

#[test]
fn an_operators_price_stands_over_the_lists() {
    let book = with(
        r#"
        [models."openai.gpt-oss-120b-1:0"]
        price = { input = 0.123456, output = 1 }
        price_tiers.priority = { input = "0.2", output = 2.5e-1 }
        price_by_region.eu-west-1 = { input = 3, output = 4 }

        [models."acme.own-model-v1:0"]
        price = { input = 1 }
        price_long_context = [{ above_input_tokens = 10, input = 2 }]
        max_output_tokens = 77

        [guardrail_usd_per_unit]
        contentPolicyUnits = 0.00012
        "#,
    );
    assert!(book.version().starts_with("2026-11-22+overrides."), "{}", book.version());
    let oss = "openai.gpt-oss-120b-1:0";
    let usage = tokens(1_000_000, 0, 0, 0, 1_000_000);
    assert_eq!(cost(&book, oss, "us-east-1", "", &usage), Cost::Known(Nanos(1_123_456_000)));
    assert_eq!(cost(&book, oss, "us-east-1", "priority", &usage), Cost::Known(Nanos(450_000_000)));
    assert_eq!(cost(&book, oss, "eu-west-1", "", &usage), Cost::Known(Nanos(7_000_000_000)));
    // the list's flex row belonged to the list's price
    assert!(!cost(&book, oss, "us-east-1", "flex", &usage).is_known());
    let own = "acme.own-model-v1:0";
    assert_eq!(cost(&book, own, "us-east-1", "", &tokens(10, 0, 0, 0, 0)), Cost::Known(Nanos(10_000)));
    assert_eq!(cost(&book, own, "us-east-1", "", &tokens(11, 0, 0, 0, 0)), Cost::Known(Nanos(22_000)));
    assert_eq!(book.max_output_tokens(own), Some(77));
    // the embedded book is as it was
    assert_eq!(&*PriceBook::embedded().version(), "2026-11-22");
    assert!(PriceBook::embedded().entry(own).is_none());
}

#[test]
fn a_version_says_which_file_it_was() {
    // what `sha256sum` begins with
    assert_eq!(&*with("").version(), "2026-11-22+overrides.e3b0c442");
    let (cheap, dear) =
        ("[models.\"m.x\"]\nprice = { input = 1 }", "[models.\"m.x\"]\nprice = { input = 2 }");
    assert_ne!(with(cheap).version(), with(dear).version());
    assert_eq!(with(cheap).version(), with(cheap).version());
    let both = with(cheap).with_overrides(dear).unwrap();
    assert!(both.version().starts_with(&format!("{}.", with(cheap).version())), "{}", both.version());
}

#[test]
fn json_reads_alike() {
    let toml = with("[models.\"m.x\"]\nprice = { input = 0.035, output = 6e-5 }");
    let json = with(r#"{"models": {"m.x": {"price": {"input": 0.035, "output": 6e-5}}}}"#);
    assert_eq!(toml.entry("m.x"), json.entry("m.x"));
}

#[test]
fn errors_name_the_place() {
    for (text, said) in [
        (
            "[models.\"a.b\"]\nprice = { input = 0.0000001 }",
            "models.\"a.b\".price.input: not a price: `0.0000001` is not a whole number of pico-dollars or too large",
        ),
        (
            "[models.\"a.b\"]\nprice = { input = -1 }",
            "models.\"a.b\".price.input: not a price: `-1` is below zero or too large",
        ),
        ("[models.\"a.b\"]\nprice = { inputs = 1 }", "models.\"a.b\".price.inputs: no such price"),
        (
            r#"{"models": {"a.b": {"price_tiers": {"flex": {"output": true}}}}}"#,
            "models.\"a.b\".price_tiers.flex.output: a number of dollars is needed, found true or false",
        ),
        (
            "[models.\"a.b\"]\nprice_long_context = [{ input = 1 }]",
            "models.\"a.b\".price_long_context[0]: `above_input_tokens` is missing",
        ),
        ("[guardrail_usd_per_unit]\nnope = 1", "guardrail_usd_per_unit.nope: no such guardrail unit"),
        ("prices = 1", "prices: no such member; `models` and `guardrail_usd_per_unit` are taken"),
        (r#"{"models": {"a.b": {}, "a.b": {}}}"#, "`a.b` stands twice"),
        ("[models.\"a.b\"]\nid = \"x\"", "models.\"a.b\".id: no such member; taken are price,"),
    ] {
        let e = PriceBook::embedded().with_overrides(text).err().unwrap().to_string();
        assert!(e.contains(said), "{e}");
    }
}
