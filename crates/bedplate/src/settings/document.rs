//! The text of `bedplate.toml`, read to its end: what cannot be read is noted with its place and left
//! out, and the rest is read again, so that one run says everything.

mod entry;

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use self::entry::Entry;
use super::nearest::with_nearest;

/// The most problems of one text; a file with more is no configuration.
const MOST: usize = 50;

/// A text, what could be made of it, and what is wrong with it.
pub(super) struct Document<'a> {
    text: &'a str,
    table: Spanned<DeTable<'a>>,
    /// Keys that were left out, each with the place of its table.
    left_out: Vec<(Range<usize>, String)>,
    /// Byte offsets, and what is wrong there.
    found: Vec<(usize, String)>,
    /// Whether it is TOML at all.
    sound: bool,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut document =
            Self { text, table, left_out: Vec::new(), found: Vec::new(), sound: errors.is_empty() };
        for e in errors {
            let at = e.span().map_or(0, |span| span.start);
            // what follows on the same line is mostly made of the first mistake
            if document.found.last().is_none_or(|(last, _)| document.line(*last) != document.line(at)) {
                document.found.push((at, e.message().trim().to_owned()));
            }
        }
        document
    }

    /// Reads what can be read; `None` when it is not TOML, or when an error names no place.
    pub(super) fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        if !self.sound {
            return None;
        }
        for _ in 0..MOST {
            match T::deserialize(Deserializer::from(self.table.clone())) {
                Ok(read) => return Some(read),
                Err(e) => self.leave_out(&e)?,
            }
        }
        None
    }

    /// Notes what was found otherwise, at a path such as `["provider", "0", "account"]`; where the file
    /// has no such key, at the section that lacks it. Nothing is noted about a key that was left out.
    pub(super) fn note(&mut self, paths: &[Vec<&str>], said: String) {
        let known_wrong = paths.iter().filter_map(|path| path.split_last()).any(|(key, parents)| {
            let (table, whole) = self.nearest(parents);
            whole && self.left_out.iter().any(|(parent, name)| *parent == table && name == key)
        });
        if !known_wrong {
            let at = paths.first().map_or(0, |path| self.nearest(path).0.start);
            self.found.push((at, said));
        }
    }

    /// Every problem as `LINE:COLUMN: what`, from the top down.
    pub(super) fn problems(mut self) -> Vec<String> {
        self.found.sort();
        self.found.dedup();
        let said = |(at, said): &(usize, String)| {
            let before = self.text.get(..*at).unwrap_or(self.text);
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{}:{column}: {}", self.line(*at), said.replace('\n', " "))
        };
        self.found.iter().map(said).collect()
    }

    fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1
    }

    /// Notes the error, and takes the key or the list's item at its place out of the table.
    fn leave_out(&mut self, e: &Error) -> Option<()> {
        let closest = e.span().and_then(|span| Some((Entry::around(&span, self.table.get_ref())?, span)));
        let Some((entry, span)) = closest else {
            self.found.push((0, with_nearest(e.message())));
            return None;
        };
        if !self.follows(e.message(), &span) {
            let said = with_nearest(e.message());
            let unknown_key = said.starts_with("unknown field");
            let said = if unknown_key { said } else { format!("{}: {said}", entry.label()) };
            self.found.push((span.start, said));
        }
        if let Some(name) = entry.key() {
            self.left_out.push((entry.parent.clone(), name.to_owned()));
        }
        entry.remove_from(self.table.get_mut())
    }

    /// Whether an entry only lacks what was left out of it, which is no second mistake.
    fn follows(&self, message: &str, span: &Range<usize>) -> bool {
        let mut lost = self.left_out.iter().filter(|(table, _)| table == span).map(|(_, key)| key);
        match message.trim().strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(key) => lost.any(|name| name == key),
            // one of several forms, such as `{ env = "NAME" }`, that is now none of them
            None => message.contains("found 0 elements") && lost.next().is_some(),
        }
    }

    /// The place of what a path leads to, or of the last on the way that is there; and whether it is
    /// the whole way.
    fn nearest(&self, path: &[&str]) -> (Range<usize>, bool) {
        let mut place = self.table.span();
        let Some((first, rest)) = path.split_first() else { return (place, true) };
        let Some(mut value) = self.table.get_ref().get(*first) else { return (place, false) };
        place = value.span();
        for step in rest {
            let next = match value.get_ref() {
                DeValue::Table(table) => table.get(*step),
                DeValue::Array(items) => step.parse().ok().and_then(|n: usize| items.get(n)),
                _ => None,
            };
            let Some(next) = next else { return (place, false) };
            value = next;
            place = value.span();
        }
        (place, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn problems(text: &str) -> Vec<String> {
        let mut document = Document::parse(text);
        let _: Option<Settings> = document.read();
        document.problems()
    }

    fn places(text: &str) -> Vec<String> {
        let place = |said: String| said.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
        problems(text).into_iter().map(place).collect()
    }

    #[test]
    fn every_mistake_is_found_where_it_is() {
        let text = "[timeout]\ntotal = \"x\"\nidle = \"y\"\n[listen]\nport = 1\n[listen.tsl]\nmode = 1\n[lisn.tls]\n";
        assert_eq!(places(text), ["2:9", "3:8", "5:1", "6:9", "8:2"]);
        let said = problems(text);
        assert!(said[0].contains("`[timeout] total`: not a length of time: `x`"), "{said:?}");
        assert!(said[3].contains("did you mean `tls`?"), "{said:?}");
    }

    #[test]
    fn entries_of_a_list_are_told_apart() {
        let text = "[[provider]]\nname = \"a\"\nkind = \"bedrok\"\nconections = 1\n[[provider]]\nname = \"b\"\n[[provider]]\nname = 7\nkind = \"sim\"\nendpoints = { runtime = 1, contrl = \"x\" }\n";
        let said = problems(text);
        assert_eq!(places(text), ["3:8", "4:1", "5:1", "8:8", "10:25", "10:28"], "{said:?}");
        assert!(said[0].contains("`[[provider]] kind`: unknown variant"), "{said:?}");
        assert!(said[2].contains("`[[provider]]`: missing field `kind`"), "{said:?}");
        assert!(said[4].contains("`[[provider]] endpoints.runtime`"), "{said:?}");
    }

    #[test]
    fn what_is_not_toml_is_said_line_by_line() {
        assert_eq!(places("[provider\n[listen]\ndata = \n"), ["1:10", "3:8"]);
        assert_eq!(places("a = 1\na = 2\n"), ["2:1"]);
    }

    #[test]
    fn a_list_or_a_value_in_a_sections_place_is_one_mistake() {
        assert_eq!(places("listen = 3\nprices = \"x\"\n").len(), 2);
        assert_eq!(
            places("[[listen]]\ndata = \"127.0.0.1:1\"\n[operations]\nallow = [1, \"x\", 2]\n").len(),
            3
        );
    }

    #[test]
    fn one_mistake_is_said_once() {
        let said = problems("[store]\nledger = { postgres = { fil = \"x\" } }\n[operations]\nallow = [1]\n");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].starts_with("2:25: `[store.ledger.postgres] fil`: unknown variant `fil`"),
            "{said:?}"
        );
        assert!(said[1].starts_with("4:10: `[operations] allow`: invalid type"), "{said:?}");
    }

    #[test]
    fn a_place_is_counted_in_characters() {
        assert_eq!(places("# grüße\n[timeout]\n\"ü\" = \"x\"\ntotal = { \"ü\" = 1 }"), ["3:1", "4:9"]);
    }
}
