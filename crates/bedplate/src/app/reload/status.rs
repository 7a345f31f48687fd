//! How the last reload ended, for `/metrics`.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use bedplate_core::clock::Timestamp;

pub(super) struct Status {
    configuration: AtomicBool,
    /// Seconds since the epoch.
    taken_at: AtomicI64,
    failed: AtomicU64,
    /// `None` without TLS.
    certificate: Option<AtomicBool>,
}

impl Status {
    pub(super) fn new(tls: bool, now: Timestamp) -> Self {
        Self {
            configuration: AtomicBool::new(true),
            taken_at: AtomicI64::new(now.secs()),
            failed: AtomicU64::new(0),
            certificate: tls.then(|| AtomicBool::new(true)),
        }
    }

    pub(super) fn configuration(&self, taken: bool, now: Timestamp) {
        self.configuration.store(taken, Ordering::Relaxed);
        if taken {
            self.taken_at.store(now.secs(), Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn certificate(&self, taken: bool) {
        if let Some(certificate) = &self.certificate {
            certificate.store(taken, Ordering::Relaxed);
        }
    }

    /// Whole families of OpenMetrics, without its end.
    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        let mut gauge = |name: &str, help: &str, value: i64| {
            // writing to a string does not fail
            let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}\n");
        };
        gauge(
            "bedplate_config_last_reload_successful",
            "1 when the configuration in the files is in force, 0 when it is bad and the one before stands",
            i64::from(self.configuration.load(Ordering::Relaxed)),
        );
        gauge(
            "bedplate_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was taken up",
            self.taken_at.load(Ordering::Relaxed),
        );
        if let Some(certificate) = &self.certificate {
            gauge(
                "bedplate_certificate_last_reload_successful",
                "1 when the certificate in the files is in force, 0 when it is bad and the one before stands",
                i64::from(certificate.load(Ordering::Relaxed)),
            );
        }
        let name = "bedplate_config_reload_failures";
        let help = "Reloads that failed and changed nothing";
        let failed = self.failed.load(Ordering::Relaxed);
        let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} counter\n{name}_total {failed}\n");
        out
    }
}
