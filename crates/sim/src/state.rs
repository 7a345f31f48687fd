//! What a running simulator holds.

use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;

use crate::admin::Seen;
use crate::async_invoke::Jobs;
use crate::auth::Keys;
use crate::cache::PromptCache;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::fault::Faults;
use crate::guardrails::Guardrails;
use crate::quota::Quotas;
use crate::server::SimError;

/// Everything a request may need.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Keys,
    pub(crate) catalogue: &'static Catalogue,
    pub(crate) cache: PromptCache,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) faults: Faults,
    pub(crate) guardrails: Guardrails,
    pub(crate) jobs: Jobs,
    pub(crate) seen: Seen,
    ids: Arc<dyn Ids>,
}

impl State {
    /// # Errors
    /// When a setting cannot be used.
    pub(crate) fn build(config: Config, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, SimError> {
        check(&config)?;
        Ok(Self {
            keys: Keys::build(&config, &*ids)?,
            catalogue: Catalogue::shared().map_err(SimError::Config)?,
            cache: PromptCache::default(),
            quotas: Arc::new(Quotas::new(clock.clone(), config.time_scale)),
            faults: Faults::new(config.fault.clone(), config.seed),
            guardrails: Guardrails::new(&config),
            jobs: Jobs::default(),
            seen: Seen::new(config.keep_requests),
            config,
            clock,
            ids,
        })
    }

    pub(crate) fn random_u128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.ids.fill(&mut bytes);
        // a random (version 4) UUID, as AWS's request ids are
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        u128::from_be_bytes(bytes)
    }
}

fn check(config: &Config) -> Result<(), SimError> {
    let bad = |why: String| Err(SimError::Config(why));
    if config.account.len() != 12 || !config.account.bytes().all(|b| b.is_ascii_digit()) {
        return bad(format!("`account` must be twelve digits, not `{}`", config.account));
    }
    if !(config.time_scale.is_finite() && config.time_scale > 0.0) {
        return bad(format!("`time_scale` must be above 0, not `{}`", config.time_scale));
    }
    for m in &config.model {
        if m.error_rate.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
            return bad(format!("`error_rate` of model `{}` must lie between 0 and 1", m.id));
        }
    }
    for f in &config.fault {
        f.check().map_err(SimError::Config)?;
    }
    Ok(())
}
