//! Limits from AWS Service Quotas: whether it answers, and for which targets of aliases it names one.

use std::collections::BTreeSet;
use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_pipeline::{Allowed, Pace};
use bedplate_upstream::{Config, Credentials, Quotas};

use super::Finding;
use crate::settings::Settings;

pub(super) async fn quotas(
    config: &Config,
    settings: &Settings,
    credentials: &Credentials,
    clock: &Arc<dyn Clock>,
) -> Option<Finding> {
    let asker = Quotas::of(config, credentials, clock)?;
    let name = format!("{} service quotas", config.name);
    let allowed = match asker.ask().await {
        Ok(allowed) => allowed,
        Err(said) => {
            return Some(Finding::bad(
                name,
                said,
                "The role needs servicequotas:ListServiceQuotas and servicequotas:ListAWSDefaultServiceQuotas.",
            ));
        }
    };
    let said = format!("{} quotas of models", allowed.named());
    let without = without(config, settings, &allowed);
    Some(if without.is_empty() {
        Finding::good(name, said)
    } else {
        Finding::warning(
            name,
            format!("{said}, and none that is surely of {}", without.join(", ")),
            "Write their limits in `[[provider.quota.model]]`; without, what they bear is only learned.",
        )
    })
}

/// Targets of aliases at this provider that nothing bounds in a minute.
fn without<'a>(config: &Config, settings: &'a Settings, allowed: &Allowed) -> Vec<&'a str> {
    let all = settings.model.iter().flat_map(|model| &model.targets);
    let own = all.filter_map(|target| {
        let (provider, model) = target.target.split_once('/')?;
        (provider == config.name).then_some(model)
    });
    let own: BTreeSet<&str> = own.collect();
    own.into_iter().filter(|model| !Pace::quoted(config.quota.as_ref(), allowed, model)).collect()
}
