//! Money: integers only. Prices are pico-dollars per unit, sums are nano-dollars.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in nano-dollars (10⁻⁹ USD).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    pub const ZERO: Self = Self(0);
    pub const DOLLAR: Self = Self(1_000_000_000);

    /// Pico-dollars to nano-dollars, half up. Once per attempt, after all parts are summed.
    pub fn from_picos(picos: i128) -> Self {
        let nanos = (picos + 500).div_euclid(1_000);
        Self(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }

    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// `$12.345678900` without trailing zeroes beyond cents: `$12.3456789`, `$0.00`, `-$1.50`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        let mut frac = format!("{:09}", abs % 1_000_000_000);
        while frac.len() > 2 && frac.ends_with('0') {
            frac.pop();
        }
        f.pad(&format!("{sign}${}.{frac}", abs / 1_000_000_000))
    }
}

/// What something cost. An unknown price is unknown, never zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "nanos")]
pub enum Cost {
    /// All of it is known.
    Known(Nanos),
    /// Some part has no price; the amount is what the priced parts come to.
    Unknown(Nanos),
}

impl Cost {
    pub const FREE: Self = Self::Known(Nanos::ZERO);

    /// The priced part.
    pub fn priced(self) -> Nanos {
        match self {
            Self::Known(n) | Self::Unknown(n) => n,
        }
    }

    pub fn is_known(self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// The sum; unknown when either is.
    pub fn plus(self, other: Self) -> Self {
        let sum = self.priced().saturating_add(other.priced());
        if self.is_known() && other.is_known() { Self::Known(sum) } else { Self::Unknown(sum) }
    }
}

/// `$0.0012`, or `unknown`, or `$0.0012 + unknown`.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(n) => n.fmt(f),
            Self::Unknown(Nanos(0)) => f.pad("unknown"),
            Self::Unknown(n) => f.pad(&format!("{n} + unknown")),
        }
    }
}

/// Reads a plain decimal number of dollars (`25`, `0.125`, at most 9 decimals) exactly.
impl FromStr for Nanos {
    type Err = NotMoney;

    fn from_str(s: &str) -> Result<Self, NotMoney> {
        decimal(s, 9).and_then(|n| i64::try_from(n).ok()).map(Nanos).ok_or(NotMoney)
    }
}

/// The text is not a decimal number, or has more decimals than the unit can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of money: write a decimal number such as `25` or `0.125`")]
pub struct NotMoney;

/// A decimal number times 10^`places`, exactly; `None` when it is no such number.
pub fn decimal(s: &str, places: u32) -> Option<i128> {
    let (sign, digits) = match s.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, s),
    };
    let (whole, frac) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let frac = frac.trim_end_matches('0');
    if whole.is_empty() || !all_digits(whole) || !all_digits(frac) || frac.len() > places as usize {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let part: i128 = if frac.is_empty() { 0 } else { frac.parse().ok()? };
    let scale = 10i128.checked_pow(places)?;
    let part = part.checked_mul(10i128.checked_pow(places - u32::try_from(frac.len()).ok()?)?)?;
    whole.checked_mul(scale)?.checked_add(part).map(|n| n * sign)
}

/// A whole number as people read it: `1,234,567`.
pub fn grouped(n: u128) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picos_round_half_up_once() {
        assert_eq!(Nanos::from_picos(1_499), Nanos(1));
        assert_eq!(Nanos::from_picos(1_500), Nanos(2));
        assert_eq!(Nanos::from_picos(0), Nanos(0));
    }

    #[test]
    fn dollars_print_cents_and_no_more_zeroes_than_needed() {
        assert_eq!(Nanos(12_345_678_900).to_string(), "$12.3456789");
        assert_eq!(Nanos(0).to_string(), "$0.00");
        assert_eq!(Nanos(-1_500_000_000).to_string(), "-$1.50");
    }

    #[test]
    fn dollars_read_exactly() {
        assert_eq!("0.125".parse(), Ok(Nanos(125_000_000)));
        assert_eq!("25".parse(), Ok(Nanos(25_000_000_000)));
        assert_eq!("0.0000000001".parse::<Nanos>(), Err(NotMoney));
        assert_eq!("1e3".parse::<Nanos>(), Err(NotMoney));
    }

    #[test]
    fn whole_numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 123_456, 1_234_567, u128::from(u64::MAX)];
        let said = ["0", "999", "1,000", "123,456", "1,234,567", "18,446,744,073,709,551,615"];
        assert_eq!(numbers.map(grouped), said);
    }

    #[test]
    fn unknown_is_never_zero() {
        let sum = Cost::Known(Nanos(5)).plus(Cost::Unknown(Nanos(0)));
        assert_eq!(sum, Cost::Unknown(Nanos(5)));
        assert_eq!(Cost::Unknown(Nanos(0)).to_string(), "unknown");
    }
}
