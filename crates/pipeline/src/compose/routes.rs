//! Which provider serves a name.

use std::collections::HashMap;
use std::sync::Arc;

use bedplate_core::call::Operation;
use bedplate_core::clock::{Tick, Timestamp};
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::route::{AliasStand, is_bedrocks};

use bedplate_cost::PriceBook;
use foldhash::fast::FixedState;

use crate::admit::names_a_model;
use crate::invoke::retries::Retries;
use crate::model::{Alias, Look, Means, ModelConfig, RetryConfig, Target};
use crate::pace::{Lanes, Pace};
use crate::provider::Provider;

/// The providers, in the order of configuration, and the aliases. The first provider serves bare model ids.
pub struct Routes {
    providers: Vec<Arc<dyn Provider>>,
    /// Of each provider.
    lanes: Vec<Arc<Lanes>>,
    aliases: HashMap<Arc<str>, Arc<Alias>, FixedState>,
    bare: Bare,
}

/// When the model of a target is gone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TargetEnd {
    pub provider: Arc<str>,
    pub model: Arc<str>,
    /// Below zero when it is.
    pub days: i64,
}

/// How often calls may be asked that name no alias.
#[derive(Clone)]
pub(crate) struct Bare {
    pub(crate) attempts: u32,
    pub(crate) retries: Arc<Retries>,
}

impl Routes {
    /// Routes without an alias.
    pub fn new(providers: Vec<Arc<dyn Provider>>, pace: &Arc<Pace>) -> Self {
        let bare = Bare { attempts: RetryConfig::default().attempts, retries: Arc::default() };
        let lanes = providers.iter().map(|p| Arc::new(Lanes::new(pace, p.facts(), false))).collect();
        Self { providers, lanes, aliases: HashMap::default(), bare }
    }

    /// Routes with aliases.
    ///
    /// # Errors
    /// Names the alias and the target that cannot be.
    pub fn with(retry: RetryConfig, models: &[ModelConfig], means: Means<'_>) -> Result<Self, String> {
        let mut aliases = HashMap::default();
        for model in models {
            let alias = Arc::new(model.build(means)?);
            aliases.insert(Arc::clone(&alias.name), alias);
        }
        let bare = Bare { attempts: retry.attempts, retries: means.health.retries(&"".into()) };
        let lanes = means.providers.iter().map(|p| means.lanes(p.facts())).collect();
        Ok(Self { providers: means.providers.to_vec(), lanes, aliases, bare })
    }

    /// The alias of that name, when the operation goes by models.
    pub(crate) fn alias(&self, op: Operation, name: &str) -> Option<&Arc<Alias>> {
        // where there is none nothing is hashed
        if self.aliases.is_empty() || !names_a_model(op) {
            return None;
        }
        self.aliases.get(name)
    }

