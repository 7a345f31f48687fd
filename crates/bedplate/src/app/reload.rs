//! From settings to a snapshot: built whole, validated, swapped with one pointer. A bad file changes
//! nothing and says why.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::{Intake, Sink};
use bedplate_cost::PriceBook;
use bedplate_gateway::{Gateway, Snapshot};
use bedplate_pipeline::{Books, Pipeline, Routes};
use bedplate_store::Journal;
use bedplate_upstream::CredentialsState;

use super::providers::Providers;
use crate::project::Project;
use crate::settings::Settings;

pub(super) struct Reload {
    project: Project,
    providers: Providers,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    sinks: Vec<Arc<dyn Sink>>,
    open: Arc<AtomicU64>,
    /// The settings in force, in JSON.
    current: parking_lot::Mutex<String>,
    /// The file as it was last looked at.
    seen: parking_lot::Mutex<Vec<u8>>,
}

pub(super) struct Parts {
    pub(super) project: Project,
    pub(super) providers: Providers,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sinks: Vec<Arc<dyn Sink>>,
}

impl Reload {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { project, providers, journal, clock, sinks } = parts;
        let seen = parking_lot::Mutex::new(std::fs::read(project.config()).unwrap_or_default());
        let (open, current) = (Arc::default(), parking_lot::Mutex::default());
        Self { project, providers, journal, clock, sinks, open, current, seen }
    }

    /// Compiles settings.
    pub(super) async fn snapshot(&self, settings: &Settings) -> Result<Snapshot, String> {
        let providers = self.providers.build(settings).await?;
        let books = Books {
            clock: Arc::clone(&self.clock),
            intake: Arc::clone(&self.journal) as Arc<dyn Intake>,
            sinks: self.sinks.clone(),
            prices: Arc::new(self.prices(settings)?),
            wait: Duration::from_secs(1),
            open: Arc::clone(&self.open),
            nobody: Arc::from(""),
        };
        let pipeline = Pipeline {
            routes: Arc::new(Routes::new(providers)),
            allowed: settings.operations.build()?,
            timeouts: settings.timeout.build(),
            drain: settings.drain.build(),
        };
        *self.current.lock() = serde_json::to_string(settings).map_err(|e| e.to_string())?;
        Ok(Snapshot {
            pipeline,
            books: Arc::new(books),
            limits: settings.limits.clone(),
            auth: settings.auth.clone(),
        })
    }

    fn prices(&self, settings: &Settings) -> Result<PriceBook, String> {
        let book = PriceBook::embedded();
        match &settings.prices.overrides {
            None => Ok(book),
            Some(file) => {
                let path = self.project.dir.join(file);
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| format!("`{}` cannot be read: {e}", path.display()))?;
                book.with_overrides(&text).map_err(|e| format!("{}: {e}", path.display()))
            }
        }
    }

    /// Looks at the file's bytes; takes it up when they changed.
    pub(super) async fn if_changed(&self, gateway: &Gateway) {
        let text = std::fs::read(self.project.config()).unwrap_or_default();
        if *self.seen.lock() != text {
            *self.seen.lock() = text;
            self.now(gateway).await;
        }
    }

    /// Takes up the file if it is good and says something new.
    pub(super) async fn now(&self, gateway: &Gateway) {
        let settings = match Settings::load(&self.project) {
            Ok(settings) => settings,
            Err(e) => return tracing::error!("the configuration stays as it is: {}", e.said),
        };
        let Ok(next) = serde_json::to_string(&settings) else { return };
        let before = self.current.lock().clone();
        if next == before {
            return;
        }
        if let Ok(before) = serde_json::from_str::<Settings>(&before) {
            for section in needs_restart(&before, &settings) {
                tracing::warn!("`[{section}]` changed: it is taken up at the next start");
            }
        }
        match self.snapshot(&settings).await {
            Ok(snapshot) => {
                gateway.snapshot.store(Arc::new(snapshot));
                tracing::info!("the configuration has been taken up");
            }
            Err(e) => tracing::error!("the configuration stays as it is: {e}"),
        }
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

/// Sections that only a start takes up.
fn needs_restart(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let differ = |name, a: serde_json::Result<String>, b: serde_json::Result<String>| {
        matches!((a, b), (Ok(a), Ok(b)) if a != b).then_some(name)
    };
    use serde_json::to_string as json;
    [
        differ("listen", json(&before.listen), json(&after.listen)),
        differ("store", json(&before.store), json(&after.store)),
        differ("log", json(&before.log), json(&after.log)),
        differ("metrics", json(&before.metrics), json(&after.metrics)),
        differ("emf", json(&before.emf), json(&after.emf)),
        differ("traces", json(&before.traces), json(&after.traces)),
        differ("sim", json(&before.sim), json(&after.sim)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
