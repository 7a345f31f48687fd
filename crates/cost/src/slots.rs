//! Moments as people write them, and stretches of time cut by the calendar of a zone.

use bedplate_core::clock::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::budget::{Calendar, Period};

/// How time is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Hour,
    Day,
    /// From Monday.
    Week,
    Month,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// About how long it is, in microseconds.
    pub fn length(self) -> i64 {
        HOUR * match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        }
    }
}

/// A stretch of time; the first and the last may be cut short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    pub from: Timestamp,
    pub until: Timestamp,
    /// `2026-11-22T14:00+01:00`, `2026-11-22`, `2026-W47`, `2026-11`.
    pub name: String,
}

/// A time zone by its name.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

const HOUR: i64 = 3_600_000_000;

impl Zone {
    /// # Errors
    /// Says that there is no such zone.
    pub fn read(name: &str) -> Result<Self, String> {
        let zone = TimeZone::get(name).map_err(|_| {
            format!("not a time zone: `{name}`; write a name such as `UTC` or `Europe/Berlin`")
        })?;
        Ok(Self { zone, name: name.to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads `2026-11-22`, `2026-11-22T14:00`, both in this zone, or RFC 3339.
    ///
    /// # Errors
    /// Says what a moment looks like.
    pub fn moment(&self, text: &str) -> Result<Timestamp, String> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Timestamp(at.as_microsecond()));
        }
        let local = text.parse::<DateTime>();
        let at = local.ok().and_then(|local| local.to_zoned(self.zone.clone()).ok());
        let at = at.map(|at| Timestamp(at.timestamp().as_microsecond()));
        at.ok_or_else(|| {
            format!(
                "not a moment: `{text}`; write `2026-11-22`, `2026-11-22T14:00` or `2026-11-22T14:00:00Z`"
            )
        })
    }

    /// Cuts a stretch of time, each slot where the calendar begins a new one.
    pub fn slots(&self, step: Step, from: Timestamp, until: Timestamp) -> Vec<Slot> {
        let mut out = Vec::new();
        let mut at = from;
        while at < until {
            let ends = self.ends(step, at).min(until);
            if ends <= at {
                break;
            }
            out.push(Slot { from: at, until: ends, name: self.say(step, at) });
            at = ends;
        }
        out
    }

    /// When the step that holds `at` ends.
    fn ends(&self, step: Step, at: Timestamp) -> Timestamp {
        let calendar = |calendar| Period::Calendar(calendar, self.zone.clone()).part(at);
        match step {
            Step::Day => calendar(Calendar::Day).ends,
            Step::Week => calendar(Calendar::Week).ends,
            Step::Month => calendar(Calendar::Month).ends,
            Step::Hour => {
                // hours of the day as they pass, whatever its clock does
                let day = calendar(Calendar::Day);
                let passed = (at.0 - day.starts.0).div_euclid(HOUR) + 1;
                Timestamp(day.starts.0 + passed * HOUR).min(day.ends)
            }
        }
    }

    fn say(&self, step: Step, at: Timestamp) -> String {
        let Ok(at) = jiff::Timestamp::from_microsecond(at.0) else { return String::new() };
        let at = at.to_zoned(self.zone.clone());
        match step {
            Step::Hour => at.strftime("%Y-%m-%dT%H:00%:z").to_string(),
            Step::Day => at.strftime("%Y-%m-%d").to_string(),
            Step::Week => at.strftime("%G-W%V").to_string(),
            Step::Month => at.strftime("%Y-%m").to_string(),
        }
    }

    /// A moment for people: `2026-11-22 14:05`.
    pub fn show(&self, at: Timestamp) -> String {
        let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(zone: &str, step: Step, from: &str, until: &str) -> Vec<String> {
        let zone = Zone::read(zone).unwrap();
        let at = |text: &str| zone.moment(text).unwrap();
        let slots = zone.slots(step, at(from), at(until));
        assert_eq!(slots.first().unwrap().from, at(from));
        assert_eq!(slots.last().unwrap().until, at(until));
        assert!(slots.windows(2).all(|pair| pair[0].until == pair[1].from));
        slots.into_iter().map(|slot| slot.name).collect()
    }

    #[test]
    fn time_is_cut_by_the_calendar_of_the_zone() {
        assert_eq!(
            cut("Europe/Berlin", Step::Day, "2026-11-20T14:00", "2026-11-22"),
            ["2026-11-20", "2026-11-21"]
        );
        assert_eq!(cut("UTC", Step::Week, "2026-11-20", "2026-11-24"), ["2026-W47", "2026-W48"]);
        assert_eq!(cut("UTC", Step::Month, "2026-11-20", "2027-01-02"), ["2026-11", "2026-12", "2027-01"]);
        assert_eq!(
            cut("Asia/Kolkata", Step::Hour, "2026-11-20T10:20", "2026-11-20T12:00"),
            ["2026-11-20T10:00+05:30", "2026-11-20T11:00+05:30"]
        );
        // the hour that comes twice has two names
        let hours = cut("Europe/Berlin", Step::Hour, "2026-10-25", "2026-10-26");
        assert_eq!(hours.len(), 25);
        assert_eq!(hours[2..4], ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]);
    }

    #[test]
    fn moments_are_read_in_the_zone() {
        let zone = Zone::read("Europe/Berlin").unwrap();
        let said = |text: &str| zone.moment(text).map(|at| at.to_string());
        assert_eq!(said("2026-11-22").unwrap(), "2026-11-21T23:00:00Z");
        assert_eq!(said("2026-11-22T14:30").unwrap(), "2026-11-22T13:30:00Z");
        assert_eq!(said("2026-11-22T14:30:00Z").unwrap(), "2026-11-22T14:30:00Z");
        assert!(said("yesterday").unwrap_err().contains("not a moment: `yesterday`"));
        assert_eq!(zone.show(zone.moment("2026-11-22").unwrap()), "2026-11-22 00:00");
        assert!(Zone::read("Mars/Olympus").is_err());
    }
}
