//! A change of spending as tables, as JSON and as CSV.

use bedplate_core::clock::Timestamp;
use bedplate_core::money::grouped;
use bedplate_core::spend::{Class, SpendSums};
use bedplate_cost::explain::{Part, Parts};
use serde_json::{Map, Value, json};

use super::{Explained, Group, Side};
use crate::commands::cost::money::{change, cost, each, exact, percent, short};
use crate::commands::cost::range::stretch;
use crate::out;

/// What a part is, for people.
pub(in crate::commands::cost) fn label(part: Part) -> &'static str {
    match part {
        Part::Calls => "number of calls",
        Part::Mix => "mix of models",
        Part::Cache => "answers from the exact cache",
        Part::Prompt => "prompt tokens a call",
        Part::Output => "output tokens a call",
        Part::PromptCache => "prompt cache, share read",
        Part::Price => "price of the same tokens, a million",
        Part::Units => "units other than tokens, calls",
        Part::Retries => "retries",
        Part::Abandoned => "abandoned streams",
        Part::Unpriced => "calls without a known price",
        Part::Rest => "rounding, and what was not told apart",
    }
}

/// The figure behind a part, before and after; empty where no one figure says it.
pub(in crate::commands::cost) fn figures(group: &Group, part: Part) -> [String; 2] {
    group.sides.each_ref().map(|side| figure(side, part).unwrap_or_default())
}

fn figure(side: &Side, part: Part) -> Option<String> {
    let all = side.all();
    let calls = all.calls - side.of(Class::None).calls;
    let mut plain = *side.of(Class::First);
    plain.add(side.of(Class::Units));
    let count = |n: u64| grouped(n.into());
    Some(match part {
        Part::Calls => count(calls),
        Part::Cache => share(all.cached, calls)?,
        Part::Prompt => tenths(plain.prompt(), plain.calls)?,
        Part::Output => tenths(plain.output, plain.calls)?,
        Part::PromptCache => share(plain.cache_read, plain.prompt())?,
        Part::Price => {
            let first = side.of(Class::First);
            short(each(first.spent * 1_000_000, first.prompt() + first.output)?)
        }
        Part::Units => count(side.of(Class::Units).calls),
        Part::Retries => count(all.retries),
        Part::Abandoned => count(all.abandoned),
        Part::Unpriced => count(side.of(Class::Unpriced).calls),
        Part::Mix | Part::Rest => return None,
    })
}

fn share(part: u64, whole: u64) -> Option<String> {
    (whole > 0).then(|| format!("{} %", percent(part.into(), whole.into())))
}

fn tenths(sum: u64, n: u64) -> Option<String> {
    let tenths = each(i128::from(sum) * 10, n)?.unsigned_abs();
    Some(format!("{}.{}", grouped(tenths / 10), tenths % 10))
}

pub(super) fn tables(explained: &Explained) -> String {
    let [before, after] = explained.periods.map(|(from, until)| stretch(&explained.zone, from, until));
    let total = &explained.total;
    let mut lines =
        vec![format!("before     {before}"), format!("after      {after}"), String::new(), parts(total)];
    if !explained.by.is_empty() {
        lines.extend([String::new(), groups(explained)]);
    }
    let unpriced: u64 = total.sides.iter().map(|side| side.all().unpriced).sum();
    if unpriced > 0 {
        let many = grouped(unpriced.into());
        lines.push(format!(
            "\nunknown    part of the price of {many} requests is not known, and in none of these sums"
        ));
    }
    lines.join("\n")
}

/// The total's parts, one a row; those that there is nothing to say of are left out.
fn parts(total: &Group) -> String {
    let mut table = out::table(&["", "BEFORE", "AFTER", "CHANGE"]);
    let [before, after] = total.sides.each_ref().map(Side::all);
    for part in Part::ALL {
        let [was, is] = figures(total, part);
        let nothing = |figure: &str| matches!(figure, "" | "0" | "0.00 %");
        if total.parts.get(part) != 0 || !nothing(&was) || !nothing(&is) {
            table.add_row([label(part).to_owned(), was, is, change(total.parts.get(part))]);
        }
    }
    table.add_row(["spent".to_owned(), cost(&before), cost(&after), whole(total)]);
    table.to_string()
}

fn whole(group: &Group) -> String {
    let ([before, _], sum) = (group.spent(), group.parts.sum());
    match percent(sum, before) {
        said if said.is_empty() => change(sum),
        said => format!("{} ({said} %)", change(sum)),
    }
}

