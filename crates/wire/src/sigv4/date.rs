//! Dates as signatures write them.

use std::fmt;

use bedplate_core::clock::Timestamp;

/// A date and time as `20261122T120000Z`, on the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AmzDate {
    text: [u8; 16],
    at: Timestamp,
}

impl AmzDate {
    /// Reads `20261122T120000Z`.
    pub fn parse(s: &str) -> Option<Self> {
        parse_amz_date(s).map(amz_date)
    }

    /// `20261122`
    pub fn date(&self) -> &str {
        ascii(&self.text[..8])
    }

    /// `20261122T120000Z`
    pub fn full(&self) -> &str {
        ascii(&self.text)
    }

    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.full())
    }
}

impl fmt::Debug for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.full())
    }
}

fn ascii(bytes: &[u8]) -> &str {
    // only digits, `T` and `Z` are ever written here
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Writes a time as signatures do, rounded down to the second. Years outside 0–9999 saturate.
pub fn amz_date(at: Timestamp) -> AmzDate {
    let secs = at.secs().clamp(-62_167_219_200, 253_402_300_799);
    let (days, of_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let mut text = *b"00000000T000000Z";
    digits(&mut text[..4], year);
    digits(&mut text[4..6], month);
    digits(&mut text[6..8], day);
    digits(&mut text[9..11], of_day / 3_600);
    digits(&mut text[11..13], of_day / 60 % 60);
    digits(&mut text[13..15], of_day % 60);
    AmzDate { text, at: Timestamp::from_secs(secs) }
}

/// Reads `20261122T120000Z`; `None` when it is anything else, also a day that does not exist.
pub fn parse_amz_date(s: &str) -> Option<Timestamp> {
    let b = s.as_bytes();
    if b.len() != 16 || b[8] != b'T' || b[15] != b'Z' {
        return None;
    }
    moment(
        number(&b[..4])?,
        number(&b[4..6])?,
        number(&b[6..8])?,
        [number(&b[9..11])?, number(&b[11..13])?, number(&b[13..15])?],
    )
}

/// Reads the preferred form of an HTTP `Date` header: `Sun, 22 Nov 2026 12:00:00 GMT`.
pub fn parse_http_date(s: &str) -> Option<Timestamp> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let b = s.as_bytes();
    let shape = b.len() == 29 && &b[3..5] == b", " && &b[25..] == b" GMT" && b[19] == b':' && b[22] == b':';
    if !shape || b[7] != b' ' || b[11] != b' ' || b[16] != b' ' {
        return None;
    }
    let month = MONTHS.iter().position(|m| *m == &b[8..11])?;
    moment(
        number(&b[12..16])?,
        i64::try_from(month).ok()? + 1,
        number(&b[5..7])?,
        [number(&b[17..19])?, number(&b[20..22])?, number(&b[23..25])?],
    )
}

fn moment(year: i64, month: i64, day: i64, [hour, minute, second]: [i64; 3]) -> Option<Timestamp> {
    if !(1..=12).contains(&month) || day < 1 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_of(year, month, day);
    // a 30th of February comes back as another day
    (civil(days) == (year, month, day))
        .then(|| Timestamp::from_secs(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_of`].
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (years + era * 400 + i64::from(month <= 2), month, of_year - (153 * march + 2) / 5 + 1)
}

fn digits(out: &mut [u8], mut n: i64) {
    for place in out.iter_mut().rev() {
        *place = b'0' + u8::try_from(n % 10).unwrap_or(0);
        n /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        for days in (-700_000..2_900_000).step_by(37) {
            let at = Timestamp::from_secs(days * 86_400 + 86_399);
            let utc = at.utc();
            if !(0..=9999).contains(&utc.year()) {
                continue;
            }
            let text = format!("{:04}{:02}{:02}T235959Z", utc.year(), u8::from(utc.month()), utc.day());
            assert_eq!(amz_date(at).full(), text);
            assert_eq!(parse_amz_date(&text), Some(at));
        }
    }

    #[test]
    fn impossible_dates_are_refused() {
        for bad in [
            "20260229T000000Z",
            "20261301T000000Z",
            "20260001T000000Z",
            "20261122T240000Z",
            "20261122T126000Z",
            "20261122T120060Z",
            "20261122 120000Z",
            "20261122T120000",
            "2026112XT120000Z",
            "",
            "２０２６",
        ] {
            assert_eq!(parse_amz_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_http_form_reads_too() {
        let at = parse_amz_date("20261122T120000Z");
        assert_eq!(parse_http_date("Sun, 22 Nov 2026 12:00:00 GMT"), at);
        for bad in [
            "Sun, 22 Nov 2026 12:00:00 UTC",
            "Sun, 31 Feb 2026 12:00:00 GMT",
            "Sunday, 22-Nov-26",
            "é, 22 Nov 2026 12:00:00 GMT",
        ] {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
    }
}
