//! Asks the ledger, and tells models apart.

use std::collections::{BTreeMap, HashMap};

use bedplate_core::clock::Timestamp;
use bedplate_core::spend::{Class, Dimension, SpendAsk, SpendLine};
use bedplate_cost::PriceBook;
use bedplate_cost::explain::{Change, Period, explain};

use super::{Explained, Group};
use crate::commands::cost::range::{Opened, Range};
use crate::exit::Failure;

/// What models are told apart by, after what the caller asked for.
const INNER: [Dimension; 5] =
    [Dimension::Alias, Dimension::Model, Dimension::Region, Dimension::Tier, Dimension::Class];
/// How many combinations are looked at. What is beyond them has no part of its own.
const MOST: u32 = 50_000;

pub(super) async fn explained(
    opened: &Opened,
    range: &Range,
    before: (Timestamp, Timestamp),
    by: Vec<Dimension>,
    only: Vec<(Dimension, String)>,
) -> Result<Explained, Failure> {
    let periods = [before, (range.from, range.until)];
    let book = opened.settings.prices.book(&opened.project.dir).map_err(Failure::usage)?;
    let books = periods.map(|(from, _)| book.on(from));
    let inner = by.iter().chain(&INNER).copied().collect();
    let ask = SpendAsk { slots: periods.to_vec(), by: inner, only, top: MOST };
    let lines = opened.spend(&ask).await?;
    let groups = groups(&lines, by.len(), &books);
    let mut total = Group::default();
    groups.iter().for_each(|group| total.add(group));
    Ok(Explained { zone: range.zone.clone(), periods, by, groups, total })
}

fn groups(lines: &[SpendLine], width: usize, books: &[PriceBook; 2]) -> Vec<Group> {
    let models = models(lines, width);
    let mut groups = BTreeMap::<Option<Vec<String>>, (Group, BTreeMap<String, Change>)>::new();
    for line in lines {
        let names = line.names.as_ref().map(|names| names.split_at(width));
        let key = names.map(|(outer, _)| outer.to_vec());
        let (group, changes) = groups.entry(key.clone()).or_default();
        group.names = key;
        let told = names.and_then(|(_, inner)| match inner {
            [alias, model, region, tier, class] => {
                Some((alias, model, region, tier, class.parse::<Class>().ok()?))
            }
            _ => None,
        });
        let slot = line.slot.min(1);
        let Some((alias, model, region, tier, class)) = told else {
            group.sides[slot].0[Class::None as usize].add(&line.sums);
            side(changes.entry(String::new()).or_default(), slot).add_untold(line.sums.spent);
            continue;
        };
        group.sides[slot].0[class as usize].add(&line.sums);
        // a kept answer stands for a call of the model that its name led to
        let of =
            if class == Class::Cached { models.get(alias.as_str()).copied().unwrap_or(model) } else { model };
        let rates = books[slot].token_rates(model, region, tier);
        side(changes.entry(of.to_owned()).or_default(), slot).add(class, &line.sums, rates);
    }
    let finish = |(mut group, changes): (Group, BTreeMap<String, Change>)| {
        group.parts = explain(&changes.into_values().collect::<Vec<_>>());
        group
    };
    groups.into_values().map(finish).collect()
}

fn side(change: &mut Change, slot: usize) -> &mut Period {
    if slot == 0 { &mut change.before } else { &mut change.after }
}

/// Which model each name led most calls to.
fn models(lines: &[SpendLine], width: usize) -> HashMap<&str, &str> {
    let mut calls = BTreeMap::<(&str, &str), u64>::new();
    for line in lines {
        let Some([alias, model, _, _, class]) = line.names.as_ref().map(|names| &names[width..]) else {
            continue;
        };
        if class == Class::First.name() {
            *calls.entry((alias, model)).or_default() += line.sums.calls;
        }
    }
    let mut models = HashMap::<&str, (&str, u64)>::new();
    for ((alias, model), n) in calls {
        let most = models.entry(alias).or_insert((model, n));
        if n > most.1 {
            *most = (model, n);
        }
    }
    models.into_iter().map(|(alias, (model, _))| (alias, model)).collect()
}
