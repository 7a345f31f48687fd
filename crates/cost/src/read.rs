//! From text to a book, saying the place of whatever cannot be read.

mod holes;
mod row;
mod values;

use std::collections::HashMap;
use std::fmt;

use bedplate_core::clock::Timestamp;

use crate::book::{Book, Guardrail};
use crate::dated::{Dated, day_of};
use crate::entry::{Entry, Rates};
use crate::tree::Tree;
use values::{Members, bad, date, items, picos, table, take, text};

/// A price file that cannot be used: what is wrong with it, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadPrices {
    /// One for each row that cannot be used, in the file's order; at least one.
    pub problems: Vec<Problem>,
}

/// `models."us.amazon.nova-lite-v1:0".price.input: not a price`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// In the file's own terms.
    pub place: String,
    pub why: String,
}

type Read<T> = Result<T, Problem>;

/// Whether a text is a list of its own, and no operator's file.
pub(crate) fn is_list(text: &str) -> bool {
    let members = top(text, "").unwrap_or_default();
    members.iter().any(|(name, tree)| name == "models" && matches!(tree, Tree::List(_)))
}

/// A list of its own, such as the one that the binary carries.
pub(crate) fn list(text: &str) -> Result<Book, BadPrices> {
    let mut book = Book::default();
    let mut problems = Vec::new();
    for (name, tree) in top(text, "the list")? {
        let place = &*name;
        let read = match place {
            "generated" => self::text(&tree, place).map(|text| book.version = text.into()),
            "source" => self::text(&tree, place).map(|text| book.source = text.into()),
            "guardrail_usd_per_unit" => {
                let mut units = Guardrail::default();
                let read = guardrail(tree, place, &mut units);
                book.guardrail = Dated::ever(units);
                read
            }
            "models" => items(tree, place).map(|items| {
                let each = items.into_iter().enumerate();
                let read = each.map(|(i, tree)| listed(tree, &format!("models[{i}]")));
                let mut entries = Vec::new();
                read.for_each(|read| match read {
                    Ok(entry) => entries.push(entry),
                    Err(problem) => problems.push(problem),
                });
                see_siblings(&mut entries);
                book.take(entries);
            }),
            _ => Ok(()),
        };
        problems.extend(read.err());
    }
    if problems.is_empty() { Ok(book) } else { Err(BadPrices { problems }) }
}

fn listed(tree: Tree<'_>, place: &str) -> Read<Entry> {
    let mut entry = Entry::default();
    row::listed(table(tree, place)?, place, &mut entry)?;
    entry.settle();
    entry.see_regions();
    Ok(entry)
}

/// Profiles of one model whose geographies differ in price show that the model's own price varies between regions.
fn see_siblings(entries: &mut [Entry]) {
    let mut seen: HashMap<String, (Option<Rates>, bool)> = HashMap::new();
    let local = |entry: &&Entry| entry.geo.as_deref().is_some_and(|geo| !matches!(geo, "global" | "us-gov"));
    for entry in entries.iter().filter(local) {
        let (price, differ) = seen.entry(entry.base_model_id.clone()).or_default();
        *differ |= price.replace(entry.price).is_some_and(|before| !before.alike(&entry.price));
    }
    for entry in entries.iter_mut().filter(|entry| entry.geo.is_none()) {
        entry.varies |= seen.get(&entry.base_model_id).is_some_and(|(_, differ)| *differ);
    }
}

/// An operator's file, over `book`, which is of no use after an error.
pub(crate) fn overrides(text: &str, book: &mut Book) -> Result<(), BadPrices> {
    let mut problems = Vec::new();
    for (name, tree) in top(text, "the price file")? {
        let read = match &*name {
            "guardrail_usd_per_unit" => units(tree, &name, book),
            "models" => table(tree, &name).map(|models| {
                for (id, tree) in models {
                    problems.extend(model(&id, tree, book).err());
                }
            }),
            other => Err(bad(other, "no such member; `models` and `guardrail_usd_per_unit` are taken")),
        };
        problems.extend(read.err());
    }
    if problems.is_empty() { Ok(()) } else { Err(BadPrices { problems }) }
}

