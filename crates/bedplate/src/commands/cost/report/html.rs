//! A report as one page that needs nothing else: no script, no font, no picture from anywhere.

use std::borrow::Cow;
use std::fmt::Write as _;

use bedplate_core::spend::SpendSums;
use bedplate_cost::explain::Part;

use super::chart::{Column, Scale, svg};
use super::page::{count, per_call, remarks};
use super::{OTHERS, OverTime, Report};
use crate::commands::cost::explain::{Explained, figures, label};
use crate::commands::cost::money::{change, cost, exact, known, percent, short};
use crate::commands::cost::plain;
use crate::commands::cost::range::stretch;

const STYLE: &str = include_str!("report.css");

pub(super) fn page(report: &Report, over_time: &OverTime, explained: &Explained) -> String {
    let title = format!("Cost by {}", report.heads().join(", "));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} · bedplate</title>\n<style>\n{STYLE}</style>\n<main>\n<header>\n<h1>{title}</h1>\n<p>{}</p>\n",
        escape(&report.range.say()),
    );
    if !report.only.is_empty() {
        let only: Vec<String> = report.only.iter().map(|(of, value)| format!("{of} {value}")).collect();
        let _ = writeln!(out, "<p>only {}</p>", escape(&only.join(", ")));
    }
    out.push_str("</header>\n");
    tiles(&mut out, &report.total);
    stacked(&mut out, report, over_time);
    table(&mut out, report);
    if report.total.cached > 0 {
        mirrored(&mut out, over_time);
    }
    changes(&mut out, explained);
    let _ = write!(
        out,
        "<footer><p>Made by bedplate {} on {}. Sums are of single calls in the ledger; prices in nano-dollars, rounded \
         here alone. <code>--format csv</code> and <code>json</code> are exact.</p></footer>\n</main>\n</html>",
        env!("CARGO_PKG_VERSION"),
        escape(&stretch_end(report)),
    );
    out
}

fn stretch_end(report: &Report) -> String {
    format!("{} ({})", report.range.zone.show(report.range.now), report.range.zone.name())
}

fn tiles(out: &mut String, total: &SpendSums) {
    let exactly = |nanos: i128| format!("exactly {} USD", exact(nanos));
    out.push_str("<dl class=\"tiles\">");
    let mut tiles = vec![
        ("Spent", cost(total), exactly(total.spent)),
        ("Calls", count(total.calls), format!("{} upstream requests", count(total.requests))),
        ("A call", per_call(total), "on the mean".to_owned()),
        (
            "Tokens",
            count(total.prompt() + total.output),
            format!("{} of prompts, {} of answers", count(total.prompt()), count(total.output)),
        ),
    ];
    if total.cached > 0 {
        let kept = format!("by {} kept answers; not part of what was spent", count(total.cached));
        tiles.push(("Avoided", known(total.avoided, total.avoided_unpriced), kept));
    }
    let waste = total.spent_retries + total.spent_abandoned;
    if total.retries + total.abandoned > 0 {
        let of = format!("{} retries, {} abandoned", count(total.retries), count(total.abandoned));
        tiles.push(("Retries and abandoned", short(waste), of));
    }
    for (head, value, more) in tiles {
        let _ = write!(out, "<div><dt>{head}</dt><dd>{value}<small>{more}</small></dd></div>");
    }
    out.push_str("</dl>\n");
    let remarks = remarks(total);
    if !remarks.is_empty() {
        out.push_str("<ul class=\"remarks\">");
        for remark in remarks {
            let (word, rest) = remark.split_once(' ').unwrap_or(("", &remark));
            let _ = write!(out, "<li><b>{word}</b> {}</li>", escape(rest.trim()));
        }
        out.push_str("</ul>\n");
    }
}

