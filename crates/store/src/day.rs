//! Days, by which calls are partitioned.

use bedplate_core::clock::Timestamp;
use time::Date;

const MICROS: i64 = 86_400_000_000;
/// 1970-01-01 as a Julian day.
const EPOCH: i32 = 2_440_588;
/// 9999-12-31: the last day whose number has eight digits.
const LAST: i64 = 2_932_896;

/// A UTC day between 1970 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Day(i32);

impl Day {
    /// The day that holds `at`; the first or last one for times beyond them.
    pub(crate) fn of(at: Timestamp) -> Self {
        let days = at.0.div_euclid(MICROS).clamp(0, LAST);
        Self(i32::try_from(days).unwrap_or_default())
    }

    /// `20261122`.
    pub(crate) fn number(self) -> i64 {
        let date = Date::from_julian_day(EPOCH + self.0).unwrap_or(Date::MIN);
        i64::from(date.year()) * 10_000 + i64::from(u8::from(date.month())) * 100 + i64::from(date.day())
    }

    /// The day of a number such as `20261122`.
    pub(crate) fn from_number(n: i64) -> Option<Self> {
        let year = i32::try_from(n / 10_000).ok()?;
        let month = u8::try_from(n / 100 % 100).ok()?.try_into().ok()?;
        let date = Date::from_calendar_date(year, month, u8::try_from(n % 100).ok()?).ok()?;
        let day = date.to_julian_day() - EPOCH;
        (0..=LAST).contains(&i64::from(day)).then_some(Self(day))
    }

    /// Midnight at its beginning.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MICROS)
    }

    /// Midnight at its end.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp((i64::from(self.0) + 1) * MICROS)
    }

    /// How many days lie between the two.
    pub(crate) fn distance(self, other: Self) -> u32 {
        self.0.abs_diff(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_numbers_and_ends() {
        let at = Timestamp::parse("2026-11-22T23:59:59.999999Z").unwrap();
        let day = Day::of(at);
        assert_eq!(day.number(), 20_261_122);
        assert_eq!(Day::from_number(20_261_122), Some(day));
        assert_eq!(day.start().to_string(), "2026-11-22T00:00:00Z");
        assert_eq!(day.end().to_string(), "2026-11-23T00:00:00Z");
        assert_eq!(Day::of(Timestamp(at.0 + 1)).number(), 20_261_123);
    }

    #[test]
    fn what_is_beyond_the_calendar_lies_on_its_edge() {
        assert_eq!(Day::of(Timestamp(-1)).number(), 19_700_101);
        assert_eq!(Day::of(Timestamp(i64::MAX)).number(), 99_991_231);
        assert_eq!(Day::from_number(20_261_131), None);
        assert_eq!(Day::from_number(-3), None);
    }
}
