//! Numbers as people read them.

use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos, grouped};

/// `1,234,567`.
pub(super) fn count(n: u64) -> String {
    grouped(n.into())
}

/// `950`, `12.3k`, `4.56M`: three digits.
pub(super) fn short(n: u64) -> String {
    for (scale, unit) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if n >= scale {
            return format!("{}{unit}", three(n as f64 / scale as f64));
        }
    }
    n.to_string()
}

/// Microseconds as `84 µs`, `1.42 ms`, `812 ms`, `2.31 s`, `4 min 5 s`.
pub(super) fn us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", three(us as f64 / 1e3)),
        1_000_000..120_000_000 => format!("{} s", three(us as f64 / 1e6)),
        _ => format!("{} min {} s", us / 60_000_000, us / 1_000_000 % 60),
    }
}

/// The same, or a dash.
pub(super) fn maybe_us(t: Option<u64>) -> String {
    t.map_or_else(|| "–".into(), us)
}

/// Dollars to the cent, small amounts to three digits; never 0 when it is more.
pub(super) fn dollars(n: Nanos) -> String {
    let (sign, abs) = (if n.0 < 0 { "-" } else { "" }, n.0.unsigned_abs());
    match abs {
        0 => "$0.00".into(),
        1_000_000_000.. => {
            let cents = (abs + 5_000_000) / 10_000_000;
            format!("{sign}${}.{:02}", count(cents / 100), cents % 100)
        }
        1_000_000.. => format!("{sign}${:.4}", abs as f64 / 1e9),
        1_000.. => format!("{sign}${:.6}", abs as f64 / 1e9),
        _ => Nanos(n.0).to_string(),
    }
}

/// As [`dollars`], in little room: a sum of which a part is not known is at least the rest.
pub(super) fn cost(c: Cost) -> String {
    match c {
        Cost::Known(n) => dollars(n),
        Cost::Unknown(Nanos(0)) => "unknown".into(),
        Cost::Unknown(n) => format!("≥ {}", dollars(n)),
    }
}

/// `12:00:03`, UTC.
pub(super) fn time(at: Timestamp) -> String {
    let t = at.utc().time();
    format!("{:02}:{:02}:{:02}", t.hour(), t.minute(), t.second())
}

/// How long ago, or how long: `12 s`, `5 min`, `3 h`, `2 d`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.secs().saturating_sub(then.secs()).max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// A share as a whole per cent; `0%` only for nothing at all, `100%` only for all.
pub(super) fn share(part: u64, whole: u64) -> String {
    match (part, whole) {
        (0, _) | (_, 0) => "0%".into(),
        (p, w) if p >= w => "100%".into(),
        (p, w) => match p as f64 * 100.0 / w as f64 {
            x if x < 1.0 => "<1%".into(),
            x if x > 99.0 => ">99%".into(),
            x => format!("{x:.0}%"),
        },
    }
}

/// Three digits.
fn three(x: f64) -> String {
    if x < 9.995 {
        format!("{x:.2}")
    } else if x < 99.95 {
        format!("{x:.1}")
    } else {
        format!("{x:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!([short(999), short(12_345), short(4_560_000)], ["999", "12.3k", "4.56M"]);
        assert_eq!([us(84), us(1_420), us(812_000), us(2_310_000)], ["84 µs", "1.42 ms", "812 ms", "2.31 s"]);
        assert_eq!(us(245_000_000), "4 min 5 s");
    }

    #[test]
    fn money_is_never_rounded_to_nothing() {
        assert_eq!(dollars(Nanos(0)), "$0.00");
        assert_eq!(dollars(Nanos(7)), "$0.000000007");
        assert_eq!(dollars(Nanos(31_200)), "$0.000031");
        assert_eq!(dollars(Nanos(12_340_000)), "$0.0123");
        assert_eq!(dollars(Nanos(1_234_567_890_000)), "$1,234.57");
        assert_eq!(cost(Cost::Unknown(Nanos(0))), "unknown");
        assert_eq!(cost(Cost::Unknown(Nanos(2_500_000_000))), "≥ $2.50");
    }

    #[test]
    fn a_share_is_nothing_or_all_only_when_it_is() {
        assert_eq!(
            [share(0, 9), share(1, 1_000), share(999, 1_000), share(3, 3)],
            ["0%", "<1%", ">99%", "100%"]
        );
    }
}
