//! A server that speaks OpenAI's chat completions: vLLM, llama.cpp, Ollama, bedrock-mantle.

mod probe;

use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::call::{Dialect, Operation};
use bedplate_core::clock::Clock;
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::{Answer, Ask, Deadlines, Failed, Provider, ProviderFacts};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::view::TIER_HEADER;
use bedplate_wire::translate::Framing;
use http::header::{AUTHORIZATION, HeaderValue};

use crate::attempt::{Attempt, Wrong};
use crate::bedrock::auth::bearer;
use crate::compatible::{self, Asked};
use crate::config::Config;
use crate::host::Host;
use crate::interpret::{self, Speech, failed};
pub use probe::Models;

/// The provider of one `[[provider]]` section.
pub struct OpenAi {
    facts: ProviderFacts,
    clock: Arc<dyn Clock>,
    host: Host,
    /// What `authorization` says, where the server asks for a key.
    key: Option<HeaderValue>,
}

/// Below the base URL.
const CHAT: &str = "/chat/completions";

impl Config {
    /// Builds the provider.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub fn build_openai(&self, clock: &Arc<dyn Clock>) -> Result<Arc<OpenAi>, String> {
        let in_section = |e: String| format!("provider `{}`: {e}", self.name);
        let url = self.endpoints.runtime.as_deref();
        let url = url.ok_or_else(|| in_section("`endpoints.runtime` is not set".into()))?;
        let tls = self.tls().map_err(in_section)?;
        let key = self.bearer.as_ref().map(|secret| secret.read().and_then(|key| bearer(&key)));
        Ok(Arc::new(OpenAi {
            facts: ProviderFacts {
                name: self.name.as_str().into(),
                // no ARN leads here
                region: "".into(),
                account: "".into(),
                stamps: false,
                quota: self.quota.clone().map(Arc::new),
            },
            clock: Arc::clone(clock),
            host: self.host(url, clock, &tls).map_err(in_section)?,
            key: key.transpose().map_err(in_section)?,
        }))
    }
}

impl OpenAi {
    /// Closes connections that have been idle too long; to be called now and then.
    pub fn sweep(&self) {
        self.host.pool.sweep();
    }

    /// What such a server has no word for.
    fn refusal(&self, ask: &Ask) -> Option<Refusal> {
        let name = &self.facts.name;
        let said = match ask.operation {
            Operation::Converse | Operation::ConverseStream => return None,
            Operation::InvokeModel | Operation::InvokeModelWithResponseStream
                if ask.spoken.form.is_some() =>
            {
                return None;
            }
            Operation::InvokeModel if ask.spoken.dialect == Dialect::OpenAi => {
                format!("`{name}` is asked for chat completions only, and gives no embeddings")
            }
            Operation::InvokeModel | Operation::InvokeModelWithResponseStream => format!(
                "a body in a model's own words cannot be said to `{name}`, which speaks OpenAI's chat completions: ask with Converse"
            ),
            other => format!("`{name}` speaks OpenAI's chat completions, which have no {other}"),
        };
        Some(Refusal::new(Code::BadValue, said))
    }
}

impl Provider for OpenAi {
    fn facts(&self) -> &ProviderFacts {
        &self.facts
    }

    fn attempt(
        self: Arc<Self>,
        ask: Ask,
        deadlines: Deadlines,
    ) -> BoxFuture<'static, Result<Answer, Failed>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusal(&ask) {
                return Err(failed(refusal));
            }
            let alike = compatible::is_alike(&ask.spoken, Form::Chat);
            let mut asked = Asked {
                family: Family::OpenAi,
                streams: ask.operation.streams(),
                alike,
                hides_usage: false,
                idle: deadlines.idle,
                whom: Arc::clone(&self.facts.name),
            };
            // what is to be left out, or added, is so in the normal form
            if ask.headers.get(TIER_HEADER).is_none() && compatible::passes(&ask, Form::Chat) {
                asked.hides_usage = compatible::hides_usage(&ask);
                let ask = compatible::addressed(ask).map_err(failed)?;
                return exchange(&self, ask, asked, &deadlines).await;
            }
            let operation = if asked.streams { Operation::ConverseStream } else { Operation::Converse };
            let to = Speech { form: Form::Chat, framing: Framing::Sse, operation };
            interpret::interpreted(ask, (to, CHAT), async |ask| exchange(&self, ask, asked, &deadlines).await)
                .await
        })
    }
}

async fn exchange(
    provider: &OpenAi,
    ask: Ask,
    asked: Asked,
    deadlines: &Deadlines,
) -> Result<Answer, Failed> {
    let attempt = Attempt::begin(&provider.clock);
    attempt.within(deadlines, async |attempt| run(provider, attempt, ask, asked, deadlines).await).await
}

async fn run(
    provider: &OpenAi,
    attempt: &mut Attempt,
    mut ask: Ask,
    asked: Asked,
    deadlines: &Deadlines,
) -> Result<Answer, Wrong> {
    let mut request = compatible::request(&provider.host, CHAT, &mut ask)?;
    if let Some(key) = &provider.key {
        request.headers_mut().insert(AUTHORIZATION, key.clone());
    }
    let pool = &provider.host.pool;
    let read = async |attempt: &mut Attempt, lease, response| {
        compatible::read(attempt, (pool, lease), response, asked).await
    };
    let streams = ask.operation.streams();
    attempt.exchange(&provider.host, request, (streams, deadlines, &ask.sent), read).await
}
