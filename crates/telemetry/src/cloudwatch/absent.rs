//! What stands for the delivery in builds without it: types of which there can be no value.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids;

use crate::cloudwatch::{CloudWatchConfig, CloudWatchError};
use crate::inbox::Losses;

pub(crate) enum Sender {}

pub(crate) enum Delivery {}

impl CloudWatchConfig {
    /// Refuses every group.
    pub(crate) fn build(
        &self,
        _log: &'static str,
        group: Option<&String>,
        _ids: &Arc<dyn Ids>,
    ) -> Result<Option<(Sender, Delivery)>, CloudWatchError> {
        let said = self.problems().into_iter().next().map(|(_, said)| said);
        match group {
            None => Ok(None),
            Some(group) => Err(CloudWatchError::Setting(said.unwrap_or_else(|| group.clone()))),
        }
    }
}

impl Sender {
    pub(crate) fn put(&self, _at: Timestamp, _line: &[u8]) {
        match *self {}
    }
}

impl Delivery {
    pub(crate) fn ended(&self, _within: Duration) -> bool {
        match *self {}
    }

    pub(crate) fn losses(&self) -> Arc<Losses> {
        match *self {}
    }
}
