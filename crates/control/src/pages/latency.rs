//! How long calls took: three lines of quantiles and the shape of the first.

use super::chart::{self, Bar};
use super::show;
use crate::live::picture::EDGES;
use crate::live::{Quantiles, Window};

#[derive(Clone, Debug)]
pub(super) struct Latency {
    pub(super) lines: [Line; 3],
    pub(super) bars: Vec<Bar>,
    pub(super) ticks: Vec<Tick>,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) hint: &'static str,
    pub(super) count: String,
    pub(super) p50: String,
    pub(super) p95: String,
    pub(super) p99: String,
    pub(super) max: String,
}

/// A mark below the drawing, in per cent from the left.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) label: &'static str,
}

/// Bins that begin at a power of ten.
const TICKS: [(usize, &str); 6] =
    [(0, "1 ms"), (6, "10 ms"), (12, "100 ms"), (18, "1 s"), (24, "10 s"), (30, "100 s")];

impl Latency {
    pub(super) fn of(window: &Window) -> Self {
        let say = |i: usize, n: u64| {
            format!("{} calls took {} to {}", show::count(n), show::us(EDGES[i]), show::us(EDGES[i + 1]))
        };
        let bins = EDGES.len() - 1;
        let tick = |(i, label)| Tick { x: format!("{:.2}", i as f64 * 100.0 / bins as f64), label };
        Self {
            lines: [
                line("Total", "from the first byte of the request to the last of the answer", window.total),
                line("First token", "streams only", window.first_token),
                line("Own overhead", "what bedplate itself added", window.overhead),
            ],
            bars: chart::bins(&window.spread, say),
            ticks: TICKS.into_iter().map(tick).collect(),
        }
    }
}

fn line(name: &'static str, hint: &'static str, q: Quantiles) -> Line {
    let [p50, p95, p99, max] = [q.p50_us, q.p95_us, q.p99_us, q.max_us].map(show::maybe_us);
    Line { name, hint, count: show::count(q.count), p50, p95, p99, max }
}
