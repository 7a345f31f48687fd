//! From settings to a snapshot: built whole, validated, swapped with one pointer. A bad file changes
//! nothing, and the log and `/metrics` say so.
//!
//! There is one reload at a time, whoever asks. A change counts when two looks have seen the same: a file
//! that is being written is not taken up half.

mod restart;
mod sessions;
mod status;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::{Intake, Sink};
use bedplate_core::rate::Rates;
use bedplate_core::route::Standing;
use bedplate_gateway::tls::{Certificates, TlsError};
use bedplate_gateway::{Gateway, Names, Snapshot};
use bedplate_pipeline::{
    Books, Estimates, Health, Hedged, Means, Pace, Pipeline, Provider, Routes, Single, TargetStanding,
    Throttles, TurnedAway,
};
use bedplate_store::Journal;
use bedplate_telemetry::metrics::{BreakerReading, HedgeReading};
use bedplate_upstream::{CredentialsState, Quotas};
use tokio::sync::Mutex;

use self::status::Status;
use super::budgets::{Configured, InForce};
use super::prints::Prints;
use super::providers::{Built, Providers};
use super::source::{Read, Source};
use crate::settings::Settings;

pub(super) struct Reload {
    source: Source,
    providers: Providers,
    certificates: Option<Arc<Certificates>>,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    sinks: Vec<Arc<dyn Sink>>,
    budgets: Arc<InForce>,
    cache: Single,
    rates: Arc<dyn Rates>,
    open: Arc<AtomicU64>,
    estimates: Arc<Estimates>,
    pace: Arc<Pace>,
    turned_away: Arc<TurnedAway>,
    health: Health,
    /// What was there at the start, which some sections stay with.
    started: (Settings, Prints),
    status: Status,
    /// `[drain] shutdown` of the settings in force.
    shutdown: parking_lot::Mutex<Duration>,
    /// Held by the reload that is at work.
    turn: Mutex<Seen>,
}

pub(super) struct Parts {
    pub(super) source: Source,
    pub(super) settings: Settings,
    pub(super) prints: Prints,
    pub(super) providers: Providers,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sinks: Vec<Arc<dyn Sink>>,
    pub(super) budgets: Arc<InForce>,
    pub(super) cache: Single,
    pub(super) rates: Arc<dyn Rates>,
}

struct Seen {
    /// The files as they were when they were last read, taken up or not.
    tried: Prints,
    /// The files as the last look saw them.
    last: Prints,
    /// Whether the settings in force stood in a file.
    in_file: bool,
}

/// A configuration that is good, and not in force yet.
struct Compiled {
    snapshot: Snapshot,
    providers: Vec<Built>,
    budgets: Vec<Configured>,
}

