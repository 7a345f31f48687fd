//! An operator's file.

use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::record::OPTIMIZED;
use bedplate_core::usage::{Unit, Usage};
use bedplate_cost::{Ask, PriceBook};

use super::{tokens, units};

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
        price = { input = 1, output = 0 }
        price_long_context = [{ above_input_tokens = 10, input = 2, output = 0 }]
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
    let (cheap, dear) = (
        "[models.\"m.x\"]\nprice = { input = 1, output = 0 }",
        "[models.\"m.x\"]\nprice = { input = 2, output = 0 }",
    );
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
fn announced_prices_hold_from_their_day() {
    let book = with(
        r#"
        [[models."us.amazon.nova-lite-v1:0"]]
        from = "2027-01-01"
        price = { input = 0.05, output = 0.2 }

        [[models."us.amazon.nova-lite-v1:0"]]
        from = 2027-03-01
        price_tiers.flex = { input = 0.01, output = 0.02 }

        [[models."acme.later-v1:0"]]
        from = "2027-02-01"
        price = { input = 1, output = 2 }

        [[guardrail_usd_per_unit]]
        from = "2027-01-01"
        contentPolicyUnits = 0.0002
        "#,
    );
    let nova = "us.amazon.nova-lite-v1:0";
    let usage = tokens(1_000, 0, 0, 0, 0);
    let on = |day: &str, model: &str, tier: &str, usage: &Usage| {
        let at = Timestamp::parse(day).unwrap();
        let priced = book.on(at).price(Ask { model, region: "us-east-1", tier, usage });
        (priced.cost, priced.basis.to_string())
    };
    // the old price to the last moment, the new one from the first, and the basis says which
    let old = on("2026-12-31T23:59:59.999999Z", nova, "", &usage);
    assert_eq!(old, (Cost::Known(Nanos(60_000)), "default-region price".into()));
    let new = on("2027-01-01T00:00:00Z", nova, "", &usage);
    assert_eq!(new, (Cost::Known(Nanos(50_000)), "default-region price from 2027-01-01".into()));
    // a later row stands over the one before it, not over the list
    let (cost, basis) = on("2027-03-01T00:00:00Z", nova, "flex", &usage);
    assert_eq!((cost, &*basis), (Cost::Known(Nanos(10_000)), "price of the tier from 2027-03-01"));
    assert_eq!(on("2027-03-01T00:00:00Z", nova, "", &usage).0, Cost::Known(Nanos(50_000)));
    assert!(!on("2027-02-28T23:59:59Z", nova, "flex", &usage).0.is_known());
    // a model that has no price yet is unknown, not free
    let (cost, basis) = on("2027-01-31T00:00:00Z", "acme.later-v1:0", "", &usage);
    assert_eq!(
        (cost, &*basis),
        (Cost::Unknown(Nanos(0)), "no price: the price book does not know the model")
    );
    assert_eq!(on("2027-02-01T00:00:00Z", "acme.later-v1:0", "", &usage).0, Cost::Known(Nanos(1_000_000)));
    // guardrails alike
    let checks = units(&[(Unit::GuardrailContent, 10)]);
    assert_eq!(on("2026-12-31T00:00:00Z", "gr-1", "", &checks).0, Cost::Known(Nanos(1_500_000)));
    let (cost, basis) = on("2027-01-01T00:00:00Z", "gr-1", "", &checks);
    assert_eq!((cost, &*basis), (Cost::Known(Nanos(2_000_000)), "prices of guardrail units from 2027-01-01"));
    // a book that was not asked about a day gives what holds from ever
    assert_eq!(cost_of(&book, nova, &usage), Cost::Known(Nanos(60_000)));
    let days: Vec<String> = book.days(nova).iter().map(ToString::to_string).collect();
    assert_eq!(days, ["2027-01-01T00:00:00Z", "2027-03-01T00:00:00Z"]);
}

fn cost_of(book: &PriceBook, model: &str, usage: &Usage) -> Cost {
    cost(book, model, "us-east-1", "", usage)
}