fn groups(explained: &Explained) -> String {
    let told: Vec<Part> = Part::ALL
        .into_iter()
        .filter(|part| explained.groups.iter().any(|group| group.parts.get(*part) != 0))
        .collect();
    let upper = |text: &str| text.replace('_', " ").to_uppercase();
    let mut heads: Vec<String> = explained.by.iter().map(|of| upper(of.name())).collect();
    heads.extend(["BEFORE", "AFTER", "CHANGE"].map(str::to_owned));
    heads.extend(told.iter().map(|part| upper(part.name())));
    let mut table = out::table(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for group in &explained.groups {
        let [before, after] = group.sides.each_ref().map(|side| cost(&side.all()));
        let mut row: Vec<String> = names(explained, group);
        row.extend([before, after, whole(group)]);
        row.extend(told.iter().map(|part| change(group.parts.get(*part))));
        table.add_row(row);
    }
    table.to_string()
}

fn names(explained: &Explained, group: &Group) -> Vec<String> {
    let width = explained.by.len();
    match &group.names {
        Some(names) => names.iter().map(|name| crate::commands::cost::plain(name)).collect(),
        None => (0..width).map(|n| if n == 0 { "(others)".to_owned() } else { String::new() }).collect(),
    }
}

pub(super) fn json(explained: &Explained) -> String {
    let groups: Vec<Value> = explained
        .groups
        .iter()
        .filter(|_| !explained.by.is_empty())
        .map(|group| {
            let mut object = object(group);
            let names = group.names.iter().flatten();
            let by: Map<String, Value> = explained
                .by
                .iter()
                .zip(names)
                .map(|(of, name)| (of.name().to_owned(), name.as_str().into()))
                .collect();
            object.insert("by".into(), by.into());
            object.insert("others".into(), group.names.is_none().into());
            object.into()
        })
        .collect();
    let period = |(from, until): (Timestamp, Timestamp)| json!({ "from": from.to_string(), "until": until.to_string() });
    let mut whole = object(&explained.total);
    whole.insert(
        "periods".into(),
        json!({ "before": period(explained.periods[0]), "after": period(explained.periods[1]) }),
    );
    whole.insert("zone".into(), explained.zone.name().into());
    whole.insert("groups".into(), groups.into());
    Value::from(whole).to_string()
}

fn object(group: &Group) -> Map<String, Value> {
    let side = |side: &Side| {
        let all = side.all();
        json!({
            "spent_nano_usd": number(all.spent),
            "spent_usd": exact(all.spent),
            "unpriced": all.unpriced,
            "classes": Class::ALL.map(|class| entry(class, side.of(class))).into_iter().collect::<Map<_, _>>(),
        })
    };
    let parts = Part::ALL.map(|part| (part.name().to_owned(), number(group.parts.get(part))));
    let [before, after] = group.sides.each_ref().map(side);
    let sum = group.parts.sum();
    let object = json!({
        "before": before,
        "after": after,
        "change_nano_usd": number(sum),
        "change_usd": exact(sum),
        "parts_nano_usd": parts.into_iter().collect::<Map<_, _>>(),
    });
    match object {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn entry(class: Class, sums: &SpendSums) -> (String, Value) {
    let said = json!({
        "calls": sums.calls,
        "requests": sums.requests,
        "prompt_tokens": sums.prompt(),
        "output_tokens": sums.output,
        "spent_nano_usd": number(sums.spent),
    });
    (class.name().to_owned(), said)
}

/// No reader of JSON takes more than 64 bits for sure.
fn number(n: i128) -> Value {
    i64::try_from(n).map_or_else(|_| n.to_string().into(), Value::from)
}

/// A line for each group; one for all, where nobody asked for groups.
pub(super) fn csv(explained: &Explained) -> String {
    let heads = explained.by.iter().map(|of| of.name().to_owned());
    let fixed = ["others", "before_nano_usd", "after_nano_usd", "change_nano_usd", "change_usd"];
    let parts = Part::ALL.map(|part| format!("{}_nano_usd", part.name()));
    let heads: Vec<String> = heads.chain(fixed.map(str::to_owned)).chain(parts).collect();
    let mut lines = vec![out::csv_line(heads.iter().map(String::as_str))];
    for group in &explained.groups {
        let mut line: Vec<String> = match &group.names {
            Some(names) => names.iter().map(|name| crate::commands::cost::harmless(name)).collect(),
            None => names(explained, group),
        };
        let (sides, sum): (_, i128) = (group.spent(), group.parts.sum());
        line.push(group.names.is_none().to_string());
        line.extend([sides[0], sides[1], sum].map(|n| n.to_string()));
        line.push(exact(sum));
        let Parts(parts) = group.parts;
        line.extend(parts.map(|n| n.to_string()));
        lines.push(out::csv_line(line.iter().map(String::as_str)));
    }
    lines.join("\n")
}
