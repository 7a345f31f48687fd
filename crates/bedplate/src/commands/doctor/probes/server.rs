//! A server that speaks OpenAI's chat completions: whether it is there, and has the models that are called.

use std::collections::BTreeSet;
use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_upstream::{Config, Models};

use super::Finding;
use crate::settings::Settings;

pub(super) async fn server(config: &Config, settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let name = |what: &str| format!("{} {what}", config.name);
    let server = match config.build_openai(clock) {
        Ok(server) => server,
        Err(e) => return vec![Finding::bad(name("settings"), e, "Correct the provider's section.")],
    };
    let Models { runtime: (host, connected), names } = server.probe().await;
    let runtime = match connected {
        Ok(took) => Finding::good(name("runtime"), format!("{host} connects in {} ms", took.as_millis())),
        Err(e) => {
            let help = "Start the server, or correct `endpoints.runtime` in the provider's section.";
            return vec![Finding::bad(name("runtime"), format!("{host}: {e}"), help)];
        }
    };
    let models = match names {
        Ok(names) => of_models(name("models"), &names, &called(config, settings)),
        // a server that lists nothing may well answer
        Err(e) => Finding::warning(
            name("models"),
            e,
            "Look at `bearer` and at the path of `endpoints.runtime`, which mostly ends with `/v1`.",
        ),
    };
    vec![runtime, models]
}

fn of_models(name: String, there: &[String], called: &BTreeSet<String>) -> Finding {
    let has =
        |model: &str| there.iter().any(|one| one == model || one.strip_suffix(":latest") == Some(model));
    let without: Vec<&str> = called.iter().map(String::as_str).filter(|model| !has(model)).collect();
    let said = format!("{} on the server", there.len());
    if without.is_empty() {
        return Finding::good(name, said);
    }
    let said = format!("{said}, without {}", without.join(", "));
    Finding::warning(name, said, "Load them there, or correct the targets in `[[model]]`.")
}

/// The models that targets name there.
fn called(config: &Config, settings: &Settings) -> BTreeSet<String> {
    let targets = settings.model.iter().flat_map(|model| model.everything());
    let here = targets.filter_map(|(_, target)| {
        let (provider, model) = target.parts()?;
        (provider == config.name).then(|| model.to_owned())
    });
    here.collect()
}
