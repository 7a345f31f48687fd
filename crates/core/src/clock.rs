//! Time, as a parameter. Nothing but [`SystemClock`] may ask the machine what time it is.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Wall-clock time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The calendar form in UTC; saturates at the ends of the calendar.
    pub fn utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// When `s` is not an RFC 3339 date and time.
    pub fn parse(s: &str) -> Result<Self, time::error::Parse> {
        let at = OffsetDateTime::parse(s, &Rfc3339)?;
        Ok(Self(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Moments as people read them, in JSON: RFC 3339 in UTC.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Timestamp;

    /// # Errors
    /// As the format has them.
    pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    /// # Errors
    /// When it is no such text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        Timestamp::parse(&text).map_err(de::Error::custom)
    }
}

/// A point on a clock that never goes back: nanoseconds since the clock began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where time comes from. Tests use `testkit::ManualClock`.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time, for records and signatures.
    fn now(&self) -> Timestamp;
    /// Monotonic time, for durations.
    fn tick(&self) -> Tick;
}

/// The machine's clock: the one home of `SystemTime::now` and `Instant::now`.
pub struct SystemClock {
    began: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of Instant::now")]
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self { began: Instant::now() })
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of SystemTime::now")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn tick(&self) -> Tick {
        Tick(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_read_and_print_rfc_3339() {
        let at = Timestamp::parse("2026-11-22T12:00:03.25Z").unwrap();
        assert_eq!(at.millis(), 1_795_348_803_250);
        assert_eq!(at.to_string(), "2026-11-22T12:00:03.25Z");
        assert_eq!(at.secs(), 1_795_348_803);
    }

    #[test]
    fn ticks_never_go_back() {
        assert_eq!(Tick(5).since(Tick(9)), Duration::ZERO);
    }
}
