//! What runs beside the calls, on a runtime of its own.

use std::sync::Arc;
use std::time::Duration;

use bedplate_control::keys::Keymaker;
use bedplate_core::clock::Clock;
use bedplate_core::ports::{Budgets, Calls, Ledger, StoreError};
use bedplate_gateway::Gateway;
use bedplate_pipeline::Keyring;
use bedplate_store::Journal;
use bedplate_telemetry::metrics::Metrics;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::budgets::{InForce, Watch};
use super::contact::Contact;
use super::quotas::Asked;
use super::reload::Reload;

pub(super) struct Parts {
    pub(super) runtime: Handle,
    pub(super) contact: Arc<Contact>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) keymaker: Arc<Keymaker>,
    pub(super) reload: Arc<Reload>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) journal: Arc<Journal>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) store: bedplate_store::Config,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) budgets: Arc<InForce>,
    pub(super) watch: Arc<Watch>,
}

pub(super) struct Background(Vec<AbortHandle>);

/// How soon a gateway learns of a changed key.
const KEYS: Duration = Duration::from_millis(200);
/// How often files are looked at: polled by content, because the symlink swaps of mounted configuration
/// confuse file watchers. A change is taken up at the second look that sees it.
const FILES: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(10);
const HEALTH: Duration = Duration::from_secs(1);
const FORGET: Duration = Duration::from_secs(3_600);
/// How long periods of budgets are kept at least: the longest ones count for 366 days.
const SLICES: Duration = Duration::from_secs(400 * 86_400);

impl Background {
    pub(super) fn start(parts: Parts) -> Self {
        let Parts {
            runtime,
            contact,
            gateway,
            keymaker,
            reload,
            ledger,
            journal,
            metrics,
            store,
            clock,
            budgets,
            watch,
        } = parts;
        let keys = {
            let keyring = Arc::clone(&gateway.keyring);
            let (contact, clock) = (Arc::clone(&contact), Arc::clone(&clock));
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(KEYS).await;
                    let taken = take_changed_keys(&keymaker, &keyring).await;
                    // said once: the keys in memory go on working
                    if contact.note(&taken, clock.now())
                        && let Err(e) = taken
                    {
                        tracing::warn!("changed keys cannot be read: {e}");
                    }
                }
            })
        };
        let files = {
            let reload = Arc::clone(&reload);
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(FILES).await;
                    reload.if_changed(&gateway).await;
                }
            })
        };
        let sharing = {
            let reload = Arc::clone(&reload);
            runtime.spawn(async move {
                loop {
                    reload.share();
                    tokio::time::sleep(HEALTH).await;
                }
            })
        };
        let quotas = {
            let (reload, clock) = (Arc::clone(&reload), Arc::clone(&clock));
            runtime.spawn(async move {
                let mut asked = Asked::new(reload.pace(), clock);
                loop {
                    asked.round(&reload.quotas()).await;
                    tokio::time::sleep(HEALTH).await;
                }
            })
        };
        let sweep = runtime.spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                reload.sweep();
            }
        });
        let health = runtime.spawn(async move {
            loop {
                let health = journal.health();
                metrics.ledger_pending(health.pending);
                metrics.ledger_up(health.failing_since.is_none() && contact.lost().is_none());
                tokio::time::sleep(HEALTH).await;
            }
        });
        let tending = {
            let ledger = Arc::clone(&ledger);
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(HEALTH).await;
                    if let Err(e) = ledger.tend().await {
                        tracing::debug!("the ledger could not be tended: {e}");
                    }
                }
            })
        };
        let forgotten = {
            let (ledger, clock) = (Arc::clone(&ledger) as Arc<dyn Budgets>, Arc::clone(&clock));
            let kept = store.retention.0.max(SLICES);
            runtime.spawn(async move { forget(&*ledger, &*clock, kept).await })
        };
        let retention = {
            let calls = Arc::clone(&ledger) as Arc<dyn Calls>;
            runtime.spawn(async move { store.sweep(calls, clock).await })
        };
        let watching = runtime.spawn(async move { watch.run().await });
        let made = {
            let budgets = Arc::clone(&budgets);
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(KEYS).await;
                    // what is wrong with the ledger is said where keys are read
                    let _ = budgets.take_changed().await;
                }
            })
        };
        let slices = runtime.spawn(async move {
            let mut failing = false;
            loop {
                budgets.purses.rest().await;
                let round = budgets.purses.round().await;
                if let (Err(e), false) = (&round, failing) {
                    tracing::warn!("the ledger cannot be asked about budgets: {e}");
                }
                failing = round.is_err();
            }
        });
        Self(
            [
                keys, files, sharing, quotas, sweep, health, tending, retention, forgotten, watching, made,
                slices,
            ]
            .map(|task| task.abort_handle())
            .into(),
        )
    }

    pub(super) fn stop(self) {
        for task in self.0 {
            task.abort();
        }
    }
}

/// Drops what was spent in windows that began so long ago and have nothing open, now and every hour.
async fn forget(ledger: &dyn Budgets, clock: &dyn Clock, kept: Duration) {
    loop {
        match ledger.forget_slices(clock.now().minus(kept)).await {
            Ok(0) => {}
            Ok(slices) => tracing::info!(slices, "dropped old periods of budgets"),
            Err(e) => tracing::warn!("old periods of budgets cannot be dropped now: {e}"),
        }
        tokio::time::sleep(FORGET).await;
    }
}

/// Takes over keys that changed since the last look.
pub(super) async fn take_changed_keys(keymaker: &Keymaker, keyring: &Keyring) -> Result<(), StoreError> {
    loop {
        let before = keyring.version();
        let (keys, up_to) = keymaker.changed(before).await?;
        if up_to == before {
            return Ok(());
        }
        keyring.put(keys, up_to);
    }
}
