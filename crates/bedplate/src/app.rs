//! The composition root: everything is built here, once, and handed to what needs it.

mod background;
pub(crate) mod budgets;
mod cache;
mod contact;
mod environment;
mod health;
mod lanes;
mod notices;
mod prints;
mod providers;
mod quotas;
mod reload;
mod source;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bedplate_control::budgets::Treasurer;
use bedplate_control::keys::Keymaker;
use bedplate_control::{CacheDesk, CacheTally, Live};
use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::ids::{Ids, SystemIds};
use bedplate_core::ports::{Ledger, Sink};
use bedplate_core::secret::Secret;
use bedplate_gateway::tls::Certificates;
use bedplate_gateway::{Gateway, Server};
use bedplate_notify::Notifier;
use bedplate_pipeline::budget::Purses;
use bedplate_pipeline::{Keyring, TargetEnd};
use bedplate_seal::MasterKey;
use bedplate_store::Journal;
use bedplate_telemetry::Telemetry;
use bedplate_telemetry::metrics::EndReading;
use tokio::runtime::Handle;

use crate::exit::Failure;
use crate::project::{Lock, Project, write_private};
use crate::settings::Settings;

use budgets::{InForce, Watch};
pub(crate) use cache::open as open_cache;
pub(crate) use environment::{region as environment_region, with_proxy};
pub(crate) use notices::folder as notices_folder;
use providers::Providers;
use reload::Reload;
pub(crate) use source::Source;

/// The file in `.bedplate/` with the local admin key.
pub(crate) const ADMIN_KEY: &str = "admin-key";

/// A running bedplate.
pub(crate) struct App {
    pub(crate) project: Project,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) keymaker: Arc<Keymaker>,
    pub(crate) certificates: Option<Arc<Certificates>>,
    control: bedplate_control::Server,
    health: Arc<health::Parts>,
    server: Server,
    journal: Arc<Journal>,
    telemetry: Arc<Telemetry>,
    reload: Arc<Reload>,
    background: background::Background,
    notices: Arc<Notifier>,
    budgets: Arc<InForce>,
    lock: Lock,
}

/// The parts of bedplate that work on a project's ledger without serving calls.
pub(crate) struct Offline {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) keymaker: Arc<Keymaker>,
}

impl Offline {
    /// Opens the project's ledger and master key; a running gateway may have them open too.
    pub(crate) async fn open(project: &Project, settings: &Settings) -> Result<Self, Failure> {
        let clock = SystemClock::shared();
        let ids = SystemIds::shared();
        let state = project.state()?;
        let ledger = settings.store.open(&project.dir, Arc::clone(&clock)).await?;
        let master = MasterKey::load_or_create(&state.join("master.key"), &*ids).map_err(Failure::usage)?;
        let keymaker = Arc::new(Keymaker {
            ledger: Arc::clone(&ledger) as Arc<dyn bedplate_core::ports::Keys>,
            master: Arc::new(master),
            ids,
            clock,
        });
        Ok(Self { ledger, keymaker })
    }
}

