//! Small drawings in SVG: bars over time, stacked or mirrored. Only the bars are drawn, in a box that stretches; what is
//! written stands around it, so that it is as large on a phone as anywhere.

use std::fmt::Write as _;

/// One column of a chart.
pub(super) struct Column {
    /// Shown when the pointer rests on it.
    pub(super) title: String,
    /// From the bottom up: the class of its colour, and how high.
    pub(super) up: Vec<(String, i128)>,
    /// What hangs below the line.
    pub(super) down: i128,
}

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 200.0;
/// What is more than nothing is seen.
const LOWEST: f64 = 1.0;

/// The scale of columns: how high and how deep they are, rounded to figures that read well.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) top: i128,
    pub(super) bottom: i128,
}

impl Scale {
    pub(super) fn of(columns: &[Column]) -> Self {
        let up = |column: &Column| column.up.iter().map(|(_, n)| (*n).max(0)).sum::<i128>();
        let top = columns.iter().map(up).max().unwrap_or(0);
        let bottom = columns.iter().map(|column| column.down).max().unwrap_or(0);
        let step = nice((top + bottom.max(0)) / 4);
        let whole = |n: i128| (n.max(0) + step - 1) / step * step;
        Self { top: whole(top).max(step), bottom: whole(bottom) }
    }

    /// Lines across: at most six figures.
    pub(super) fn lines(self) -> Vec<i128> {
        let step = nice((self.top + self.bottom) / 4);
        let mut lines: Vec<i128> = (0..=self.bottom / step).rev().map(|n| -n * step).collect();
        lines.extend((1..=self.top / step).map(|n| n * step));
        lines
    }

    /// How far from the top, in per cent.
    pub(super) fn place(self, n: i128) -> f64 {
        (self.top - n) as f64 * 100.0 / (self.top + self.bottom).max(1) as f64
    }
}

/// 1, 2 or 5 and zeroes: not less than `n`.
fn nice(n: i128) -> i128 {
    let mut unit = 1;
    loop {
        if let Some(found) = [1, 2, 5].into_iter().map(|k| k * unit).find(|step| *step >= n) {
            return found;
        }
        unit *= 10;
    }
}

/// The drawing. `label` says what it shows to those who do not see it.
pub(super) fn svg(columns: &[Column], scale: Scale, label: &str) -> String {
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
    );
    let at = |n: i128| scale.place(n) * HEIGHT / 100.0;
    for line in scale.lines() {
        let class = if line == 0 { "axis" } else { "grid" };
        let y = at(line);
        let _ = write!(out, "<line class=\"{class}\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.2}\" y2=\"{y:.2}\"/>");
    }
    let slot = WIDTH / columns.len().max(1) as f64;
    for (n, column) in columns.iter().enumerate() {
        let (x, w) = (n as f64 * slot + slot * 0.1, slot * 0.8);
        let _ = write!(out, "<g><title>{}</title>", column.title);
        let mut below = 0;
        for (class, height) in column.up.iter().filter(|(_, height)| *height > 0) {
            let (from, to) = (at(below), at(below + height));
            let h = (from - to).max(LOWEST);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{w:.2}\" height=\"{h:.2}\"/>",
                from - h
            );
            below += height;
        }
        if column.down > 0 {
            let h = (at(-column.down) - at(0)).max(LOWEST);
            let _ = write!(
                out,
                "<rect class=\"spared\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{w:.2}\" height=\"{h:.2}\"/>",
                at(0)
            );
        }
        out.push_str("</g>");
    }
    out + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(up: i128, down: i128) -> Column {
        Column { title: "t".into(), up: vec![("c0".into(), up)], down }
    }

    #[test]
    fn scales_read_well_and_hold_everything() {
        for (up, down) in [(0, 0), (1, 0), (999, 0), (1_234_567, 400_000), (3, 70_000), (0, 5)] {
            let scale = Scale::of(&[column(up, down), column(0, 0)]);
            assert!(scale.top >= up && scale.bottom >= down && scale.top > 0);
            let lines = scale.lines();
            assert!((2..=8).contains(&lines.len()) && lines.contains(&0), "{up} {down}: {lines:?}");
            assert!(lines.iter().all(|line| (0.0..=100.0).contains(&scale.place(*line))));
        }
    }

    #[test]
    fn small_bars_are_seen_and_none_is_drawn_for_nothing() {
        let columns = [column(1_000_000, 0), column(1, 0), column(0, 0)];
        let drawn = svg(&columns, Scale::of(&columns), "spent");
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.contains("height=\"200.00\"") && drawn.contains("height=\"1.00\""), "{drawn}");
    }
}
