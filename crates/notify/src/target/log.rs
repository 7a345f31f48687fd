//! A line of bedplate's own log.

use bedplate_core::BoxFuture;
use bedplate_core::notice::{Notice, Severity};

use super::{Target, Trouble};
use crate::words;

pub(super) struct Log;

impl Target for Log {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let fields: Vec<String> =
                notice.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let said = [notice.subject.as_str(), notice.text.as_str()].join(" ");
            let said = words::line(&said, 2_000);
            let (id, kind, fields) =
                (&notice.id.0, notice.kind.name(), words::line(&fields.join(" "), 2_000));
            match notice.severity {
                Severity::Info => tracing::info!(id, kind, fields, "notice: {said}"),
                Severity::Warning => tracing::warn!(id, kind, fields, "notice: {said}"),
                Severity::Critical => tracing::error!(id, kind, fields, "notice: {said}"),
            }
            Ok(())
        })
    }
}
