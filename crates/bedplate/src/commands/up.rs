//! `bedplate up`.

mod first_key;
mod snippet;

use std::process::ExitCode;

use bedplate_upstream::Kind;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::runtime;
use crate::app::{ADMIN_KEY, App, Source, environment_region};
use crate::cli::UpArgs;
use crate::exit::Failure;
use crate::out::{self, Format, note, say};
use crate::project::Project;
use crate::settings::Settings;

pub(crate) use first_key::FirstKey;

/// What `up` says when it is ready.
#[derive(Serialize)]
pub(crate) struct Ready {
    pub(crate) data: String,
    pub(crate) control: String,
    #[serde(flatten)]
    pub(crate) key: FirstKey,
    /// What clients must trust when the certificate is self-signed.
    pub(crate) ca_file: Option<String>,
    pub(crate) upstream: String,
    /// Where the key of the console and the admin API stands.
    pub(crate) admin_key_file: String,
}

pub(crate) fn run(args: UpArgs) -> Result<ExitCode, Failure> {
    // Measured: huge pages cost 18 MiB at rest and 24 KiB for each open stream, and gain nothing. Not
    // in `bedplate run`, whose child would inherit it. Where the kernel has none there is nothing to do.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    tracing("warn,bedplate=info");
    let project = Project::open(&args.project.project)?;
    let source = Source::new(project, move |settings, project| {
        if args.aws {
            with_aws(settings, project)?;
        }
        settings.listen.data = args.data.unwrap_or(settings.listen.data);
        settings.listen.control = args.control.unwrap_or(settings.listen.control);
        Ok(())
    });
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        // before anybody is told that we are ready: they may stop us at once
        let mut stop = Stop::listen()?;
        let mut hangup = signal(SignalKind::hangup()).map_err(Failure::bug)?;
        let mut app = App::start(source, runtime.handle()).await?;
        let ready = ready(&mut app).await?;
        match args.project.format {
            Format::Json => out::json(&ready)?,
            Format::Human => say(snippet::welcome(&ready))?,
        }
        loop {
            tokio::select! {
                () = stop.asked() => break,
                _ = hangup.recv() => {}
            }
            tokio::select! {
                // a reload may wait for a credential chain
                () = stop.asked() => break,
                () = app.reload() => {}
            }
        }
        let shutdown = app.shutdown();
        note("stopping: calls may end within the drain time; a second signal stops at once");
        tokio::select! {
            () = app.drain(shutdown) => Ok(ExitCode::SUCCESS),
            () = stop.asked() => {
                note("stopped at once: calls under way are cut off and not recorded");
                Ok(ExitCode::from(1))
            }
        }
    });
    // dropped, it would wait for the drain after all
    runtime.shutdown_background();
    ended
}

/// Makes the first key and says where bedplate listens.
pub(crate) async fn ready(app: &mut App) -> Result<Ready, Failure> {
    let key = FirstKey::of(&app.project, &app.keymaker, &app.gateway.keyring).await?;
    let scheme = if app.certificates.is_some() { "https" } else { "http" };
    let ready = Ready {
        data: format!("{scheme}://{}", app.data()),
        control: format!("{scheme}://{}", app.control()),
        key,
        ca_file: app.certificates.as_ref().and_then(|c| c.ca_file.as_ref()).map(|p| p.display().to_string()),
        upstream: app.upstream(),
        admin_key_file: app.project.state()?.join(ADMIN_KEY).display().to_string(),
    };
    let addresses =
        serde_json::json!({ "data": ready.data, "control": ready.control, "ca_file": ready.ca_file });
    app.announce(&addresses.to_string())?;
    Ok(ready)
}

/// Real Bedrock instead of the simulator.
pub(crate) fn with_aws(settings: &mut Settings, project: &Project) -> Result<(), Failure> {
    if settings.provider.iter().any(|p| p.kind == Kind::Bedrock) {
        return Ok(());
    }
    if project.config().exists() && settings.provider.iter().any(|p| p.name != "sim") {
        return Err(Failure::usage(
            "`--aws` and the `[[provider]]` sections of bedplate.toml contradict each other",
        )
        .hint("Add a provider with kind = \"bedrock\" to bedplate.toml instead."));
    }
    let mut aws = bedplate_upstream::Config::named("aws", Kind::Bedrock);
    if let Some(region) = environment_region() {
        aws.region = region;
    }
    settings.provider = vec![aws];
    Ok(())
}

/// SIGTERM and SIGINT, heard from the moment this is made.
pub(crate) struct Stop {
    term: Signal,
    int: Signal,
}

impl Stop {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let term = signal(SignalKind::terminate()).map_err(Failure::bug)?;
        let int = signal(SignalKind::interrupt()).map_err(Failure::bug)?;
        Ok(Self { term, int })
    }

    /// Waits for either.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Log lines of the process, on standard error; `BEDPLATE_LOG` sets what is said, else `usual`.
pub(crate) fn tracing(usual: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BEDPLATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