impl App {
    /// Starts everything; when this returns, calls are served.
    pub(crate) async fn start(source: Source, runtime: &Handle) -> Result<Self, Failure> {
        let source::Read { settings, prints } = source.read();
        let (settings, project) = (settings?, source.project.clone());
        let lock = project.lock()?;
        let clock: Arc<dyn Clock> = SystemClock::shared();
        let ids: Arc<dyn Ids> = SystemIds::shared();
        let state = project.state()?;
        let certificates =
            settings.listen.tls.build(&project.dir, &state).map_err(Failure::usage)?.map(Arc::new);

        let Offline { ledger, keymaker } = Offline::open(&project, &settings).await?;
        let calls = Arc::clone(&ledger) as Arc<dyn bedplate_core::ports::Calls>;
        let journal = Arc::new(settings.store.journal(calls, Arc::clone(&clock), runtime));
        let keyring = Arc::new(Keyring::default());
        background::take_changed_keys(&keymaker, &keyring).await?;

        let telemetry = settings.telemetry(&project.dir);
        let telemetry = telemetry.build(env!("CARGO_PKG_VERSION"), &clock, &ids).map_err(Failure::usage)?;
        let telemetry = Arc::new(telemetry);
        let terms =
            settings.budgets.build(settings.store.deadline.0).map_err(|(_, said)| Failure::usage(said))?;
        let escrow = Arc::clone(&ledger) as Arc<dyn bedplate_core::ports::Budgets>;
        let purses = Purses::new(Arc::clone(&escrow), Arc::clone(&clock), budgets::node(&*ids), terms);
        let in_force = Arc::new(InForce::new(purses, escrow));
        in_force.take_changed().await?;
        let notices = notices::start(&project, &settings, &clock, &ids, &ledger)?;
        let (cache, rates) = cache::serve(&settings, &keymaker, runtime)?;
        let tally = Arc::<CacheTally>::default();
        let live = Live::new(Arc::clone(&clock));
        let mut sinks = telemetry.sinks();
        sinks.push(Arc::clone(&live) as Arc<dyn Sink>);
        sinks.push(Arc::clone(&tally) as Arc<dyn Sink>);
        let watch = Arc::new(Watch {
            in_force: Arc::clone(&in_force),
            ledger: Arc::clone(&ledger) as Arc<dyn bedplate_core::ports::Budgets>,
            metrics: Arc::clone(&telemetry.metrics),
            notices: Arc::clone(&notices) as Arc<dyn bedplate_core::notice::Notices>,
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            seen: budgets::Seen::default(),
        });
        sinks.push(Arc::clone(&watch) as Arc<dyn Sink>);
        let providers = Providers::new(Arc::clone(&clock), runtime.clone());
        let (reload, snapshot) = Reload::start(reload::Parts {
            source,
            settings: settings.clone(),
            prints,
            providers,
            certificates: certificates.clone(),
            journal: Arc::clone(&journal),
            clock: Arc::clone(&clock),
            sinks,
            budgets: Arc::clone(&in_force),
            cache: cache.clone(),
            rates: Arc::clone(&rates),
        })
        .await
        .map_err(Failure::usage)?;
        let admin_key = admin_key(&state, &*ids)?;
        let gateway = Gateway::new(Arc::clone(&clock), ids, keyring, snapshot);

        let tls = certificates.as_ref().map(|c| c.server());
        let workers = match settings.listen.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let server = Server::start(&gateway, settings.listen.data, tls, workers).map_err(Failure::usage)?;
        let reload = Arc::new(reload);
        let contact = Arc::<contact::Contact>::default();
        let background = background::Background::start(background::Parts {
            runtime: runtime.clone(),
            contact: Arc::clone(&contact),
            gateway: Arc::clone(&gateway),
            keymaker: Arc::clone(&keymaker),
            reload: Arc::clone(&reload),
            ledger: Arc::clone(&ledger),
            journal: Arc::clone(&journal),
            metrics: Arc::clone(&telemetry.metrics),
            store: settings.store.clone(),
            clock: Arc::clone(&clock),
            budgets: Arc::clone(&in_force),
            watch,
        });
        let health = Arc::new(health::Parts {
            contact,
            journal: Arc::clone(&journal),
            reload: Arc::clone(&reload),
            budgets: Arc::clone(&in_force),
            draining: AtomicBool::new(false),
        });
        let metrics = {
            let (metrics, reload) = (Arc::clone(&telemetry.metrics), Arc::clone(&reload));
            let (notices, clock) = (Arc::clone(&notices), Arc::clone(&clock));
            let (cache, rates) = (cache.clone(), Arc::clone(&rates));
            let (gateway, pace) = (Arc::clone(&gateway), reload.pace());
            move || {
                metrics.breakers(reload.breakers());
                metrics.hedges(reload.hedges());
                let snapshot = gateway.snapshot.load();
                let ends = snapshot.pipeline.routes.ends(&snapshot.books.prices, clock.now()).into_iter();
                let reading = |TargetEnd { provider, model, days }| EndReading { provider, model, days };
                metrics.ends(ends.map(reading).collect());
                page(
                    &metrics.render(),
                    &(reload.metrics()
                        + &notices.metrics()
                        + &cache::metrics(&cache)
                        + &cache::rate_metrics(&*rates)
                        + &lanes::metrics(&pace.stands())),
                )
            }
        };
        let parts = bedplate_control::Parts {
            ledger: Arc::clone(&ledger),
            keymaker: Arc::clone(&keymaker),
            admin_key,
            health: Arc::clone(&health) as Arc<dyn bedplate_control::Health>,
            metrics: Arc::new(metrics),
            live,
            treasurer: Arc::new(Treasurer {
                ledger: Arc::clone(&ledger),
                clock: Arc::clone(&clock),
                configured: {
                    let in_force = Arc::clone(&in_force);
                    Arc::new(move || in_force.configured())
                },
            }),
            cache: CacheDesk { cache: Arc::new(cache), tally },
            models: {
                let (gateway, clock) = (Arc::clone(&gateway), Arc::clone(&clock));
                Arc::new(move || {
                    let snapshot = gateway.snapshot.load();
                    snapshot.pipeline.routes.stands(&snapshot.books.prices, clock.tick(), clock.now())
                })
            },
            limits: lanes::limits(&gateway, &reload.pace()),
            clock,
            version: env!("CARGO_PKG_VERSION"),
        };
        let tls = certificates.as_ref().map(|c| c.server());
        let control = bedplate_control::Server::start(settings.listen.control, tls, parts).await;
        let control = control.map_err(Failure::usage)?;
        Ok(Self {
            project,
            gateway,
            ledger,
            keymaker,
            certificates,
            control,
            health,
            server,
            journal,
            telemetry,
            reload,
            background,
            notices,
            budgets: in_force,
            lock,
        })
    }

