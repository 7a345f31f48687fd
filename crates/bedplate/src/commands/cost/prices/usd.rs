//! Prices as they are written: exact dollars for a million tokens, or for one piece.

use serde_json::value::RawValue;

/// `0.0375`: pico-dollars times 10^-`places`.
pub(super) fn dollars(picos: u64, places: u32) -> String {
    let one = 10u64.pow(places);
    let width = places as usize;
    let text = format!("{}.{:0width$}", picos / one, picos % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The same as a number of JSON, digit by digit; null when unknown.
pub(super) fn number(picos: Option<u64>, places: u32) -> Option<Box<RawValue>> {
    picos.and_then(|picos| RawValue::from_string(dollars(picos, places)).ok())
}

/// For tables: `unknown` is never a number.
pub(super) fn shown(picos: Option<u64>, places: u32) -> String {
    picos.map_or_else(|| "unknown".to_owned(), |picos| dollars(picos, places))
}

/// By how many percent a price changed: `+16.67`, rounded to hundredths; `None` when it was 0.
pub(super) fn percent(old: u64, new: u64) -> Option<String> {
    let (old, new) = (i128::from(old), i128::from(new));
    if old == 0 {
        return None;
    }
    let change = (new - old).abs() * 10_000;
    let hundredths = (change + old / 2) / old;
    let sign = if new < old { "-" } else { "+" };
    Some(format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        assert_eq!(dollars(60_000, 6), "0.06");
        assert_eq!(dollars(8_750, 6), "0.00875");
        assert_eq!(dollars(15_000_000, 6), "15");
        assert_eq!(dollars(0, 6), "0");
        assert_eq!(dollars(35_000, 12), "0.000000035");
        assert_eq!(number(Some(8_750), 6).unwrap().get(), "0.00875");
        assert_eq!(shown(None, 6), "unknown");
    }

    #[test]
    fn changes_are_rounded_to_hundredths() {
        for (old, new, said) in [
            (60_000, 70_000, "+16.67"),
            (3, 2, "-33.33"),
            (100, 100, "+0.00"),
            (1, u64::MAX, "+1844674407370955161400.00"),
            (2_000, 1_999, "-0.05"),
        ] {
            assert_eq!(percent(old, new).as_deref(), Some(said));
        }
        assert_eq!(percent(0, 5), None);
    }
}
