//! Notices, from settings.

use std::path::PathBuf;
use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::notice::Claims;
use bedplate_core::ports::{Ledger, StoreError};
use bedplate_notify::{Notifier, Parts};

use crate::exit::Failure;
use crate::project::Project;
use crate::settings::Settings;

/// Where notices are kept that are on their way, and those that were given up.
pub(crate) fn folder(project: &Project) -> Result<PathBuf, Failure> {
    Ok(project.state()?.join("notices"))
}

/// Starts delivery.
pub(super) fn start(
    project: &Project,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
    ledger: &Arc<dyn Ledger>,
) -> Result<Arc<Notifier>, Failure> {
    let parts = Parts {
        targets: settings.notify.clone(),
        folder: folder(project)?,
        clock: Arc::clone(clock),
        ids: Arc::clone(ids),
        claims: Some(Arc::new(Shared { ledger: Arc::clone(ledger), clock: Arc::clone(clock) })),
    };
    Notifier::start(parts).map_err(Failure::usage)
}

/// What all nodes share: the ledger.
struct Shared {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

impl Claims for Shared {
    fn claim<'a>(&'a self, key: &'a str, owner: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.ledger.claim(key, owner, self.clock.now()))
    }
}
