//! Notices, from settings.

use std::path::PathBuf;
use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
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
) -> Result<Arc<Notifier>, Failure> {
    let parts = Parts {
        targets: settings.notify.clone(),
        folder: folder(project)?,
        clock: Arc::clone(clock),
        ids: Arc::clone(ids),
        claims: None,
    };
    Notifier::start(parts).map_err(Failure::usage)
}
