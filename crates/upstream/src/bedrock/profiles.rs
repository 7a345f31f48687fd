//! Which model an ARN leads to that does not say so itself: application inference profiles, prompt routers and
//! provisioned models. Bedrock's control endpoint is asked once for each; answers are kept.

pub(super) mod arn;
mod kept;
mod said;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_pipeline::{Billed, Lead, Leading, Targets};

use super::Bedrock;
use arn::{Kind, Opaque};
pub(super) use kept::Leads;
use said::Behind;

/// How long an answer may take: the first call of a profile waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// For records: `GetInferenceProfile answered AccessDeniedException`.
    pub(super) said: Arc<str>,
    pub(super) fault: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// There is no such thing.
    Absent,
    /// We may not ask.
    Denied,
    /// It may be otherwise soon.
    Passing,
}

/// What a target leads to, as far as is known now.
pub(super) fn lead(provider: Arc<Bedrock>, target: &str) -> Leading {
    let Some(opaque) = Opaque::read(target) else { return Leading::Now(Lead::Itself) };
    let leads = Arc::clone(&provider.leads);
    let ask = move || -> BoxFuture<'static, Result<Targets, Missed>> {
        Box::pin(async move {
            let name = opaque.kind.operation();
            let asked = tokio::time::timeout(PATIENCE, find(&provider, &opaque)).await;
            asked.unwrap_or_else(|_| Err(missed(format!("{name} did not answer in time"), Fault::Passing)))
        })
    };
    leads.of(target, ask)
}

async fn find(provider: &Arc<Bedrock>, opaque: &Opaque) -> Result<Targets, Missed> {
    let behind = ask(provider, opaque.kind, &opaque.arn).await?;
    let models = match opaque.kind {
        Kind::Profile => vec![profile(provider, &behind, &opaque.region).await?],
        Kind::Router => behind.arns().iter().filter_map(|arn| arn::id(arn)).map(Arc::from).collect(),
        Kind::Provisioned => behind.base.iter().filter_map(|arn| arn::id(arn)).map(Arc::from).collect(),
    };
    if models.is_empty() {
        return Err(missed(format!("{} named no model", opaque.kind.operation()), Fault::Passing));
    }
    Ok(Targets { models, billed: opaque.kind.billed() })
}

/// The id that an application inference profile was copied from. It is not said, but where calls go is.
async fn profile(provider: &Arc<Bedrock>, behind: &Behind, home: &str) -> Result<Arc<str>, Missed> {
    let targets = arn::targets(behind.arns());
    let mut candidates = arn::sources(&targets, home);
    let last = candidates.pop();
    for candidate in candidates {
        // two profiles may fit by their regions: the one that goes to the same places is it
        if let Ok(other) = ask(provider, Kind::Profile, &candidate).await
            && arn::targets(other.arns()) == targets
        {
            return Ok(candidate.into());
        }
    }
    let odd =
        || missed("the profile goes to models or regions that no system-defined one does", Fault::Passing);
    last.map(Arc::from).ok_or_else(odd)
}

async fn ask(provider: &Arc<Bedrock>, kind: Kind, name: &str) -> Result<Behind, Missed> {
    let operation = kind.operation();
    let path = format!("/{}/{}", kind.path(), arn::label(name));
    let got = provider.get(&path).await.map_err(|e| {
        tracing::warn!("`{name}` cannot be looked up: {operation}: {e}");
        missed(format!("{operation} could not be asked"), Fault::Passing)
    })?;
    if got.status == 200 {
        let unread = || missed(format!("the answer of {operation} cannot be read"), Fault::Passing);
        return serde_json::from_slice(&got.body).map_err(|_| unread());
    }
    let fault = match got.status {
        400 | 404 => Fault::Absent,
        401 | 403 => Fault::Denied,
        _ => Fault::Passing,
    };
    let error = got.error.clone().unwrap_or_else(|| format!("status {}", got.status));
    match fault {
        // whoever called named what is not there: no business of the operator's
        Fault::Absent => tracing::debug!("`{name}` cannot be looked up: {operation}: {error}"),
        Fault::Denied | Fault::Passing => {
            tracing::warn!("`{name}` cannot be looked up: {operation}: {error}: {}", got.message());
        }
    }
    Err(missed(format!("{operation} answered {error}"), fault))
}

fn missed(said: impl Into<String>, fault: Fault) -> Missed {
    Missed { said: said.into().into(), fault }
}

impl Kind {
    fn operation(self) -> &'static str {
        match self {
            Self::Profile => "GetInferenceProfile",
            Self::Router => "GetPromptRouter",
            Self::Provisioned => "GetProvisionedModelThroughput",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Profile => "inference-profiles",
            Self::Router => "prompt-routers",
            Self::Provisioned => "provisioned-model-throughput",
        }
    }

    fn billed(self) -> Billed {
        match self {
            Self::Profile => Billed::AsModel,
            Self::Router => Billed::AsAnswered,
            Self::Provisioned => Billed::ByTime,
        }
    }
}
