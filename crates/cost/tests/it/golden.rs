//! Figures worked out by hand from the list: nano-dollars, the sum in the comment in micro-dollars.

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::usage::{Unit, Usage};
use bedplate_cost::{Applied, Counter, Reason};

use super::{price, tokens, units};

const HAIKU: &str = "global.anthropic.claude-haiku-4-5-20251001-v1:0";
const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

#[track_caller]
fn known(model: &str, region: &str, tier: &str, usage: &Usage, nanos: i64, applied: Applied) {
    let priced = price(model, region, tier, usage);
    assert_eq!(priced.cost, Cost::Known(Nanos(nanos)), "{model}: {}", priced.basis);
    assert_eq!(priced.basis.applied, Ok(applied));
}

#[track_caller]
fn unknown(model: &str, region: &str, tier: &str, usage: &Usage, priced_part: i64) -> String {
    let priced = price(model, region, tier, usage);
    assert_eq!(priced.cost, Cost::Unknown(Nanos(priced_part)), "{model}: {}", priced.basis);
    priced.basis.to_string()
}

#[test]
fn claude_with_every_cache_counter() {
    // 1000×1 + 10000×0.1 + 2000×1.25 + 500×2 + 300×5 = 1000+1000+2500+1000+1500
    known(HAIKU, "us-east-1", "", &tokens(1_000, 10_000, 2_000, 500, 300), 7_000_000, Applied::DefaultRegion);
}

#[test]
fn nova_and_its_cache_writes_as_plain_input() {
    let lite = "us.amazon.nova-lite-v1:0";
    // 24×0.06 + 17×0.24 = 1.44+4.08
    known(lite, "us-east-1", "default", &tokens(24, 0, 0, 0, 17), 5_520, Applied::DefaultRegion);
    // 100×0.06 + 1000×0.015 + 50×0.06 = 6+15+3
    let usage = tokens(100, 1_000, 50, 0, 0);
    known(lite, "us-east-1", "", &usage, 24_000, Applied::DefaultRegion);
    assert_eq!(
        price(lite, "us-east-1", "", &usage).basis.to_string(),
        "default-region price; cache writes as plain input"
    );
    // priority, 10×0.525 + 10×4.375 + 10×0.13125 + 10×0.525 = 5.25+43.75+1.3125+5.25
    let usage = tokens(10, 10, 10, 0, 10);
    known("global.amazon.nova-2-lite-v1:0", "us-east-1", "priority", &usage, 55_563, Applied::Tier);
}

#[test]
fn pico_dollars_round_half_up_once() {
    let micro = "amazon.nova-micro-v1:0";
    // one cache read is 8.75 nano, one input 35 nano: together 43.75
    known(micro, "us-east-1", "", &tokens(0, 1, 0, 0, 0), 9, Applied::DefaultRegion);
    known(micro, "us-east-1", "", &tokens(1, 1, 0, 0, 0), 44, Applied::DefaultRegion);
    known(micro, "us-east-1", "", &tokens(0, 2, 0, 0, 0), 18, Applied::DefaultRegion);
}

#[test]
fn a_long_prompt_prices_the_whole_request() {
    // at the threshold: 200000×3.3; above, cached tokens counted: 150000×6.6 + 60000×0.66 + 1000×24.75
    known(SONNET, "us-east-1", "", &tokens(200_000, 0, 0, 0, 0), 660_000_000, Applied::DefaultRegion);
    let usage = tokens(150_000, 60_000, 0, 0, 1_000);
    known(SONNET, "us-east-1", "", &usage, 1_054_350_000, Applied::LongContext);
}

#[test]
fn tiers_as_echoed() {
    let oss = "openai.gpt-oss-120b-1:0";
    let usage = tokens(1_000, 0, 0, 0, 1_000);
    known(oss, "us-east-1", "", &usage, 750_000, Applied::DefaultRegion);
    known(oss, "us-east-1", "flex", &usage, 375_000, Applied::Tier);
    known(oss, "us-east-1", "priority", &usage, 1_312_500, Applied::Tier);
    unknown(oss, "us-east-1", "reserved", &usage, 0);
    unknown(HAIKU, "us-east-1", "flex", &usage, 0);
    // gov has its own price, and no word on tiers: 1000×0.18 + 1000×0.72
    known(oss, "us-gov-west-1", "", &usage, 900_000, Applied::Region);
    let why = unknown(oss, "us-gov-west-1", "flex", &usage, 0);
    assert!(why.contains("in this region"), "{why}");
}

#[test]
fn embeddings_cost_input_only() {
    let titan = "amazon.titan-embed-text-v2:0";
    let usage = tokens(7_800, 0, 0, 0, 0);
    known(titan, "us-east-1", "", &usage, 156_000, Applied::DefaultRegion);
    known(titan, "us-gov-west-1", "", &usage, 858_000, Applied::Region);
    known(titan, "us-gov-east-1", "", &usage, 1_560_000, Applied::Region);
    // a price of 0 is 0
    known(titan, "us-east-1", "", &tokens(0, 0, 0, 0, 5), 0, Applied::DefaultRegion);
}

