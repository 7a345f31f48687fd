//! Trouble that lasts is logged when it begins and when it ends, not every second.

/// Whether the trouble has been logged.
#[derive(Debug, Default)]
pub(crate) struct Once(bool);

impl Once {
    pub(crate) fn ill(&mut self, said: &str) {
        if !std::mem::replace(&mut self.0, true) {
            tracing::warn!("{said}");
        }
    }

    pub(crate) fn well(&mut self, said: &str) {
        if std::mem::replace(&mut self.0, false) {
            tracing::info!("{said}");
        }
    }
}
