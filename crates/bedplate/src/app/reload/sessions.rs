//! What `/metrics` says of the sessions of tenants, in OpenMetrics.

use std::fmt::Write;

use bedplate_upstream::SessionCounts;

/// Whole families, without the page's end; nothing when no provider has sessions.
pub(super) fn render(sessions: &[(String, SessionCounts)]) -> String {
    let mut out = String::new();
    if sessions.is_empty() {
        return out;
    }
    let mut family = |name: &str, kind: &str, help: &str, of: &dyn Fn(&SessionCounts) -> u64| {
        // writing to a string does not fail
        let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}\n");
        let end = if kind == "counter" { "_total" } else { "" };
        for (provider, counts) in sessions {
            let _ = writeln!(out, "{name}{end}{{provider=\"{provider}\"}} {}", of(counts));
        }
    };
    family("bedplate_sessions", "gauge", "Sessions of tenants that are kept", &|c| c.kept);
    family("bedplate_sessions_assumed", "counter", "Roles assumed, renewals too", &|c| c.assumed);
    family("bedplate_sessions_failed", "counter", "Roles that could not be assumed, by tries", &|c| c.failed);
    family(
        "bedplate_sessions_evicted",
        "counter",
        "Sessions dropped for another one, because `most` of them were kept",
        &|c| c.evicted,
    );
    out
}
