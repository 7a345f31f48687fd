//! What `/metrics` says of notices.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Found no room in the inbox.
    pub(crate) dropped: Count,
    /// Neither delivered nor kept as dead letters.
    pub(crate) lost: Count,
    /// Not sent because they had been.
    pub(crate) repeated: Count,
    pub(crate) targets: Vec<Arc<OfTarget>>,
}

/// Counts of one target.
#[derive(Debug, Default)]
pub(crate) struct OfTarget {
    pub(crate) name: String,
    pub(crate) delivered: Count,
    pub(crate) failures: Count,
    pub(crate) dead: Count,
    pub(crate) waiting: Count,
}

impl Counts {
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let of = |name| Arc::new(OfTarget { name, ..OfTarget::default() });
        Self { targets: names.into_iter().map(of).collect(), ..Self::default() }
    }

    /// Whole families of OpenMetrics, without its end.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        let dropped = [("inbox", &self.dropped), ("dead_letters", &self.lost)];
        family(
            &mut out,
            ("bedplate_notices_dropped", "counter"),
            "Notices that are lost: no room in the inbox, or not kept as dead letters",
            dropped.into_iter().map(|(place, count)| (format!("{{place=\"{place}\"}}"), count.get())),
        );
        family(
            &mut out,
            ("bedplate_notices_repeated", "counter"),
            "Notices that were not sent because one of the same key had been",
            [(String::new(), self.repeated.get())],
        );
        self.of_targets(&mut out, "delivered", "counter", "Notices that a target took", |t| &t.delivered);
        self.of_targets(&mut out, "failures", "counter", "Tries that failed", |t| &t.failures);
        self.of_targets(&mut out, "dead", "counter", "Notices that were given up", |t| &t.dead);
        self.of_targets(&mut out, "waiting", "gauge", "Notices that wait to be delivered", |t| &t.waiting);
        out
    }

    fn of_targets(&self, out: &mut String, name: &str, kind: &str, help: &str, of: fn(&OfTarget) -> &Count) {
        // names of targets are letters, digits, `-` and `_`
        let samples = self.targets.iter().map(|t| (format!("{{target=\"{}\"}}", t.name), of(t).get()));
        family(out, (&format!("bedplate_notices_{name}"), kind), help, samples);
    }
}

fn family(
    out: &mut String,
    (name, kind): (&str, &str),
    help: &str,
    samples: impl IntoIterator<Item = (String, u64)>,
) {
    // writing to a string does not fail
    let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}\n");
    let end = if kind == "counter" { "_total" } else { "" };
    for (labels, value) in samples {
        let _ = writeln!(out, "{name}{end}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_there_from_the_start() {
        let counts = Counts::new(["ops".to_owned()]);
        counts.dropped.add(2);
        counts.targets[0].delivered.add(1);
        let page = counts.render();
        assert!(page.contains("bedplate_notices_dropped_total{place=\"inbox\"} 2\n"), "{page}");
        assert!(page.contains("bedplate_notices_dropped_total{place=\"dead_letters\"} 0\n"), "{page}");
        assert!(page.contains("bedplate_notices_delivered_total{target=\"ops\"} 1\n"), "{page}");
        assert!(
            page.contains("# TYPE bedplate_notices_waiting gauge\nbedplate_notices_waiting{target"),
            "{page}"
        );
        assert_eq!(page.matches("# HELP").count(), 6);
    }
}
