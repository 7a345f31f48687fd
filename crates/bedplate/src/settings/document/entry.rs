//! The entry of a table that encloses a place in the text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A key with its value, or an item of a list.
pub(super) struct Entry {
    path: Vec<Step>,
    /// The place of the table or list that holds it.
    pub(super) parent: Range<usize>,
    /// Whether it is a section or an inline table.
    table: bool,
    /// How many bytes the key or value has that encloses the place.
    length: usize,
}

#[derive(Clone)]
enum Step {
    Key(String),
    Item(usize),
}

impl Entry {
    /// The entry that encloses a place most closely; of two as close, the one further in.
    pub(super) fn around(place: &Range<usize>, table: &DeTable<'_>) -> Option<Self> {
        let mut search = Search { place, path: Vec::new(), closest: None };
        search.table(table, &(0..0));
        search.closest
    }

    /// Its key, unless it is an item of a list.
    pub(super) fn key(&self) -> Option<&str> {
        match self.path.last()? {
            Step::Key(name) => Some(name),
            Step::Item(_) => None,
        }
    }

    /// As an operator reads it: `[timeout] total`, `[[provider]] endpoints.runtime`.
    pub(super) fn label(&self) -> String {
        let path = match self.path.as_slice() {
            [list @ .., Step::Item(_)] if !self.table => list,
            path => path,
        };
        match (path.iter().rposition(|step| matches!(step, Step::Item(_))), path) {
            (Some(at), _) => {
                let (section, key) = (names(&path[..at]), names(&path[at..]));
                if key.is_empty() { format!("`[[{section}]]`") } else { format!("`[[{section}]] {key}`") }
            }
            (None, [section @ .., Step::Key(key)]) if !section.is_empty() => {
                format!("`[{}] {key}`", names(section))
            }
            (None, path) => format!("`{}`", names(path)),
        }
    }

    /// Takes it out; `None` when it is not there.
    pub(super) fn remove_from(&self, table: &mut DeTable<'_>) -> Option<()> {
        remove(table, &self.path)
    }
}

fn names(steps: &[Step]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for step in steps {
        if let Step::Key(name) = step {
            names.push(name);
        }
    }
    names.join(".")
}

struct Search<'a> {
    place: &'a Range<usize>,
    /// The way to what is looked at.
    path: Vec<Step>,
    closest: Option<Entry>,
}

impl Search<'_> {
    fn table(&mut self, table: &DeTable<'_>, parent: &Range<usize>) {
        for (key, value) in table {
            self.path.push(Step::Key(key.get_ref().to_string()));
            self.offer(&key.span(), parent, value);
            self.value(value, parent);
            self.path.pop();
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, parent: &Range<usize>) {
        let span = value.span();
        self.offer(&span, parent, value);
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, &span),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(n));
                    self.value(item, &span);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    /// Takes what is looked at when its `span` is the closest so far.
    fn offer(&mut self, span: &Range<usize>, parent: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let encloses = span.start <= self.place.start && self.place.end <= span.end;
        if encloses && self.closest.as_ref().is_none_or(|closest| span.len() <= closest.length) {
            self.closest = Some(Entry {
                path: self.path.clone(),
                parent: parent.clone(),
                table: value.get_ref().is_table(),
                length: span.len(),
            });
        }
    }
}

fn remove(table: &mut DeTable<'_>, path: &[Step]) -> Option<()> {
    let (Step::Key(key), rest) = path.split_first()? else { return None };
    if rest.is_empty() {
        return table.remove(key.as_str()).map(drop);
    }
    remove_from(table.get_mut(key.as_str())?.get_mut(), rest)
}

fn remove_from(value: &mut DeValue<'_>, path: &[Step]) -> Option<()> {
    match (value, path) {
        (DeValue::Table(table), path) => remove(table, path),
        (DeValue::Array(items), [Step::Item(n)]) => {
            let all = std::mem::replace(items, DeArray::new());
            *items = all.into_iter().enumerate().filter(|(at, _)| at != n).map(|(_, item)| item).collect();
            Some(())
        }
        (DeValue::Array(items), [Step::Item(n), rest @ ..]) => {
            remove_from(items.get_mut(*n)?.get_mut(), rest)
        }
        _ => None,
    }
}
