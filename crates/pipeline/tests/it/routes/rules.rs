//! Rules: other targets for some calls, and everything else as it is for the alias.

use std::sync::Arc;

use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::refusal::Code;
use bedplate_core::route::{LifeStand, RungStand};
use bedplate_pipeline::RetryConfig;
use bytes::Bytes;

use super::{Bed, Cued, whole};
use crate::house::{Plain, call_as};

const RULES: &str = "name = 'triage'\n\
    targets = ['use1/us.amazon.nova-lite-v1:0']\n\
    fallback = [{ target = 'usw2/us.amazon.nova-micro-v1:0' }]\n\
    [[rule]]\nwhen = { feature = 'summaries', input = '> 1KiB' }\ntargets = ['use1/us.amazon.nova-pro-v1:0']\n\
    [[rule]]\nwhen = { team = 'support', input = '> 4KiB' }\n\
    targets = ['usw2/us.amazon.nova-2-lite-v1:0', { target = 'use1/us.amazon.nova-pro-v1:0', weight = 0 }]\n\
    [[rule]]\nwhen = { environment = 'prod', feature = 'summaries' }\ntargets = ['use1/another.model-v1:0']\n";

fn providers(usw2: u16) -> [Arc<Cued>; 2] {
    [Cued::new("use1", [], whole(200)), Cued::new("usw2", [], whole(usw2))]
}

/// What is asked for a call of so many bytes.
async fn asked(bed: &Bed, feature: Option<&str>, bytes: usize, models: &[&str]) -> Result<Vec<String>, Code> {
    let mut call = call_as(Operation::Converse, |key| {
        key.models = models.iter().map(|model| Arc::from(*model)).collect();
    });
    "triage".clone_into(&mut call.name);
    call.tags.feature = feature.map(str::to_owned);
    call.body = Arc::new(Plain(Content::new(Bytes::from(vec![b' '; bytes]))));
    bed.send(call).await.map_err(|refusal| refusal.code)?;
    let rows = bed.house.settled().await;
    let attempts = rows.last().unwrap().attempts.iter();
    Ok(attempts.map(|a| format!("{}/{}", a.provider, a.target.trim_start_matches("us.amazon."))).collect())
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_fits_is_the_calls() {
    let bed = Bed::new(RULES, &providers(200));
    for (feature, bytes, target) in [
        (None, 100, "use1/nova-lite-v1:0"),
        (None, 4_096, "use1/nova-lite-v1:0"),
        (None, 4_097, "usw2/nova-2-lite-v1:0"),
        (Some("summaries"), 1_025, "use1/nova-pro-v1:0"),
        (Some("summaries"), 9_000, "use1/nova-pro-v1:0"),
        // its rule has no target that reads the body
        (Some("summaries"), 100, "use1/nova-lite-v1:0"),
    ] {
        assert_eq!(
            asked(&bed, feature, bytes, &[]).await,
            Ok(vec![target.to_owned()]),
            "{feature:?} {bytes}"
        );
    }
    let stand = bed.stands().remove(0);
    let whens: Vec<String> = stand.rules.iter().map(|rule| rule.when.to_string()).collect();
    assert_eq!(whens[1], "team support, input > 4KiB");
    assert_eq!((stand.rules[1].targets[0].share, stand.rules[1].targets[1].share), (100.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_rules_targets_fail_over_to_each_other_and_then_to_the_fallback() {
    let bed = Bed::new(RULES, &providers(503));
    let both = ["usw2/nova-2-lite-v1:0", "use1/nova-pro-v1:0"].map(str::to_owned);
    assert_eq!(asked(&bed, None, 5_000, &[]).await, Ok(both.to_vec()));
    let bad = [Cued::new("use1", [], whole(503)), Cued::new("usw2", [], whole(503))];
    let all = asked(&Bed::new(RULES, &bad), None, 5_000, &[]).await.unwrap();
    assert_eq!(all[..2], both);
    assert_eq!(all.last().map(String::as_str), Some("usw2/nova-micro-v1:0"));
}

#[tokio::test(start_paused = true)]
async fn a_key_must_be_allowed_what_its_rule_leads_to() {
    let bed = Bed::new(RULES, &providers(200));
    let own = ["us.amazon.nova-lite-v1:0", "us.amazon.nova-micro-v1:0"];
    assert!(asked(&bed, None, 100, &own).await.is_ok());
    assert_eq!(asked(&bed, None, 5_000, &own).await, Err(Code::ModelNotAllowed));
    let of_rule = ["us.amazon.nova-2-lite-v1:0", "us.amazon.nova-pro-v1:0", "us.amazon.nova-micro-v1:0"];
    assert!(asked(&bed, None, 5_000, &of_rule).await.is_ok());
    assert!(asked(&bed, None, 5_000, &["triage"]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_what_the_dearest_target_of_the_rule_may_cost() {
    // room for the lighter ones, and not for 5,000 bytes of the dearest, which is asked when the other fails
    let budget = "[[budget]]\nname = 'b'\nlimit = '0.004 USD'\n";
    let bed = Bed::with(RULES, RetryConfig::default(), &providers(200), Some(budget));
    assert_eq!(asked(&bed, None, 5_000, &[]).await, Err(Code::BudgetSpent));
    assert!(asked(&bed, None, 4_000, &[]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn operators_see_when_models_end_and_what_was_tested_in_their_place() {
    const OPUS: &str = "us.anthropic.claude-opus-4-1-20250805-v1:0";
    let alias = format!(
        "name = 'triage'\ntargets = [{{ target = 'use1/{OPUS}', replacement = 'use1/us.amazon.nova-pro-v1:0' }}, \
         'use1/us.amazon.nova-lite-v1:0']\nfallback = [{{ target = 'usw2/{OPUS}' }}]"
    );
    let bed = Bed::new(&alias, &providers(200));
    let stand = bed.stands().remove(0);
    let ends =
        LifeStand { legacy: true, days: Some(47), replacement: Some("use1/us.amazon.nova-pro-v1:0".into()) };
    assert_eq!(stand.targets[0].life, Some(ends.clone()), "2027-01-08");
    assert_eq!(stand.targets[1].life, None);
    let RungStand::Target { life, .. } = &stand.fallback[0] else { panic!("no target") };
    assert_eq!(*life, Some(LifeStand { replacement: None, ..ends }));
}
