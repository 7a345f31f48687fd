//! Where a model stands in its life.

use std::fmt;

use bedplate_core::clock::Timestamp;

use crate::book::PriceBook;
use crate::entry::Entry;

/// How long AWS keeps a model LEGACY before its end at least: six months, of all models whose end the list knows.
const LEGACY: i64 = 183;
/// From so many days before its end on a model is said to end.
const NEAR: i64 = 90;

/// What is known of a model's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// AWS calls it LEGACY, by the list's word or because its end is that near.
    pub legacy: bool,
    /// Days until it is gone, by the calendar in UTC; below zero when it is. `None` when no day is known.
    pub days: Option<i64>,
}

impl PriceBook {
    /// What is known of the end of a model at a moment; `None` when nothing is.
    pub fn life(&self, model: &str, now: Timestamp) -> Option<Life> {
        self.entry(model)?.life(now)
    }
}

impl Entry {
    /// What is known of its end at a moment.
    pub fn life(&self, now: Timestamp) -> Option<Life> {
        let day = |at: Timestamp| at.secs().div_euclid(86_400);
        let days = self.ends.map(|ends| day(ends) - day(now));
        let legacy = match self.lifecycle.as_deref() {
            Some("legacy") => true,
            Some("active") => false,
            _ => days.is_some_and(|days| days <= LEGACY),
        };
        (legacy || days.is_some()).then_some(Life { legacy, days })
    }
}

impl Life {
    /// Whether it is time to name another model.
    pub fn is_near(self) -> bool {
        self.legacy || self.days.is_some_and(|days| days <= NEAR)
    }
}

/// For people: `LEGACY, ends in 38 days`.
impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = |n: u64| format!("{n} {}", if n == 1 { "day" } else { "days" });
        let end = self.days.map(|left| match left {
            0 => "ends today".to_owned(),
            1.. => format!("ends in {}", days(left.unsigned_abs())),
            _ => format!("ended {} ago", days(left.unsigned_abs())),
        });
        match (self.legacy, end) {
            (true, Some(end)) => write!(f, "LEGACY, {end}"),
            (true, None) => f.write_str("LEGACY"),
            (false, end) => f.write_str(end.as_deref().unwrap_or("no end is known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dated::day;

    fn said(book: &PriceBook, model: &str, on: &str) -> Option<(String, bool)> {
        let life = book.life(model, day(on).unwrap())?;
        Some((life.to_string(), life.is_near()))
    }

    #[test]
    fn the_list_knows_when_models_end() {
        let list = PriceBook::embedded();
        let opus = "us.anthropic.claude-opus-4-1-20250805-v1:0";
        let on = |day: &str| said(&list, opus, day).unwrap();
        assert_eq!(on("2026-06-01"), ("ends in 221 days".into(), false));
        assert_eq!(on("2026-11-30"), ("LEGACY, ends in 39 days".into(), true));
        assert_eq!(on("2027-01-07"), ("LEGACY, ends in 1 day".into(), true));
        assert_eq!(on("2027-01-08"), ("LEGACY, ends today".into(), true));
        assert_eq!(on("2027-01-10"), ("LEGACY, ended 2 days ago".into(), true));
        assert_eq!(said(&list, "us.amazon.nova-lite-v1:0", "2026-11-30"), None);
        assert_eq!(said(&list, "somebodys.own", "2026-11-30"), None);
        let arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-1-20250805-v1:0";
        assert!(list.life(arn, day("2026-11-30").unwrap()).is_some());
    }

    #[test]
    fn an_operators_word_stands_over_the_lists() {
        let nova = "us.amazon.nova-lite-v1:0";
        let with = |lifecycle: &str| {
            let text = format!("[models.\"{nova}\"]\nlifecycle = {lifecycle}\n");
            PriceBook::embedded().with_overrides(&text)
        };
        let on = |lifecycle: &str| said(&with(lifecycle).unwrap(), nova, "2026-11-22");
        assert_eq!(on("{ state = 'legacy' }"), Some(("LEGACY".into(), true)));
        assert_eq!(on("{ eol_date = '2027-02-20' }"), Some(("LEGACY, ends in 90 days".into(), true)));
        let active = on("{ state = 'active', eol_date = 2027-03-22 }");
        assert_eq!(active, Some(("ends in 120 days".into(), false)));
        let price = PriceBook::embedded().entry(nova).unwrap().price;
        assert_eq!(with("{ state = 'legacy' }").unwrap().entry(nova).unwrap().price, price);
        for bad in ["{ state = 'old' }", "{ eol_date = 'soon' }", "{ end = '2027-03-22' }", "7"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
