//! What doctor looks at, in the order a call meets it.

mod cache;
mod quotas;
mod server;
mod tenants;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::SystemClock;
use bedplate_core::ports::Ledger;
use bedplate_upstream::{Bedrock, Config, Credentials, CredentialsState, Kind, Logging, Sessions};
use tokio::runtime::Handle;

use super::Finding;
use crate::app::{Offline, with_proxy};
use crate::project::Project;
use crate::settings::Settings;

pub(super) async fn all(project: &Project, settings: &Settings, runtime: &Handle) -> Vec<Finding> {
    let mut found = vec![configuration(project, settings)];
    found.extend(running(project).await);
    match Offline::open(project, settings).await {
        Ok(offline) => {
            found.push(ledger(&*offline.ledger).await);
            found.push(keys(&offline).await);
            found.extend(cache::cache(&offline, settings, runtime).await);
        }
        Err(e) => found.push(Finding::bad(
            "ledger",
            e.said,
            e.hint.unwrap_or_else(|| "Repair the database, or change `[store] ledger`.".into()),
        )),
    }
    for config in &settings.provider {
        found.extend(provider(config, settings, runtime).await);
    }
    found
}

fn configuration(project: &Project, settings: &Settings) -> Finding {
    let path = project.config();
    let from = if path.exists() { path.display().to_string() } else { "built-in defaults".into() };
    Finding::good("configuration", format!("{from}, {} provider(s)", settings.provider.len()))
}

/// Whether a gateway runs in this project, and whether it lives.
async fn running(project: &Project) -> Option<Finding> {
    let text = project.running()?;
    let mut lines = text.lines();
    let pid = lines.next().unwrap_or("unknown").to_owned();
    let told: serde_json::Value = serde_json::from_str(lines.next().unwrap_or_default()).unwrap_or_default();
    let data = told.get("data").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let address = data.split("://").nth(1).unwrap_or_default().to_owned();
    let connected =
        tokio::time::timeout(Duration::from_secs(2), tokio::net::TcpStream::connect(&address)).await;
    Some(match connected {
        Ok(Ok(_)) => Finding::good("gateway", format!("process {pid} listens on {data}")),
        _ => Finding::bad(
            "gateway",
            format!("process {pid} holds the project but does not take connections on {data}"),
            format!("Look at its log; `kill {pid}` lets it drain and stop."),
        ),
    })
}

async fn ledger(ledger: &dyn Ledger) -> Finding {
    match (ledger.ping().await, ledger.schema_version().await) {
        (Ok(()), Ok(version)) => Finding::good("ledger", format!("{}, schema {version}", ledger.describe())),
        (Err(e), _) | (_, Err(e)) => Finding::bad("ledger", e.to_string(), "Repair the database."),
    }
}

async fn keys(offline: &Offline) -> Finding {
    let now = SystemClock::shared().now();
    match offline.keymaker.list().await {
        Ok(keys) => {
            let usable = |k: &&bedplate_core::key::StoredKey| {
                k.disabled_at.is_none() && k.expires_at.is_none_or(|at| at > now)
            };
            let good = keys.iter().filter(usable).count();
            if let Err(e) = offline.keymaker.changed(0).await {
                return Finding::bad("keys", e.to_string(), "Repair the database.");
            }
            match good {
                0 => Finding::warning(
                    "keys",
                    "none that may be used",
                    "Make one: `bedplate key create --team NAME`.",
                ),
                n => Finding::good("keys", format!("{n} that may be used, of {}", keys.len())),
            }
        }
        Err(e) => Finding::bad("keys", e.to_string(), "Repair the database."),
    }
}

/// How long the credential chain may take.
const CHAIN: Duration = Duration::from_secs(10);