    /// All of them, by their names.
    pub(crate) fn aliases(&self) -> Vec<&Arc<Alias>> {
        let mut all: Vec<_> = self.aliases.values().collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What would be chosen for each alias now, and why, and when their models end; by their names.
    pub fn stands(&self, prices: &PriceBook, tick: Tick, now: Timestamp) -> Vec<AliasStand> {
        let look = Look { tick, now, prices };
        let mut all: Vec<AliasStand> = self.aliases.values().map(|alias| alias.stand(look)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Days until the models of targets are gone, by provider and target; of those whose end is known.
    pub fn ends(&self, prices: &PriceBook, now: Timestamp) -> Vec<TargetEnd> {
        let end = |target: &Target| {
            let days = prices.life(&target.model, now)?.days?;
            Some(TargetEnd {
                provider: Arc::clone(&target.provider.facts().name),
                model: Arc::clone(&target.model),
                days,
            })
        };
        let mut all: Vec<TargetEnd> =
            self.aliases.values().flat_map(|alias| alias.every().filter_map(end)).collect();
        all.sort();
        all.dedup();
        all
    }

    pub(crate) fn bare(&self) -> &Bare {
        &self.bare
    }

    /// The model whose family decides how a body is read: of an alias that of its first target.
    pub fn read_as<'a>(&'a self, op: Operation, name: &'a str) -> &'a str {
        let first = self.alias(op, name).and_then(|alias| alias.targets.first());
        first.map_or(name, |target| &*target.model)
    }

    /// From now on what waits and is under way goes by this configuration.
    pub fn put_in_force(&self) {
        self.lanes.iter().for_each(|lanes| lanes.put_in_force());
    }

    /// Where calls of a provider wait for room.
    pub(crate) fn lanes(&self, provider: &Arc<dyn Provider>) -> Option<&Arc<Lanes>> {
        let at = self.providers.iter().position(|one| Arc::ptr_eq(one, provider))?;
        self.lanes.get(at)
    }

    pub fn providers(&self) -> &[Arc<dyn Provider>] {
        &self.providers
    }

    /// An ARN goes to the provider of its region and account; a name with a `.` (a Bedrock id) and
    /// everything that names no model goes to the first provider.
    ///
    /// # Errors
    /// `BP2001` for a name that is neither, and for an ARN of a region that no provider serves.
    pub fn provider(&self, op: Operation, name: &str) -> Result<Arc<dyn Provider>, Refusal> {
        let found = if let Some(arn) = Arn::read(name) {
            self.of_arn(&arn)
        } else if op.is_catalogue() || !by_model(op) || is_bedrocks(name) {
            self.providers.first()
        } else {
            None
        };
        found
            .map(Arc::clone)
            .ok_or_else(|| Refusal::of(Code::UnknownModel).because(format_args!("no provider for `{name}`")))
    }

    fn of_arn(&self, arn: &Arn<'_>) -> Option<&Arc<dyn Provider>> {
        let in_region = |p: &&Arc<dyn Provider>| *p.facts().region == *arn.region;
        let of_account = |p: &&Arc<dyn Provider>| {
            let account = &*p.facts().account;
            account.is_empty() || arn.account.is_empty() || *account == *arn.account
        };
        // the account that is configured wins over one that is left open
        self.providers
            .iter()
            .filter(in_region)
            .find(|p| !arn.account.is_empty() && *p.facts().account == *arn.account)
            .or_else(|| self.providers.iter().filter(in_region).find(of_account))
    }
}

/// Whether the name of such a call is a model's.
fn by_model(op: Operation) -> bool {
    !matches!(
        op,
        Operation::ApplyGuardrail
            | Operation::InvokeGuardrailChecks
            | Operation::StartAsyncInvoke
            | Operation::GetAsyncInvoke
            | Operation::ListAsyncInvokes
    )
}

/// The parts of an ARN that choose a provider.
struct Arn<'a> {
    region: &'a str,
    account: &'a str,
}

impl<'a> Arn<'a> {
    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:…`
    fn read(name: &'a str) -> Option<Self> {
        let mut parts = name.strip_prefix("arn:")?.splitn(5, ':');
        let (_partition, _service) = (parts.next()?, parts.next()?);
        let (region, account) = (parts.next()?, parts.next()?);
        parts.next().map(|_resource| Self { region, account })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Deadlines;
    use crate::provider::{Answer, Ask, Failed, ProviderFacts};
    use bedplate_core::BoxFuture;

    struct Named(ProviderFacts);

    impl Provider for Named {
        fn facts(&self) -> &ProviderFacts {
            &self.0
        }

        fn attempt(self: Arc<Self>, _: Ask, _: Deadlines) -> BoxFuture<'static, Result<Answer, Failed>> {
            unreachable!("routing calls nobody")
        }
    }

    fn routes(list: &[(&str, &str, &str)]) -> Routes {
        let provider = |(name, region, account): &(&str, &str, &str)| {
            let (name, region, account) = ((*name).into(), (*region).into(), (*account).into());
            Arc::new(Named(ProviderFacts { name, region, account, stamps: true, quota: None }))
                as Arc<dyn Provider>
        };
        let pace = Pace::new(Arc::new(bedplate_testkit::ManualClock::at("2026-11-22T12:00:00Z")));
        Routes::new(list.iter().map(provider).collect(), &pace)
    }

    fn chosen(routes: &Routes, op: Operation, name: &str) -> Result<String, Code> {
        routes.provider(op, name).map(|p| p.facts().name.to_string()).map_err(|r| r.code)
    }

    #[test]
    fn bare_ids_go_first_and_arns_by_region_and_account() {
        let r = routes(&[
            ("use1", "us-east-1", ""),
            ("euc1", "eu-central-1", "111111111111"),
            ("euc1b", "eu-central-1", "222222222222"),
        ]);
        let ask = |name: &str| chosen(&r, Operation::Converse, name);
        assert_eq!(ask("us.amazon.nova-lite-v1:0"), Ok("use1".into()));
        assert_eq!(
            ask("arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0"),
            Ok("euc1".into())
        );
        let profile = |account| format!("arn:aws:bedrock:eu-central-1:{account}:inference-profile/x");
        assert_eq!(ask(&profile("222222222222")), Ok("euc1b".into()));
        assert_eq!(ask(&profile("333333333333")), Err(Code::UnknownModel));
        assert_eq!(ask("arn:aws:bedrock:ap-south-1::foundation-model/x"), Err(Code::UnknownModel));
        assert_eq!(ask("no-such-alias"), Err(Code::UnknownModel));
    }

    #[test]
    fn what_names_no_model_goes_to_the_first() {
        let r = routes(&[("use1", "us-east-1", "")]);
        assert_eq!(chosen(&r, Operation::ApplyGuardrail, "gr0abc"), Ok("use1".into()));
        assert_eq!(chosen(&r, Operation::ListFoundationModels, ""), Ok("use1".into()));
        assert_eq!(chosen(&r, Operation::GetFoundationModel, "odd"), Ok("use1".into()));
    }
}
