//! What changes on announced days.

use bedplate_core::clock::Timestamp;

/// Something that holds from ever, and what stands in its place from a day on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dated<T> {
    /// `None` when there is nothing before the first day.
    ever: Option<T>,
    /// By day.
    later: Vec<(Timestamp, T)>,
}

impl<T> Dated<T> {
    pub(crate) fn ever(value: T) -> Self {
        Self { ever: Some(value), later: Vec::new() }
    }

    /// `later` is sorted, no day twice.
    pub(crate) fn new(ever: Option<T>, later: Vec<(Timestamp, T)>) -> Self {
        Self { ever, later }
    }

    /// What holds at a moment; without one, what holds from ever.
    pub(crate) fn on(&self, at: Option<Timestamp>) -> Option<&T> {
        let begun = |at: Timestamp| self.later.iter().rev().find(|(from, _)| *from <= at);
        at.and_then(begun).map(|(_, value)| value).or(self.ever.as_ref())
    }

    /// The days on which something changes.
    pub(crate) fn days(&self) -> impl Iterator<Item = Timestamp> {
        self.later.iter().map(|(from, _)| *from)
    }
}

/// Reads `2027-01-01`, which begins at midnight UTC.
pub fn day(text: &str) -> Option<Timestamp> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    plain.then(|| Timestamp::parse(&format!("{text}T00:00:00Z")).ok()).flatten()
}

/// The day of a moment, in UTC: `2027-01-01`.
pub fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_that_has_begun_holds() {
        let dated = Dated::new(Some("old"), vec![(Timestamp(10), "new"), (Timestamp(20), "newer")]);
        for (at, value) in [(0, "old"), (9, "old"), (10, "new"), (19, "new"), (20, "newer"), (99, "newer")] {
            assert_eq!(dated.on(Some(Timestamp(at))), Some(&value), "{at}");
        }
        assert_eq!(dated.on(None), Some(&"old"));
        assert_eq!(Dated::new(None, vec![(Timestamp(10), 1)]).on(Some(Timestamp(9))), None);
    }

    #[test]
    fn days_are_days_of_the_calendar() {
        assert_eq!(day("2027-01-01").map(day_of).as_deref(), Some("2027-01-01"));
        for bad in ["2027-02-29", "2027-1-1", "20270101", "2027-13-01", "tomorrow", "2027-01-01T00"] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }
}