#[test]
fn latency_optimised_inference_has_a_price_of_its_own() {
    let book = with(
        r#"
        [models."us.amazon.nova-pro-v1:0"]
        price_latency_optimized = { input = 1, output = 4, cache_read = 0.25 }
        price_long_context = [{ above_input_tokens = 100000, input = 2, output = 8 }]
        "#,
    );
    let pro = "us.amazon.nova-pro-v1:0";
    let ask = |tier, usage: &Usage| {
        let priced = book.price(Ask { model: pro, region: "us-east-1", tier, usage });
        (priced.cost, priced.basis.to_string())
    };
    // 1000×1 + 100×4 + 10×0.25 + 7×1 (writes as input), in micro-dollars
    let usage = tokens(1_000, 10, 7, 0, 100);
    let (cost, basis) = ask(OPTIMIZED, &usage);
    assert_eq!(cost, Cost::Known(Nanos(1_409_500)));
    assert_eq!(basis, "price of latency-optimised inference; cache writes as plain input");
    assert_ne!(ask("", &usage).0, cost);
    // what nobody listed is unknown: other models, other tiers, long prompts, regions of their own
    let plain =
        PriceBook::embedded().price(Ask { model: pro, region: "us-east-1", tier: OPTIMIZED, usage: &usage });
    assert_eq!(plain.cost, Cost::Unknown(Nanos(0)));
    assert!(plain.basis.to_string().contains("latency-optimised"), "{}", plain.basis);
    assert!(!ask("flex, optimized", &usage).0.is_known());
    assert!(!ask(OPTIMIZED, &tokens(100_001, 0, 0, 0, 0)).0.is_known());
}

#[test]
fn an_arn_may_have_a_row_of_its_own() {
    let provisioned = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl";
    let book = with(&format!("[models.\"{provisioned}\"]\nprice = {{ input = 0, output = 0 }}\n"));
    assert_eq!(cost_of(&book, provisioned, &tokens(1_000, 0, 0, 0, 10)), Cost::Known(Nanos(0)));
    let other = provisioned.replace("abc", "xyz");
    assert!(!cost_of(&book, &other, &tokens(1_000, 0, 0, 0, 10)).is_known());
    // and stands over the model that is named in it
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    let book = with(&format!("[models.\"{arn}\"]\nprice = {{ input = 1, output = 1 }}\n"));
    assert_eq!(cost_of(&book, arn, &tokens(1, 0, 0, 0, 0)), Cost::Known(Nanos(1_000)));
    assert_eq!(cost_of(&book, "us.amazon.nova-lite-v1:0", &tokens(1, 0, 0, 0, 0)), Cost::Known(Nanos(60)));
}

#[track_caller]
fn refused(text: &str, said: &str) {
    let e = PriceBook::embedded().with_overrides(text).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(e.contains(said), "`{e}` does not say `{said}`");
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
        ("[models.\"a.b\"]\nid = \"x\"", "models.\"a.b\".id: no such member; taken are from, price,"),
        ("[models.\"\"]\nprice = { input = 1 }", "models.\"\": a model has a name"),
        (
            "[models.\"a.b\"]\nprice_by_region.us-east1 = { input = 1, output = 1 }",
            "models.\"a.b\".price_by_region.us-east1: not the name of a region",
        ),
        (
            "[models.\"a.b\"]\nprice_tiers.optimized = { input = 1, output = 1 }",
            "models.\"a.b\".price_tiers.optimized: no service tier: write `price_latency_optimized`",
        ),
        (
            "[models.\"a.b\"]\nprice_tiers.default = { input = 1, output = 1 }",
            "models.\"a.b\".price_tiers.default: the standard tier is `price`",
        ),
    ] {
        refused(text, said);
    }
}