impl Reload {
    /// Compiles the settings of a start.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub(super) async fn start(parts: Parts) -> Result<(Self, Snapshot), String> {
        let Parts {
            source,
            settings,
            prints,
            providers,
            certificates,
            journal,
            clock,
            sinks,
            budgets,
            cache,
            rates,
        } = parts;
        let pace = Pace::new(Arc::clone(&clock));
        let status = Status::new(certificates.is_some(), clock.now());
        let in_file = prints.has(&source.project.config());
        let seen = Seen { tried: prints.clone(), last: prints.clone(), in_file };
        let reload = Self {
            source,
            providers,
            certificates,
            journal,
            clock,
            sinks,
            budgets,
            cache,
            rates,
            open: Arc::default(),
            estimates: Arc::default(),
            pace,
            turned_away: Arc::default(),
            health: Health::default(),
            started: (settings.clone(), prints.clone()),
            status,
            shutdown: parking_lot::Mutex::new(settings.drain.shutdown.0),
            turn: Mutex::new(seen),
        };
        let compiled = reload.compile(&settings, &prints, true).await?;
        reload.pace.configure(&settings.pace);
        compiled.snapshot.pipeline.routes.put_in_force();
        reload.providers.take(compiled.providers);
        reload.budgets.configure(compiled.budgets);
        Ok((reload, compiled.snapshot))
    }

    /// Reads everything again, changed or not, as `SIGHUP` asks.
    pub(super) async fn now(&self, gateway: &Gateway) {
        let mut seen = self.turn.lock().await;
        self.read(&mut seen, gateway, true).await;
        self.certificates(|c| c.reload().map(|()| true));
    }

    /// Looks at the files, and reads everything again when one changed.
    pub(super) async fn if_changed(&self, gateway: &Gateway) {
        let mut seen = self.turn.lock().await;
        let look = seen.tried.again().await;
        let still = seen.last == look;
        let changed = seen.tried != look;
        seen.last = look;
        if still && changed {
            self.read(&mut seen, gateway, false).await;
        }
        self.certificates(Certificates::reload_if_changed);
    }

    /// Everything is built before anything is in force.
    async fn read(&self, seen: &mut Seen, gateway: &Gateway, all: bool) {
        let Read { settings, prints } = self.source.read();
        (seen.tried, seen.last) = (prints.clone(), prints.clone());
        match self.examine(settings.map_err(|e| e.said), &prints, seen.in_file, all).await {
            Ok((settings, compiled)) => {
                self.pace.configure(&settings.pace);
                compiled.snapshot.pipeline.routes.put_in_force();
                gateway.snapshot.store(Arc::new(compiled.snapshot));
                self.providers.take(compiled.providers);
                self.budgets.configure(compiled.budgets);
                seen.in_file = prints.has(&self.source.project.config());
                for section in restart::waiting(&self.source.project, &self.started, (&settings, &prints)) {
                    tracing::warn!("`{section}` changed: it is taken up at the next start");
                }
                *self.shutdown.lock() = settings.drain.shutdown.0;
                self.status.configuration(true, self.clock.now());
                tracing::info!("the configuration has been taken up");
            }
            Err(e) => {
                self.status.configuration(false, self.clock.now());
                tracing::error!("the reload failed, and the configuration stays as it was: {e}");
            }
        }
    }

    async fn examine(
        &self,
        settings: Result<Settings, String>,
        prints: &Prints,
        in_file: bool,
        all: bool,
    ) -> Result<(Settings, Compiled), String> {
        let settings = settings?;
        let config = self.source.project.config();
        // without a file there is the simulator, which nobody means who moves a file
        if in_file && !prints.has(&config) {
            return Err(format!("`{}` is gone", config.display()));
        }
        let compiled = self.compile(&settings, prints, all).await?;
        Ok((settings, compiled))
    }

    async fn compile(&self, settings: &Settings, prints: &Prints, all: bool) -> Result<Compiled, String> {
        let books = Books {
            clock: Arc::clone(&self.clock),
            intake: Arc::clone(&self.journal) as Arc<dyn Intake>,
            sinks: self.sinks.clone(),
            prices: Arc::new(settings.prices.book(&self.source.project.dir)?),
            wait: Duration::from_secs(1),
            open: Arc::clone(&self.open),
            purses: Some(Arc::clone(&self.budgets.purses)),
            estimates: Arc::clone(&self.estimates),
            pace: Arc::clone(&self.pace),
            nobody: Arc::from(""),
        };
        let allowed = settings.operations.build()?;
        let providers = self.providers.build(settings, prints, all).await?;
        let built: Vec<Arc<dyn Provider>> = providers.iter().map(Built::provider).collect();
        let means = Means {
            providers: &built,
            timeouts: settings.timeout.build(),
            breaker: settings.breaker,
            health: &self.health,
            pace: &self.pace,
            adaptive: settings.pace.adaptive,
        };
        let routes = Routes::with(settings.retry, &settings.model, means)?;
        let throttles = bedplate_pipeline::throttles(&settings.throttle)
            .map_err(|wrong| wrong.into_iter().map(|(_, bad)| bad.said).collect::<Vec<_>>().join("; "))?;
        let pipeline = Pipeline {
            routes: Arc::new(routes),
            allowed,
            timeouts: settings.timeout.build(),
            drain: settings.drain.build(),
            cache: settings.cache.build(&self.cache, &self.clock),
            throttles: Throttles::new(throttles, Arc::clone(&self.rates))
                .counting_on(Arc::clone(&self.turned_away)),
        };
        let snapshot = Snapshot {
            pipeline,
            books: Arc::new(books),
            limits: settings.limits.clone(),
            auth: settings.auth.clone(),
            names: Names::new(&settings.doors),
        };
        let budgets = bedplate_cost::budget::all(&settings.budget)
            .map_err(|wrong| wrong.iter().map(|(_, bad)| bad.to_string()).collect::<Vec<_>>().join("; "))?;
        let budgets = settings.budget.iter().cloned().zip(budgets).collect();
        Ok(Compiled { snapshot, providers, budgets })
    }

    fn certificates(&self, look: impl FnOnce(&Certificates) -> Result<bool, TlsError>) {
        let Some(certificates) = &self.certificates else { return };
        match look(certificates) {
            Ok(false) => {}
            Ok(true) => {
                self.status.certificate(true);
                tracing::info!("the certificate has been taken up");
            }
            Err(e) => {
                self.status.certificate(false);
                tracing::error!("the certificate stays as it was: {e}");
            }
        }
    }

    /// How long calls may run on when bedplate stops, by the settings in force.
    pub(super) fn shutdown(&self) -> Duration {
        *self.shutdown.lock()
    }

    /// What `/metrics` says of reloads, in OpenMetrics.
    pub(super) fn metrics(&self) -> String {
        self.status.render() + &sessions::render(&self.providers.sessions())
    }

    /// How the targets of aliases stand now.
    pub(super) fn breakers(&self) -> Vec<BreakerReading> {
        let reading = |TargetStanding { provider, model, standing }| {
            let state = match standing {
                Standing::Closed => 0,
                Standing::Returning => 1,
                Standing::HalfOpen => 2,
                Standing::Open => 3,
            };
            BreakerReading { provider, model, state }
        };
        self.health.standings(self.clock.tick()).into_iter().map(reading).collect()
    }

    /// Takes this node's part of quotas and slots, by how many nodes there are now.
    pub(super) fn share(&self) {
        self.pace.shared_by(self.rates.nodes());
    }

    /// Where calls wait for room.
    pub(super) fn pace(&self) -> Arc<Pace> {
        Arc::clone(&self.pace)
    }

    /// How second requests went.
    pub(super) fn hedges(&self) -> Vec<HedgeReading> {
        let reading = |Hedged { alias, won, calls }| HedgeReading { alias, won, calls };
        self.health.hedged().into_iter().map(reading).collect()
    }

    /// Who asks AWS for limits, by the place where they count.
    pub(super) fn quotas(&self) -> Vec<(Arc<str>, Arc<Quotas>)> {
        self.providers.quotas()
    }

    pub(super) fn upstream(&self) -> String {
        self.providers.first()
    }

    pub(super) fn credentials(&self) -> Vec<(String, CredentialsState)> {
        self.providers.credentials()
    }

    pub(super) fn sweep(&self) {
        self.providers.sweep();
    }
}
