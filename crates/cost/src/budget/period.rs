//! Over how long a budget counts.

use std::fmt;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::setting::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

/// A calendar period in a time zone, or the last so and so long.
#[derive(Clone, PartialEq, Debug)]
pub enum Period {
    Calendar(Calendar, TimeZone),
    /// Counted in sixty parts: what was spent is free again after the length, and at most a sixtieth later.
    Rolling(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Calendar {
    Day,
    /// From Monday.
    Week,
    Month,
    Quarter,
    Year,
}

/// The part of a period that a moment lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// What is spent now is spent in the window that begins here.
    pub starts: Timestamp,
    /// Windows that begin at or after this count against the limit: for a calendar period `starts`.
    pub counts_from: Timestamp,
    /// From then on another window is the current one.
    pub ends: Timestamp,
}

const PARTS: i64 = 60;
const SHORTEST: Duration = Duration::from_secs(60);

impl Period {
    /// Reads `day`, `week`, `month`, `quarter`, `year`, or `rolling 24h`; `zone` is a name such as
    /// `Europe/Berlin`.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn read(period: &str, zone: &str) -> Result<Self, String> {
        let calendar = match period {
            "day" => Calendar::Day,
            "week" => Calendar::Week,
            "month" => Calendar::Month,
            "quarter" => Calendar::Quarter,
            "year" => Calendar::Year,
            _ => {
                let span = period.strip_prefix("rolling ").ok_or_else(|| {
                    format!("not a period: `{period}`; write `day`, `week`, `month`, `quarter`, `year` or `rolling 24h`")
                })?;
                let Span(length) = span.parse()?;
                if !(SHORTEST..=Duration::from_secs(366 * 86_400)).contains(&length) {
                    return Err(format!("the period `{period}` is not within one minute and 366 days"));
                }
                return Ok(Self::Rolling(length));
            }
        };
        let zone = TimeZone::get(zone).map_err(|_| {
            format!("not a time zone: `{zone}`; write a name such as `UTC` or `Europe/Berlin`")
        })?;
        Ok(Self::Calendar(calendar, zone))
    }

    /// The window that `now` lies in.
    pub fn part(&self, now: Timestamp) -> Part {
        match self {
            Self::Calendar(calendar, zone) => calendar.part(now, zone),
            Self::Rolling(length) => {
                let width = (micros(*length) / PARTS).max(1);
                let floor = |at: i64| at.div_euclid(width) * width;
                let starts = floor(now.0);
                Part {
                    starts: Timestamp(starts),
                    counts_from: Timestamp(floor(now.0 - micros(*length))),
                    ends: Timestamp(starts + width),
                }
            }
        }
    }

    /// Since when spending counts, for people.
    pub fn since(&self, now: Timestamp) -> Timestamp {
        let part = self.part(now);
        match self {
            Self::Calendar(..) => part.starts,
            Self::Rolling(_) => part.counts_from,
        }
    }

    /// When something that was spent in the window of `now` no longer counts.
    pub fn resets(&self, now: Timestamp) -> Timestamp {
        let part = self.part(now);
        match self {
            Self::Calendar(..) => part.ends,
            Self::Rolling(length) => Timestamp(part.ends.0 + micros(*length)),
        }
    }
}

impl Calendar {
    fn part(self, now: Timestamp, zone: &TimeZone) -> Part {
        let local = jiff::Timestamp::from_microsecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let today = local.to_zoned(zone.clone()).date();
        let first = self.first(today);
        let next = self.next(first);
        // where a midnight does not exist the day begins with its first moment
        let at = |date: Date| {
            date.to_zoned(zone.clone()).map(|z: Zoned| Timestamp(z.timestamp().as_microsecond()))
        };
        let starts = at(first).unwrap_or(now);
        let ends = at(next).unwrap_or(Timestamp(i64::MAX));
        Part { starts, counts_from: starts.minus(self.slack()), ends }
    }

    /// Windows that began so long before count, too: those of another zone that was configured before, so that the
    /// money of this period is not forgotten when its zone is changed. No window of one's own zone begins within it.
    fn slack(self) -> Duration {
        let hours = if self == Self::Day { 22 } else { 26 };
        Duration::from_secs(hours * 3_600)
    }

    fn first(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => {
                let since_monday = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(since_monday.days()).unwrap_or(day)
            }
            Self::Month => day.first_of_month(),
            Self::Quarter => {
                let months = i64::from((day.month() - 1) % 3);
                let first = day.first_of_month();
                first.checked_sub(months.months()).unwrap_or(first)
            }
            Self::Year => day.first_of_year(),
        }
    }

    fn next(self, first: Date) -> Date {
        let length = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        };
        first.checked_add(length).unwrap_or(Date::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar(calendar, _) => f.write_str(match calendar {
                Calendar::Day => "day",
                Calendar::Week => "week",
                Calendar::Month => "month",
                Calendar::Quarter => "quarter",
                Calendar::Year => "year",
            }),
            Self::Rolling(length) => write!(f, "rolling {}", Span(*length)),
        }
    }
}

fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(period: &str, zone: &str, now: &str) -> [String; 2] {
        let part = Period::read(period, zone).unwrap().part(Timestamp::parse(now).unwrap());
        let before = part.starts.0 - part.counts_from.0;
        assert!(
            before > 0 && before < part.ends.0 - part.starts.0,
            "no window of the same zone begins there"
        );
        [part.starts, part.ends].map(|t| jiff::Timestamp::from_microsecond(t.0).unwrap().to_string())
    }

    #[test]
    fn calendar_periods_begin_at_local_midnight() {
        let noon = "2026-11-22T12:00:00Z";
        assert_eq!(part("day", "UTC", noon), ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"]);
        assert_eq!(part("week", "UTC", noon), ["2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"]);
        assert_eq!(part("month", "America/New_York", noon), ["2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"]);
        assert_eq!(part("quarter", "UTC", noon), ["2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"]);
        assert_eq!(part("year", "Asia/Tokyo", noon), ["2025-12-31T15:00:00Z", "2026-12-31T15:00:00Z"]);
    }

    #[test]
    fn days_of_a_clock_change_have_their_true_length() {
        let berlin = |now| part("day", "Europe/Berlin", now);
        assert_eq!(berlin("2026-03-29T12:00:00Z"), ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
        assert_eq!(berlin("2026-10-25T12:00:00Z"), ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]);
        // midnight itself is left out where clocks go forward at midnight
        assert_eq!(part("day", "America/Santiago", "2026-09-06T12:00:00Z")[0], "2026-09-06T04:00:00Z");
    }

    #[test]
    fn a_rolling_period_never_forgets_too_early() {
        let period = Period::read("rolling 24h", "UTC").unwrap();
        let day = 86_400_000_000;
        let width = day / 60;
        for now in [0, 1, width - 1, width, 5 * day + 17, 5 * day] {
            let part = period.part(Timestamp(now));
            assert!(part.starts.0 <= now && now < part.ends.0);
            // a window that could hold something spent less than 24 h ago counts
            assert!(part.counts_from.0 <= now - day && now - day - part.counts_from.0 < width);
        }
    }

    #[test]
    fn bad_periods_say_what_is_wrong() {
        let said = |p: &str, z: &str| Period::read(p, z).unwrap_err();
        assert!(said("fortnight", "UTC").contains("not a period: `fortnight`"));
        assert!(said("month", "Mars/Olympus").contains("not a time zone: `Mars/Olympus`"));
        assert!(said("rolling 10s", "UTC").contains("not within one minute"));
        assert!(said("rolling soon", "UTC").contains("not a length of time"));
    }
}