/// What was spent over time, by the first thing the report is by.
fn stacked(out: &mut String, report: &Report, over_time: &OverTime) {
    let mut names: Vec<Option<&str>> = Vec::new();
    for (_, name, _) in over_time.lines.iter().filter(|(.., sums)| sums.spent > 0) {
        if !names.contains(&name.as_deref()) {
            names.push(name.as_deref());
        }
    }
    let spent = |name: Option<&str>| {
        let lines = over_time.lines.iter().filter(|(_, n, _)| n.as_deref() == name);
        lines.map(|(.., sums)| sums.spent).sum::<i128>()
    };
    // the dearest stands at the bottom, what has no colour of its own on top
    names.sort_by_key(|name| (name.is_none(), -spent(*name)));
    let class = |name: &Option<&str>| match names.iter().position(|n| n == name) {
        Some(n) if name.is_some() => format!("c{n}"),
        _ => "rest".to_owned(),
    };
    let said = |name: &Option<&str>| name.map_or(OTHERS.to_owned(), plain);
    let columns = columns_of(over_time, |slot| {
        let lines = names.iter().filter_map(|name| {
            let found = over_time.lines.iter().find(|(s, n, _)| *s == slot && n.as_deref() == *name)?;
            Some((class(name), found.2.spent, said(name)))
        });
        lines.collect()
    });
    let by = over_time.of.map_or_else(String::new, |of| format!(" by {of}"));
    let head = format!("Spent over time{by}");
    let one = over_time.of.is_none();
    let legend: Vec<(String, String)> = names
        .iter()
        .filter(|_| !one)
        .map(|name| (class(name), format!("{} {}", said(name), short(spent(*name)))))
        .collect();
    figure(out, &head, &columns, over_time, &legend, report);
}

fn columns_of(over_time: &OverTime, parts: impl Fn(usize) -> Vec<(String, i128, String)>) -> Vec<Column> {
    let column = |(n, slot): (usize, &bedplate_cost::slots::Slot)| {
        let parts = parts(n);
        let sum: i128 = parts.iter().map(|(_, n, _)| n).sum();
        let mut title = format!("{}: {}", slot.name, short(sum));
        for (_, nanos, name) in parts.iter().filter(|(_, n, name)| *n > 0 && !name.is_empty()) {
            let _ = write!(title, "\n{name} {}", short(*nanos));
        }
        let up = parts.into_iter().map(|(class, nanos, _)| (class, nanos)).collect();
        Column { title: escape(&title).into_owned(), up, down: 0 }
    };
    over_time.slots.iter().enumerate().map(column).collect()
}

fn figure(
    out: &mut String,
    head: &str,
    columns: &[Column],
    over_time: &OverTime,
    legend: &[(String, String)],
    report: &Report,
) {
    let label = format!("{head}, each {}, {}", over_time.step.name(), report.range.say());
    let _ = write!(out, "<section>\n<h2>{}</h2>\n<figure>", escape(head));
    drawing(out, columns, over_time, &label);
    if !legend.is_empty() {
        out.push_str("<figcaption><ul class=\"legend\">");
        for (class, name) in legend {
            let _ = write!(out, "<li><i class=\"{class}\"></i>{}</li>", escape(name));
        }
        out.push_str("</ul></figcaption>");
    }
    out.push_str("</figure>\n");
    numbers(out, over_time);
    out.push_str("</section>\n");
}

/// The picture, its scale and its times.
fn drawing(out: &mut String, columns: &[Column], over_time: &OverTime, label: &str) {
    let scale = Scale::of(columns);
    out.push_str("<div class=\"chart\"><div class=\"scale\" aria-hidden=\"true\">");
    for line in scale.lines() {
        let _ = write!(out, "<span style=\"top:{:.2}%\">{}</span>", scale.place(line), short(line.abs()));
    }
    let _ = write!(
        out,
        "</div>{}<div class=\"times\" aria-hidden=\"true\">",
        svg(columns, scale, &escape(label))
    );
    let (first, last) = (over_time.slots.first(), over_time.slots.last());
    let middle = over_time.slots.get(over_time.slots.len() / 2);
    let named: Vec<_> = match over_time.slots.len() {
        0 | 1 => vec![first],
        2 => vec![first, last],
        _ => vec![first, middle, last],
    };
    for slot in named.into_iter().flatten() {
        let _ = write!(out, "<span>{}</span>", escape(&slot.name));
    }
    out.push_str("</div></div>");
}

