//! `bedplate key`: works on the project's ledger; a running gateway learns of it within 250 ms.

use std::process::ExitCode;

use bedplate_control::keys::{Issued, KeyError, KeyRequest, KeyView};
use bedplate_core::clock::SystemClock;
use bedplate_core::key::KeyId;
use bedplate_core::setting::SecretRef;
use serde_json::json;

use super::runtime;
use crate::app::Offline;
use crate::cli::{CreateArgs, KeyCommand, ProjectArgs};
use crate::exit::{Failure, Kind};
use crate::out::{self, Format, note, say, table};
use crate::project::Project;
use crate::settings::Settings;

pub(crate) fn run(command: KeyCommand) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        match command {
            KeyCommand::Create(args) => {
                let keys = open(&args.project).await?;
                let issued = keys.keymaker.create(&request(&args)).await.map_err(failure)?;
                print(&issued, args.project.format)
            }
            KeyCommand::Import(args) => {
                let secret = SecretRef::Env(args.secret_env).read().map_err(Failure::usage)?;
                let bearer = match args.bearer_env {
                    Some(name) => Some(SecretRef::Env(name).read().map_err(Failure::usage)?),
                    None => None,
                };
                let keys = open(&args.who.project).await?;
                let imported =
                    keys.keymaker.import(&request(&args.who), args.access_key_id, secret, bearer).await;
                print(&imported.map_err(failure)?, args.who.project.format)
            }
            KeyCommand::List(args) => list(&args).await,
            KeyCommand::Disable { key_id, project } => {
                let keys = open(&project).await?;
                keys.keymaker.disable(&KeyId(key_id.as_str().into())).await.map_err(failure)?;
                match project.format {
                    Format::Json => out::json(&json!({ "key_id": key_id, "disabled": true }))?,
                    Format::Human => {
                        say(format!("{key_id} is disabled; a running gateway refuses it within a second"))?
                    }
                }
                Ok(())
            }
            KeyCommand::Rotate { key_id, overlap, project } => {
                let keys = open(&project).await?;
                let id = KeyId(key_id.as_str().into());
                let issued = keys.keymaker.rotate(&id, overlap.0).await.map_err(failure)?;
                print(&issued, project.format)?;
                note(format!("{key_id} goes on for {overlap}"));
                Ok(())
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn open(args: &ProjectArgs) -> Result<Offline, Failure> {
    let project = Project::open(&args.project)?;
    let settings = Settings::load(&project)?;
    Offline::open(&project, &settings).await.map_err(known)
}

/// What holds when the ledger cannot be asked.
fn known(failure: Failure) -> Failure {
    if failure.kind != Kind::Upstream || failure.hint.is_some() {
        return failure;
    }
    failure.hint("Running gateways go on with the keys they know. `bedplate doctor` looks at the ledger; `bedplate key list` shows later what was changed.")
}

fn request(args: &CreateArgs) -> KeyRequest {
    KeyRequest {
        team: args.team.clone(),
        feature: args.feature.clone(),
        environment: args.environment.clone(),
        risk_profile: args.risk_profile.clone(),
        features: args.features.clone(),
        models: args.models.clone(),
        expires_in: args.expires.map(|s| s.0),
    }
}

fn print(issued: &Issued, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return Ok(out::json(issued)?);
    }
    say(format!(
        "key_id             {}\naccess_key_id      {}\nsecret_access_key  {}\nbearer_token       {}",
        issued.key_id,
        issued.access_key_id,
        issued.secret_access_key.expose(),
        issued.bearer_token.expose(),
    ))?;
    if let Some(at) = &issued.expires_at {
        say(format!("expires_at         {at}"))?;
    }
    note("These secrets are shown once: bedplate keeps the secret sealed and the token as a hash.");
    Ok(())
}

async fn list(args: &ProjectArgs) -> Result<(), Failure> {
    let keys = open(args).await?.keymaker.list().await.map_err(failure)?;
    let now = SystemClock::shared().now();
    if args.format == Format::Json {
        for key in &keys {
            out::json(&KeyView::of(key, now))?;
        }
        return Ok(());
    }
    let mut table =
        table(&["KEY", "ACCESS KEY ID", "TEAM", "FEATURE", "ENV", "RISK PROFILE", "STATE", "MODELS"]);
    for key in keys.iter().map(|key| KeyView::of(key, now)) {
        let models = if key.models.is_empty() { "all".into() } else { key.models.join(" ") };
        table.add_row([
            &key.key_id.0,
            &*key.access_key_id,
            &key.team,
            &key.feature,
            &key.environment,
            &key.risk_profile,
            key.state,
            &models,
        ]);
    }
    Ok(say(table.to_string())?)
}

fn failure(e: KeyError) -> Failure {
    match e {
        KeyError::Store(e) => known(e.into()),
        KeyError::Seal(..) => {
            Failure::problem(e).hint("Is .bedplate/master.key the one this ledger was made with?")
        }
        _ => Failure::usage(e),
    }
}
