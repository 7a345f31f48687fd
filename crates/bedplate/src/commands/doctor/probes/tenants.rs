//! Roles and inference profiles of tenants: whether AWS gives the one, and where the other lead.

use std::sync::Arc;

use bedplate_upstream::{Bedrock, Config, Trial};

use super::Finding;

pub(super) async fn tenants(config: &Config, bedrock: &Arc<Bedrock>) -> Vec<Finding> {
    let name = |what: &str| format!("{} {what}", config.name);
    let of = |trial: Trial| match trial {
        Trial::Session { session, outcome: Ok(()) } => {
            Finding::good(name("session"), format!("{session} is given"))
        }
        Trial::Session { session, outcome: Err(said) } => Finding::bad(
            name("session"),
            format!("{session}: {said}"),
            "The role's trust policy must allow sts:AssumeRole and sts:TagSession to bedplate's own identity.",
        ),
        Trial::Profile { model, arn, outcome: Ok(()) } => {
            Finding::good(name("inference profile"), format!("{arn} leads to {model}"))
        }
        Trial::Profile { model, arn, outcome: Err(said) } => Finding::bad(
            name("inference profile"),
            format!("{arn} does not stand for {model}, which is called itself: {said}"),
            "Make a profile copied from that model or system profile; the role needs bedrock:GetInferenceProfile.",
        ),
    };
    bedrock.try_tenants(config).await.into_iter().map(of).collect()
}