#[test]
fn rows_that_overlap_and_days_that_are_none_are_refused() {
    let rows = |a: &str, b: &str| {
        let row = |from: &str| format!("[[models.\"a.b\"]]\n{from}\nprice = {{ input = 1, output = 2 }}\n");
        row(a) + &row(b)
    };
    let day = "from = \"2027-01-01\"";
    for (text, said) in [
        (rows(day, "from = 2027-01-01"), "models.\"a.b\"[1]: overlaps: two rows have the day 2027-01-01"),
        (rows("", ""), "models.\"a.b\"[1]: overlaps: two rows have no day `from`"),
        (rows("", "from = \"2027-02-30\""), "models.\"a.b\"[1].from: not a day: `2027-02-30`"),
        (rows("from = \"soon\"", day), "models.\"a.b\"[0].from: not a day: `soon`; write it as `2027-01-31`"),
        (rows("from = 2027-01-01T12:00:00Z", day), "models.\"a.b\"[0].from: not a day"),
        (rows("from = 2027", day), "models.\"a.b\"[0].from: a day such as `2027-01-31` is needed, found a number"),
        (
            "[models.\"a.b\"]\nprice = { input = 1, output = 1 }\nprice_long_context = [{ above_input_tokens = 9, \
             input = 1, output = 1 }, { above_input_tokens = 9, input = 2, output = 2 }]"
                .to_owned(),
            "models.\"a.b\".price_long_context[1]: overlaps: two rows begin above 9 tokens",
        ),
    ] {
        refused(&text, said);
    }
}

#[test]
fn holes_are_refused() {
    let whole = "price = { input = 1, output = 2 }";
    for (rows, said) in [
        ("price = {}", "models.\"a.b\".price: no price stands here"),
        ("price_tiers.flex = { input = 1, output = 2 }", "models.\"a.b\".price: no price stands here"),
        (
            "price = { input = 1 }",
            "models.\"a.b\".price: `output` is missing; write 0 when the model gives none",
        ),
        ("price = { output = 1 }", "models.\"a.b\".price: `input` is missing"),
        (
            &format!("{whole}\nprice_tiers.batch = {{}}"),
            "models.\"a.b\".price_tiers.batch: no price stands here",
        ),
        (
            &format!("{whole}\nprice_tiers.batch = {{ input = 1 }}"),
            "models.\"a.b\".price_tiers.batch: `output` is missing",
        ),
        (
            &format!("{whole}\nprice_by_region.eu-west-1 = {{ cache_read = 1 }}"),
            "models.\"a.b\".price_by_region.eu-west-1: `input` is missing: of `price` nothing is taken over",
        ),
        (
            &format!("{whole}\nprice_long_context = [{{ above_input_tokens = 9, output = 1 }}]"),
            "models.\"a.b\".price_long_context[0]: `input` is missing",
        ),
        (
            &format!("{whole}\nprice_latency_optimized = {{ input = 1 }}"),
            "models.\"a.b\".price_latency_optimized: `output` is missing",
        ),
    ] {
        refused(&format!("[models.\"a.b\"]\n{rows}\n"), said);
    }
    // what the list says already need not be said again, and what gives no text needs no price for it
    for good in [
        "[models.\"us.amazon.nova-lite-v1:0\"]\nprice = { input = 1 }",
        "[models.\"a.embed\"]\nprice = { input = 1 }\nmax_output_tokens = 0",
        "[models.\"a.video\"]\nprice = { output = 7.5, usd_per_input_video_second = 0.0005 }",
        "[models.\"a.picture\"]\nprice = { usd_per_output_image = 0.05 }",
        "[models.\"a.later\"]\nmax_output_tokens = 100",
        "[models.\"stability.stable-diffusion-xl-v1\"]\nprice_tiers.batch = { usd_per_output_image = 0.02 }",
    ] {
        assert!(PriceBook::embedded().with_overrides(good).is_ok(), "{good}");
    }
}

#[test]
fn every_bad_row_is_said_and_nothing_is_half_applied() {
    let text = "[models.\"a.b\"]\nprice = { input = -1 }\n[models.\"us.amazon.nova-lite-v1:0\"]\nprice = { input = 9 }\n\
                [models.\"c.d\"]\nprice = { input = 1, output = \"x\" }\n[guardrail_usd_per_unit]\nnope = 1\n";
    let before = PriceBook::embedded();
    let e = before.with_overrides(text).err().unwrap();
    let places: Vec<&str> = e.problems.iter().map(|p| &*p.place).collect();
    let mut sorted = places.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        ["guardrail_usd_per_unit.nope", "models.\"a.b\".price.input", "models.\"c.d\".price.output"]
    );
    assert_eq!(cost_of(&before, "us.amazon.nova-lite-v1:0", &tokens(1, 0, 0, 0, 0)), Cost::Known(Nanos(60)));
}