    pub(crate) fn data(&self) -> SocketAddr {
        self.server.addr()
    }

    pub(crate) fn control(&self) -> SocketAddr {
        self.control.addr()
    }

    /// What the first provider calls, for people.
    pub(crate) fn upstream(&self) -> String {
        self.reload.upstream()
    }

    /// Tells other processes where this one listens.
    pub(crate) fn announce(&mut self, line: &str) -> Result<(), Failure> {
        Ok(self.lock.write(&format!("{}\n{line}\n", std::process::id()))?)
    }

    /// Reads the configuration and the certificates again, as `SIGHUP` asks.
    pub(crate) async fn reload(&self) {
        self.reload.now(&self.gateway).await;
    }

    /// How long calls may run on when bedplate stops.
    pub(crate) fn shutdown(&self) -> Duration {
        self.reload.shutdown()
    }

    /// Writes what has settled.
    pub(crate) async fn flush(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.journal.flush()).await;
    }

    /// Stops accepting, lets calls end within `bound`, writes what is pending.
    pub(crate) async fn drain(self, bound: Duration) {
        let Self {
            server, journal, telemetry, ledger, background, notices, budgets, control, health, ..
        } = self;
        health.draining.store(true, Ordering::Relaxed);
        let drained = tokio::task::spawn_blocking(move || server.drain(bound));
        let _ = drained.await;
        if tokio::time::timeout(Duration::from_secs(10), journal.close()).await.is_err() {
            tracing::error!("the ledger did not take all records within 10 s: {:?}", journal.health());
        }
        background.stop();
        if let Err(e) = budgets.purses.close().await {
            tracing::error!("what was drawn of budgets and not spent could not be given back: {e}");
        }
        let sent = tokio::task::spawn_blocking(move || notices.close(Duration::from_secs(5)));
        let late = tokio::task::spawn_blocking(move || telemetry.close(Duration::from_secs(5))).await;
        // what is not sent says so itself, and stays in its journal
        let _ = sent.await;
        for sink in late.unwrap_or_default() {
            tracing::warn!("the sink `{sink}` did not write all it had within 5 s");
        }
        ledger.close().await;
        control.stop().await;
    }
}

/// One page of OpenMetrics out of one that is whole and families that stand before its end.
fn page(whole: &str, more: &str) -> String {
    let families = whole.strip_suffix("# EOF\n").unwrap_or(whole);
    format!("{families}{more}# EOF\n")
}

/// The local admin key: made once, readable by its owner alone.
fn admin_key(state: &Path, ids: &dyn Ids) -> Result<Secret, Failure> {
    const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let path = state.join(ADMIN_KEY);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Ok(Secret::new(text.trim()));
    }
    let key = format!("bedplate-admin-{}", bedplate_core::ids::text(ids, WORD, 43));
    write_private(&path, &format!("{key}\n"))
        .map_err(|e| Failure::usage(format!("`{}` cannot be written: {e}", path.display())))?;
    Ok(Secret::new(key))
}
