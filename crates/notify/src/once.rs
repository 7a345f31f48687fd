//! Trouble that lasts is logged when it begins and when it ends, not for every notice.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the trouble has been logged.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) fn ill(&self, said: impl FnOnce() -> String) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}", said());
        }
    }

    pub(crate) fn well(&self, said: impl FnOnce() -> String) {
        // read first: this is on the path of calls
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            tracing::info!("{}", said());
        }
    }
}
