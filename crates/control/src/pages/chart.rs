//! Small drawings: places and sizes of bars, for SVG in the templates.

use crate::live::{Minute, Picture};

use super::show;

/// A bar in a drawing that is [`WIDTH`] by [`HEIGHT`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) w: String,
    pub(super) h: String,
    /// `bad`, or nothing.
    pub(super) class: &'static str,
    /// Shown when the pointer rests on it.
    pub(super) title: String,
}

pub(super) const WIDTH: f64 = 240.0;
pub(super) const HEIGHT: f64 = 36.0;
/// What is more than nothing is seen.
const LOWEST: f64 = 1.5;

/// Calls by the minute; those that went wrong stand at the bottom.
pub(super) fn calls(picture: &Picture) -> Vec<Bar> {
    let most = picture.minutes.iter().map(|m| m.calls).max().unwrap_or(0);
    let mut bars = Vec::new();
    for (i, minute) in picture.minutes.iter().enumerate() {
        let title = format!("{} UTC: {} calls, {} not answered", time(minute), minute.calls, minute.bad);
        let (all, bad) = (height(minute.calls, most), height(minute.bad, most));
        let slot = slot(i, picture.minutes.len());
        bars.extend(bar(slot, bad, (all - bad).max(0.0), "", title.clone()));
        bars.extend(bar(slot, 0.0, bad, "bad", title));
    }
    bars
}

/// One number for each minute.
pub(super) fn minutes(
    picture: &Picture,
    of: impl Fn(&Minute) -> u64,
    say: impl Fn(&Minute) -> String,
    class: &'static str,
) -> Vec<Bar> {
    let most = picture.minutes.iter().map(&of).max().unwrap_or(0);
    let one = |(i, m): (usize, &Minute)| {
        let title = format!("{} UTC: {}", time(m), say(m));
        bar(slot(i, picture.minutes.len()), 0.0, height(of(m), most), class, title)
    };
    picture.minutes.iter().enumerate().filter_map(one).collect()
}

/// A distribution: `say` names the bin.
pub(super) fn bins(counts: &[u64], say: impl Fn(usize, u64) -> String) -> Vec<Bar> {
    let most = counts.iter().copied().max().unwrap_or(0);
    let one = |(i, n): (usize, &u64)| bar(slot(i, counts.len()), 0.0, height(*n, most), "", say(i, *n));
    counts.iter().enumerate().filter_map(one).collect()
}

/// How long a bar is, in per cent of the longest.
pub(super) fn percent(part: i64, most: i64) -> String {
    match (part, most) {
        (..=0, _) | (_, ..=0) => "0".into(),
        (part, most) => format!("{:.1}", (part as f64 * 100.0 / most as f64).clamp(0.8, 100.0)),
    }
}

fn bar((x, w): (f64, f64), below: f64, h: f64, class: &'static str, title: String) -> Option<Bar> {
    let text = |n: f64| format!("{n:.2}");
    (h > 0.0).then(|| Bar { x: text(x), y: text(HEIGHT - below - h), w: text(w), h: text(h), class, title })
}

fn slot(i: usize, of: usize) -> (f64, f64) {
    let width = WIDTH / of.max(1) as f64;
    (i as f64 * width, width * 0.78)
}

fn height(n: u64, most: u64) -> f64 {
    if n == 0 || most == 0 {
        return 0.0;
    }
    (n as f64 / most as f64 * HEIGHT).max(LOWEST)
}

fn time(minute: &Minute) -> String {
    let text = show::time(minute.at);
    text[..5].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_in_the_drawing_and_small_ones_are_seen() {
        let bars = bins(&[1_000_000, 0, 1], |_, n| n.to_string());
        assert_eq!(bars.len(), 2);
        assert_eq!((bars[0].y.as_str(), bars[0].h.as_str()), ("0.00", "36.00"));
        assert_eq!((bars[1].x.as_str(), bars[1].h.as_str()), ("160.00", "1.50"));
        assert_eq!([percent(0, 5), percent(1, 1_000), percent(5, 5)], ["0", "0.8", "100.0"]);
    }
}
