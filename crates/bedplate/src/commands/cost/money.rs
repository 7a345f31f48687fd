//! Sums of money: exact for programs, short for people.

use bedplate_core::money::grouped;
use bedplate_core::spend::SpendSums;

const DOLLAR: u128 = 1_000_000_000;

/// Dollars as a decimal number, exactly: `0.0000108`, `12`, `-0.5`.
pub(super) fn exact(nanos: i128) -> String {
    let abs = nanos.unsigned_abs();
    let text = format!("{}.{:09}", abs / DOLLAR, abs % DOLLAR);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{text}", sign(nanos))
}

/// Rounded: cents from a dollar on, below it two digits that say something. `$1,234.50`, `$0.12`, `$0.000011`.
pub(super) fn short(nanos: i128) -> String {
    let abs = nanos.unsigned_abs();
    if abs == 0 {
        return "$0.00".to_owned();
    }
    // as many decimals as there are, until two digits are not zero
    let digits = abs.ilog10() + 1;
    let unit = if abs >= DOLLAR / 10 { DOLLAR / 100 } else { 10u128.pow(digits.saturating_sub(2)) };
    let rounded = (abs + unit / 2) / unit * unit;
    let decimals = if rounded >= DOLLAR / 10 { 2 } else { 9 - unit.ilog10() as usize };
    let fraction = format!("{:09}", rounded % DOLLAR);
    format!("{}${}.{}", sign(nanos), grouped(rounded / DOLLAR), &fraction[..decimals.max(2)])
}

/// What is known of a cost, and that there is more: `$0.12`, `$0.12 + unknown`, `unknown`.
pub(super) fn cost(sums: &SpendSums) -> String {
    known(sums.spent, sums.unpriced)
}

/// The same of any amount of which `unknown` parts have no price.
pub(super) fn known(nanos: i128, unknown: u64) -> String {
    match (unknown, nanos) {
        (0, nanos) => short(nanos),
        (_, 0) => "unknown".to_owned(),
        (_, nanos) => format!("{} + unknown", short(nanos)),
    }
}

/// With its sign, for changes: `+$0.12`.
pub(super) fn change(nanos: i128) -> String {
    if nanos > 0 { format!("+{}", short(nanos)) } else { short(nanos) }
}

/// Hundredths of per cent, rounded half up: `12.34`.
pub(super) fn percent(part: i128, whole: i128) -> String {
    if whole == 0 {
        return String::new();
    }
    let hundredths = (part.abs() * 10_000 + whole.abs() / 2) / whole.abs();
    let sign = if (part < 0) == (whole < 0) || hundredths == 0 { "" } else { "-" };
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Nano-dollars for each of `n`, rounded half away from zero.
pub(super) fn each(nanos: i128, n: u64) -> Option<i128> {
    let n = i128::from(n);
    (n > 0).then(|| (nanos + nanos.signum() * (n / 2)) / n)
}

fn sign(nanos: i128) -> &'static str {
    if nanos < 0 { "-" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_for_programs_and_short_for_people() {
        for (nanos, program, people) in [
            (0, "0", "$0.00"),
            (1, "0.000000001", "$0.000000001"),
            (10_849, "0.000010849", "$0.000011"),
            (99_999, "0.000099999", "$0.000100"),
            (99_999_999, "0.099999999", "$0.10"),
            (123_456_789, "0.123456789", "$0.12"),
            (1_234_567_894_999_999, "1234567.894999999", "$1,234,567.89"),
            (-1_500_000_000, "-1.5", "-$1.50"),
            (999_999_999, "0.999999999", "$1.00"),
            (i128::from(i64::MAX) * 2, "18446744073.709551614", "$18,446,744,073.71"),
        ] {
            assert_eq!((exact(nanos).as_str(), short(nanos).as_str()), (program, people));
        }
        assert_eq!([known(0, 2), known(7, 1), known(0, 0)], ["unknown", "$0.000000007 + unknown", "$0.00"]);
        assert_eq!([change(5_000_000), change(-5_000_000)], ["+$0.0050", "-$0.0050"]);
    }

    #[test]
    fn parts_are_rounded() {
        assert_eq!(
            [percent(1, 3), percent(-1, 3), percent(0, -7), percent(5, 0)],
            ["33.33", "-33.33", "0.00", ""]
        );
        assert_eq!([each(5, 2), each(-5, 2), each(5, 0)], [Some(3), Some(-3), None]);
    }
}