/// An operator's rows of one model: each stands over those before it.
fn model(id: &str, tree: Tree<'_>, book: &mut Book) -> Read<()> {
    if id.is_empty() {
        return Err(bad("models.\"\"", "a model has a name"));
    }
    let place = format!("models.\"{id}\"");
    let before = book.runtime.get(id).and_then(|dated| dated.on(None)).cloned();
    let new = || Entry { id: id.to_owned(), endpoint: "bedrock-runtime".to_owned(), ..Entry::default() };
    let dated = dated(tree, &place, before, new, |members, place, from, entry: &mut Entry| {
        row::replace(members, place, entry)?;
        entry.from = from;
        entry.settle();
        Ok(())
    })?;
    book.runtime.insert(id.to_owned(), dated);
    Ok(())
}

fn units(tree: Tree<'_>, place: &str, book: &mut Book) -> Read<()> {
    let before = book.guardrail.on(None).cloned();
    let dated = dated(tree, place, before, Guardrail::default, |members, place, from, units| {
        guardrail(Tree::Table(members), place, units)?;
        units.from = from;
        Ok(())
    })?;
    book.guardrail = dated;
    Ok(())
}

/// One row, or a list of rows of which all but one have a day `from` which they hold. Each is written over the one
/// before it; the first over `before`.
fn dated<T: Clone>(
    tree: Tree<'_>,
    place: &str,
    before: Option<T>,
    new: impl Fn() -> T,
    mut write: impl FnMut(Members<'_>, &str, Option<Timestamp>, &mut T) -> Read<()>,
) -> Read<Dated<T>> {
    let mut ever = before;
    let mut later: Vec<(Timestamp, T)> = Vec::new();
    for (from, place, members) in in_order(tree, place)? {
        let last = later.last().map(|(_, value)| value).or(ever.as_ref());
        let mut value = last.cloned().unwrap_or_else(&new);
        write(members, &place, from, &mut value)?;
        match from {
            None => ever = Some(value),
            Some(from) => later.push((from, value)),
        }
    }
    Ok(Dated::new(ever, later))
}

type Row<'a> = (Option<Timestamp>, String, Members<'a>);

/// The rows by day, the one without a day first.
fn in_order<'a>(tree: Tree<'a>, place: &str) -> Read<Vec<Row<'a>>> {
    let trees = match tree {
        Tree::List(trees) => {
            trees.into_iter().enumerate().map(|(i, tree)| (format!("{place}[{i}]"), tree)).collect()
        }
        one => vec![(place.to_owned(), one)],
    };
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(trees.len());
    for (place, tree) in trees {
        let mut members = table(tree, &place)?;
        let from =
            take(&mut members, "from").map(|from| date(&from, &format!("{place}.from"))).transpose()?;
        if rows.iter().any(|(other, ..)| *other == from) {
            let when =
                from.map_or_else(|| "no day `from`".to_owned(), |from| format!("the day {}", day_of(from)));
            return Err(bad(&place, format!("overlaps: two rows have {when}")));
        }
        rows.push((from, place, members));
    }
    rows.sort_by_key(|(from, ..)| *from);
    Ok(rows)
}

fn guardrail(tree: Tree<'_>, place: &str, units: &mut Guardrail) -> Read<()> {
    for (name, tree) in table(tree, place)? {
        let at = format!("{place}.{name}");
        let slot = Guardrail::slot(&name).ok_or_else(|| bad(&at, "no such guardrail unit"))?;
        units.picos[slot] = Some(picos(&tree, 12, &at)?);
    }
    Ok(())
}

fn top<'a>(text: &'a str, what: &str) -> Result<Members<'a>, BadPrices> {
    let read = Tree::read(text).map_err(|e| bad(what, e)).and_then(|tree| table(tree, what));
    read.map_err(|problem| BadPrices { problems: vec![problem] })
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// All of them on one line.
impl fmt::Display for BadPrices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
