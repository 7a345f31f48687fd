//! Amazon Bedrock in one region and account, in its own words: bytes pass through.

mod answer;
pub(crate) mod auth;
mod compatible;
mod count;
pub(crate) mod credentials;
mod embed;
mod exchange;
mod flow;
mod headers;
pub(crate) mod probe;
mod profiles;
pub(crate) mod sessions;
mod sign;
mod speech;
mod tenants;
mod trial;

use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::principal::Principal;
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed, Leading, Provider, ProviderFacts, Tenancy};

use crate::config::{Api, Config};
use crate::host::Host;
use auth::Auth;
use credentials::Credentials;
pub use probe::{Logging, Probe};
use profiles::Leads;
use sessions::{Session, Sessions};
use sign::Signer;
use speech::Way;
use tenants::Tenants;
pub use trial::Trial;

/// The provider of one `[[provider]]` section.
pub struct Bedrock {
    facts: ProviderFacts,
    clock: Arc<dyn Clock>,
    runtime: Host,
    control: Host,
    auth: Auth,
    api: Api,
    /// Who signs for whom; `None` when the provider's own credentials sign everything.
    sessions: Option<Arc<Sessions>>,
    tenants: Tenants,
    /// What ARNs lead to.
    leads: Arc<Leads>,
}

impl Config {
    /// Builds the provider. `credentials` are started by the caller, which owns the runtime that renews
    /// them; a bearer key needs none. `sessions` are those of [`Sessions::of`].
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub fn build(
        &self,
        clock: &Arc<dyn Clock>,
        credentials: Credentials,
        sessions: Option<Arc<Sessions>>,
    ) -> Result<Arc<Bedrock>, String> {
        let in_section = |e: String| format!("provider `{}`: {e}", self.name);
        let auth = match &self.bearer {
            Some(secret) => Auth::Bearer(secret.read().map_err(in_section)?),
            None => Auth::SigV4(Signer::new(credentials, &self.region)),
        };
        let runtime = self.endpoints.runtime.clone();
        let runtime = runtime
            .unwrap_or_else(|| format!("https://bedrock-runtime.{}.{}", self.region, suffix(&self.region)));
        let control = self.endpoints.control.clone();
        let control =
            control.unwrap_or_else(|| format!("https://bedrock.{}.{}", self.region, suffix(&self.region)));
        let tls = self.tls().map_err(in_section)?;
        let host = |url: &str| self.host(url, clock, &tls).map_err(in_section);
        Ok(Arc::new(Bedrock {
            facts: ProviderFacts {
                name: self.name.as_str().into(),
                region: self.region.as_str().into(),
                account: self.account.as_str().into(),
                stamps: self.request_metadata,
                quota: self.quota.clone().map(Arc::new),
            },
            clock: Arc::clone(clock),
            runtime: host(&runtime)?,
            control: host(&control)?,
            auth,
            api: self.api,
            sessions,
            tenants: Tenants::new(&self.tenant),
            leads: Leads::new(Arc::clone(clock)),
        }))
    }
}

/// The domain of a region's partition.
fn suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

impl Bedrock {
    /// Closes connections, and drops sessions, that have been idle too long; to be called now and then.
    pub fn sweep(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.sweep();
        }
        self.runtime.pool.sweep();
        self.control.pool.sweep();
    }
}

impl Bedrock {
    /// The session that signs for a caller; `None` when the provider's own credentials do.
    fn session(&self, who: &Principal) -> Option<Arc<Session>> {
        self.sessions.as_ref()?.of_caller(self.tenants.role(who), who)
    }
}

impl Provider for Bedrock {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn tenancy(&self, who: &Principal, name: &str, model: Option<&str>) -> Tenancy {
        self.tenants.choice(who, name, model)
    }

    fn lead(self: Arc<Self>, target: &str) -> Leading {
        profiles::lead(self, target)
    }

    fn attempt(
        self: Arc<Self>,
        ask: Ask,
        deadlines: Deadlines,
    ) -> BoxFuture<'static, Result<Answer, Failed>> {
        match speech::of(&ask, self.api) {
            Way::AsItIs => Box::pin(exchange::exchange(self, ask, deadlines)),
            Way::In(speech) => Box::pin(speech::interpreted(self, ask, speech, deadlines)),
            Way::Compatible(form) => Box::pin(compatible::exchange(self, ask, form, deadlines)),
            Way::Embeddings => Box::pin(embed::embeddings(self, ask, deadlines)),
            Way::Count => Box::pin(count::tokens(self, ask, deadlines)),
        }
    }
}