async fn provider(config: &Config, settings: &Settings, runtime: &Handle) -> Vec<Finding> {
    let name = |what: &str| format!("{} {what}", config.name);
    if config.kind == Kind::Sim {
        return vec![Finding::good(name("upstream"), "the built-in simulator: nothing is spent")];
    }
    let config = with_proxy(config.clone());
    let clock = SystemClock::shared();
    if config.kind == Kind::OpenAi {
        return server::server(&config, settings, &clock).await;
    }
    let mut found = Vec::new();
    let credentials = match &config.bearer {
        Some(_) => Credentials::fixed(String::new(), bedplate_core::secret::Secret::default()),
        None => Credentials::chain(&config, Arc::clone(&clock), runtime),
    };
    match tokio::time::timeout(CHAIN, credentials.settled(clock.now())).await {
        Ok(CredentialsState::Ready | CredentialsState::Stale { .. }) => {
            let what = if config.bearer.is_some() { "a bearer key" } else { "found by the credential chain" };
            found.push(Finding::good(name("credentials"), what));
        }
        Ok(CredentialsState::Failed(said) | CredentialsState::Expired { said, .. }) => found.push(Finding::bad(
            name("credentials"),
            said,
            "Give the process a role, a profile, keys in its environment, or `bearer` in the provider's section.",
        )),
        Ok(CredentialsState::Pending) | Err(_) => found.push(Finding::bad(
            name("credentials"),
            "the credential chain does not answer",
            "Outside AWS set AWS_EC2_METADATA_DISABLED=true, and give keys or a profile.",
        )),
    }
    found.extend(quotas::quotas(&config, settings, &credentials, &clock).await);
    let sessions = Sessions::of(&config, &credentials, &clock, runtime);
    let built = sessions.and_then(|sessions| config.build(&clock, credentials, sessions));
    match built {
        Ok(bedrock) => {
            found.extend(endpoints(&config, &bedrock).await);
            found.extend(tenants::tenants(&config, &bedrock).await);
        }
        Err(e) => found.push(Finding::bad(name("settings"), e, "Correct the provider's section.")),
    }
    found
}

async fn endpoints(config: &Config, bedrock: &Arc<Bedrock>) -> Vec<Finding> {
    let name = |what: &str| format!("{} {what}", config.name);
    let probe = bedrock.probe().await;
    let mut found = Vec::new();
    for (what, (host, connected)) in [("runtime", probe.runtime), ("catalogue", probe.control)] {
        found.push(match connected {
            Ok(took) => Finding::good(name(what), format!("{host} connects in {} ms", took.as_millis())),
            Err(e) => Finding::bad(
                name(what),
                format!("{host}: {e}"),
                "Look at DNS, the security group, the VPC endpoint and the proxy; `endpoints` in the provider's section names others.",
            ),
        });
    }
    match probe.ahead {
        Some(ahead) if ahead.abs() > 60 => found.push(Finding::bad(
            name("clock"),
            format!("this machine is {ahead} s ahead of AWS"),
            "Set the clock: AWS refuses signatures that are more than five minutes off.",
        )),
        Some(ahead) => found.push(Finding::good(name("clock"), format!("{ahead} s ahead of AWS"))),
        None => found.push(Finding::warning(
            name("clock"),
            "cannot be compared: no answer with a date",
            "Repair the endpoint first.",
        )),
    }
    found.push(match probe.logging {
        Ok(Logging::Off) => Finding::warning(
            name("Bedrock's own log"),
            "off",
            "Bedrock's invocation log is the second witness: PutModelInvocationLoggingConfiguration switches it on.",
        ),
        Ok(Logging::On { s3, cloudwatch, text }) => {
            let to = match (s3, cloudwatch) {
                (true, true) => "S3 and CloudWatch",
                (true, false) => "S3",
                (false, true) => "CloudWatch",
                (false, false) => "nowhere",
            };
            let texts = if text { "with texts" } else { "without texts" };
            Finding::good(name("Bedrock's own log"), format!("to {to}, {texts}"))
        }
        Err(e) => Finding::warning(
            name("Bedrock's own log"),
            e,
            "The role needs bedrock:GetModelInvocationLoggingConfiguration to look.",
        ),
    });
    found
}