#[test]
fn queries_images_and_seconds() {
    known(
        "cohere.rerank-v3-5:0",
        "us-east-1",
        "",
        &units(&[(Unit::Query, 3)]),
        6_000_000,
        Applied::DefaultRegion,
    );
    let canvas = "amazon.nova-canvas-v1:0";
    known(canvas, "us-east-1", "", &units(&[(Unit::OutputImage, 2)]), 120_000_000, Applied::DefaultRegion);
    let media = units(&[(Unit::InputImage, 10), (Unit::InputVideoSecond, 2), (Unit::InputAudioSecond, 3)]);
    // 10×60 + 2×700 + 3×140
    let embed = "amazon.nova-2-multimodal-embeddings-v1:0";
    known(embed, "us-east-1", "", &media, 2_420_000, Applied::DefaultRegion);
    // its price depends on a size that usage does not know
    let why =
        unknown("stability.stable-diffusion-xl-v1", "us-east-1", "", &units(&[(Unit::OutputImage, 1)]), 0);
    assert!(why.ends_with("no price for usd_per_output_image"), "{why}");
}

#[test]
fn guardrail_units_need_no_model() {
    // 12×150 + 12×150 + 5×100 + 9×0
    let usage = units(&[
        (Unit::GuardrailContent, 12),
        (Unit::GuardrailTopic, 12),
        (Unit::GuardrailSensitive, 5),
        (Unit::GuardrailWord, 9),
    ]);
    known("gr-abc123", "us-east-1", "", &usage, 4_100_000, Applied::Nothing);
    // beside tokens: 4100 + 24×0.06
    let mixed = Usage { input: 24, ..usage };
    known("us.amazon.nova-lite-v1:0", "us-east-1", "", &mixed, 4_101_440, Applied::DefaultRegion);
    // the priced part is kept
    unknown("no.such-model", "us-east-1", "", &mixed, 4_100_000);
}

#[test]
fn regions_with_and_without_rows() {
    let gov = "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0";
    // 1000×3.6 + 100×18
    known(gov, "us-gov-west-1", "", &tokens(1_000, 0, 0, 0, 100), 5_400_000, Applied::DefaultRegion);
    known(&gov[7..], "us-gov-west-1", "", &tokens(1_000, 0, 0, 0, 100), 5_400_000, Applied::Region);
    let one = tokens(1_000_000, 0, 0, 0, 0);
    known("deepseek.v3.2", "eu-north-1", "", &one, 740_000_000, Applied::Region);
    known("deepseek.v3.2", "us-west-2", "", &one, 620_000_000, Applied::DefaultRegion);
    let why = price("deepseek.v3.2", "eu-central-2", "", &one).basis.applied;
    assert_eq!(why, Err(Reason::UnknownRegion));
    // nothing says that the price varies
    known("meta.llama3-3-70b-instruct-v1:0", "eu-north-1", "", &one, 720_000_000, Applied::DefaultRegion);
    // no row of another region, but its profiles of Europe and of America do not cost the same
    let why = price("amazon.nova-lite-v1:0", "eu-north-1", "", &one).basis.applied;
    assert_eq!(why, Err(Reason::UnknownRegion));
    known("amazon.nova-lite-v1:0", "us-west-2", "", &one, 60_000_000, Applied::DefaultRegion);
    unknown("amazon.titan-embed-image-v1", "us-gov-west-1", "", &one, 0);
}

#[test]
fn unknown_is_never_zero() {
    let why =
        unknown("anthropic.claude-haiku-4-5-20251001-v1:00", "us-east-1", "", &tokens(1, 0, 0, 0, 0), 0);
    assert_eq!(why, "no price: the price book does not know the model");
    // llama has no cache prices: the priced part stays, 1000×0.72
    let priced = price("meta.llama3-3-70b-instruct-v1:0", "us-east-1", "", &tokens(1_000, 5, 0, 0, 0));
    assert_eq!(priced.cost, Cost::Unknown(Nanos(720_000)));
    assert_eq!(priced.basis.missing.counters().collect::<Vec<_>>(), [Counter::CacheRead]);
    // nothing used costs nothing, whatever the model
    known("no.such-model", "us-east-1", "reserved", &Usage::default(), 0, Applied::Nothing);
}

#[test]
fn arns() {
    let usage = tokens(1_000, 0, 0, 0, 0);
    let of = |arn: &str| price(arn, "us-east-1", "", &usage).cost;
    let sonnet = Cost::Known(Nanos(3_300_000));
    assert_eq!(of(&format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{SONNET}")), sonnet);
    assert_eq!(
        of("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"),
        Cost::Known(Nanos(60_000))
    );
    for other in [
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2c3d4e5f6",
        "arn:aws:bedrock:us-east-1:123456789012:prompt/PROMPT1234:1",
    ] {
        assert_eq!(of(other), Cost::Unknown(Nanos(0)), "{other}");
    }
}