/// The same as a table.
fn numbers(out: &mut String, over_time: &OverTime) {
    let step = over_time.step.name();
    let _ = write!(
        out,
        "<details><summary>The same as a table</summary><div class=\"wide\"><table><thead><tr><th scope=\"col\">{step}</th>\
         <th scope=\"col\" class=\"n\">spent</th><th scope=\"col\" class=\"n\">avoided</th>\
         <th scope=\"col\" class=\"n\">calls</th></tr></thead><tbody>"
    );
    for (n, slot) in over_time.slots.iter().enumerate() {
        let mut sums = SpendSums::default();
        over_time.lines.iter().filter(|(s, ..)| *s == n).for_each(|(.., more)| sums.add(more));
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&slot.name),
            cost(&sums),
            known(sums.avoided, sums.avoided_unpriced),
            count(sums.calls),
        );
    }
    out.push_str("</tbody></table></div></details>\n");
}

/// Every row with its bar.
fn table(out: &mut String, report: &Report) {
    let most = report.rows.iter().map(|row| row.sums.spent.max(row.sums.avoided)).max().unwrap_or(0);
    let heads = report.heads();
    let _ = write!(
        out,
        "<section>\n<h2>By {}</h2>\n<div class=\"wide\"><table class=\"rows\"><thead><tr>",
        heads.join(", ")
    );
    for head in &heads {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    for (head, ..) in columns(&report.total) {
        let _ = write!(out, "<th scope=\"col\" class=\"n\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for row in &report.rows {
        out.push_str("<tr>");
        let names = report.names(row);
        for (n, name) in names.iter().enumerate() {
            let tag = if n == 0 { "th scope=\"row\"" } else { "td" };
            let bar = if n + 1 == names.len() { bars(&row.sums, most) } else { String::new() };
            let shown =
                if row.names.is_none() && n > 0 { Cow::Borrowed("") } else { Cow::Owned(plain(name)) };
            let _ = write!(out, "<{tag}><span class=\"name\">{}</span>{bar}</{}>", escape(&shown), &tag[..2]);
        }
        figures_of(out, &row.sums, &report.total);
        out.push_str("</tr>");
    }
    let _ = write!(out, "</tbody><tfoot><tr><th scope=\"row\" colspan=\"{}\">total</th>", heads.len().max(1));
    figures_of(out, &report.total, &report.total);
    out.push_str("</tr></tfoot></table></div>\n");
    if report.rows.iter().any(|row| row.names.is_none()) {
        let _ = writeln!(
            out,
            "<p>{OTHERS}: all but the {} dearest; <code>--limit</code> shows more.</p>",
            report.limit
        );
    }
    out.push_str("</section>\n");
}

/// A column: its head, whether it says anything of all calls, and what stands in it.
type Figure = (&'static str, fn(&SpendSums) -> bool, fn(&SpendSums, &SpendSums) -> String);

const FIGURES: [Figure; 10] = [
    ("spent", |_| true, |s, _| cost(s)),
    ("share", |t| t.spent != 0, |s, t| format!("{} %", percent(s.spent, t.spent))),
    ("calls", |_| true, |s, _| count(s.calls)),
    ("a call", |_| true, |s, _| per_call(s)),
    ("prompt", |_| true, |s, _| count(s.prompt())),
    ("output", |_| true, |s, _| count(s.output)),
    ("retries", |t| t.retries > 0, |s, _| dash(s.retries, short(s.spent_retries))),
    ("abandoned", |t| t.abandoned > 0, |s, _| dash(s.abandoned, short(s.spent_abandoned))),
    ("avoided", |t| t.cached > 0, |s, _| dash(s.cached, known(s.avoided, s.avoided_unpriced))),
    ("unpriced", |t| t.unpriced > 0, |s, _| dash(s.unpriced, count(s.unpriced))),
];

/// The columns that say something.
fn columns(total: &SpendSums) -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|(_, says, _)| says(total))
}

fn dash(n: u64, text: String) -> String {
    if n == 0 { "–".to_owned() } else { text }
}

fn figures_of(out: &mut String, sums: &SpendSums, total: &SpendSums) {
    for (_, _, show) in columns(total) {
        let _ = write!(out, "<td class=\"n\">{}</td>", show(sums, total));
    }
}

/// Spent, and avoided below it, on the scale of all rows.
fn bars(sums: &SpendSums, most: i128) -> String {
    let mut out = String::from("<span class=\"bars\" aria-hidden=\"true\">");
    for (class, nanos) in [("c0", sums.spent), ("spared", sums.avoided)] {
        if nanos > 0 && most > 0 {
            let width = (nanos as f64 * 100.0 / most as f64).clamp(0.5, 100.0);
            let _ = write!(out, "<i class=\"{class}\" style=\"width:{width:.1}%\"></i>");
        }
    }
    out + "</span>"
}

/// What was spent stands on the line, what the cache spared hangs below it.
fn mirrored(out: &mut String, over_time: &OverTime) {
    let sum = |slot: usize, of: fn(&SpendSums) -> i128| {
        over_time.lines.iter().filter(|(s, ..)| *s == slot).map(|(.., sums)| of(sums)).sum::<i128>()
    };
    let column = |(n, slot): (usize, &bedplate_cost::slots::Slot)| {
        let (spent, avoided) = (sum(n, |s| s.spent), sum(n, |s| s.avoided));
        let title = format!("{}: spent {}, avoided {}", slot.name, short(spent), short(avoided));
        Column { title: escape(&title).into_owned(), up: vec![("c0".to_owned(), spent)], down: avoided }
    };
    let columns: Vec<Column> = over_time.slots.iter().enumerate().map(column).collect();
    out.push_str("<section>\n<h2>Spent, and avoided by the cache</h2>\n<figure>");
    drawing(
        out,
        &columns,
        over_time,
        "What was spent, above the line, and what kept answers spared, below it",
    );
    out.push_str(
        "<figcaption><ul class=\"legend\"><li><i class=\"c0\"></i>spent</li><li><i class=\"spared\"></i>avoided: no part of \
         what was spent</li></ul></figcaption></figure>\n</section>\n",
    );
}

/// Why it is more or less than in the period before.
fn changes(out: &mut String, explained: &Explained) {
    let group = &explained.total;
    let [(from, until), _] = explained.periods;
    let before = escape(&stretch(&explained.zone, from, until)).into_owned();
    out.push_str("<section>\n<h2>Why it changed</h2>\n");
    if group.idle()[0] {
        let _ = writeln!(out, "<p>There were no such calls before, from {before}.</p></section>");
        return;
    }
    let [was, is] = group.spent();
    let sum = group.parts.sum();
    let by = match percent(sum, was) {
        said if said.is_empty() => String::new(),
        said => format!(" ({said} %)"),
    };
    let _ = write!(
        out,
        "<p>{} against {} from {before}: {}{by}. The parts add up exactly.</p>\n\
         <div class=\"wide\"><table class=\"why\"><thead><tr><th scope=\"col\">part</th><th scope=\"col\" class=\"n\">before</th>\
         <th scope=\"col\" class=\"n\">after</th><th scope=\"col\" class=\"n\">change</th><th aria-hidden=\"true\"></th></tr></thead><tbody>",
        short(is),
        short(was),
        change(sum),
    );
    let most = Part::ALL.into_iter().map(|part| group.parts.get(part).abs()).max().unwrap_or(0).max(1);
    for part in Part::ALL.into_iter().filter(|part| group.parts.get(*part) != 0) {
        let nanos = group.parts.get(part);
        let [was, is] = figures(group, part);
        let width = nanos.abs() as f64 * 50.0 / most as f64;
        let (class, left) = if nanos < 0 { ("less", 50.0 - width) } else { ("more", 50.0) };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{was}</td><td class=\"n\">{is}</td><td class=\"n\">{}</td>\
             <td class=\"sides\" aria-hidden=\"true\"><i class=\"{class}\" style=\"left:{left:.1}%;width:{width:.1}%\"></i></td></tr>",
            label(part),
            change(nanos),
        );
    }
    let _ = write!(
        out,
        "</tbody><tfoot><tr><th scope=\"row\">all</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td></td></tr></tfoot></table></div>\n</section>\n",
        short(was),
        short(is),
        change(sum),
    );
}

/// Text as it may stand in HTML, in an attribute too. Names are what callers write.
fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || (c.is_control() && c != '\n');
    if !text.contains(special) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if special(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_write_is_text() {
        assert_eq!(escape("<b a='\"'>&\u{1b}"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
        assert!(matches!(escape("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn bars_are_seen_and_stay_in_their_cell() {
        let sums = SpendSums { spent: 1, avoided: 3_000, ..SpendSums::default() };
        let drawn = bars(&sums, 3_000);
        assert!(drawn.contains("width:0.5%") && drawn.contains("width:100.0%"), "{drawn}");
        assert!(!bars(&SpendSums::default(), 0).contains("<i"));
    }
}
