//! Single values, exactly, with the place of what is none.

use std::borrow::Cow;

use bedplate_core::clock::Timestamp;
use bedplate_core::money::decimal;

use super::{Problem, Read};
use crate::dated::day;
use crate::tree::Tree;

/// A price in pico-dollars, exactly.
pub(super) fn picos(tree: &Tree<'_>, places: u32, place: &str) -> Read<u64> {
    let (Tree::Number(number) | Tree::Text(number)) = tree else {
        return Err(bad(place, format!("a number of dollars is needed, found {}", tree.kind())));
    };
    scaled(number, places).ok_or_else(|| {
        let said = if number.starts_with('-') { "below zero" } else { "not a whole number of pico-dollars" };
        bad(place, format!("not a price: `{number}` is {said} or too large"))
    })
}

/// A decimal number, with an exponent or not, times 10^`places`.
fn scaled(number: &str, places: u32) -> Option<u64> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let places = i32::try_from(places).ok()?.checked_add(exponent)?;
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    // fewer places than none: the number must end in that many zeroes
    let below = 10i128.checked_pow(places.min(0).unsigned_abs())?;
    let whole = decimal(mantissa, u32::try_from(places.max(0)).ok().filter(|p| *p < 38)?)?;
    (whole % below == 0).then(|| u64::try_from(whole / below).ok()).flatten()
}

pub(super) fn whole(tree: &Tree<'_>, place: &str) -> Read<u64> {
    let Tree::Number(number) = tree else {
        return Err(bad(place, format!("a whole number is needed, found {}", tree.kind())));
    };
    scaled(number, 0).ok_or_else(|| bad(place, format!("not a whole number: `{number}`")))
}

pub(super) fn text(tree: &Tree<'_>, place: &str) -> Read<String> {
    match tree {
        Tree::Text(text) => Ok(text.clone().into_owned()),
        other => Err(bad(place, format!("text is needed, found {}", other.kind()))),
    }
}

/// A day, quoted or as TOML writes dates.
pub(super) fn date(tree: &Tree<'_>, place: &str) -> Read<Timestamp> {
    match tree {
        Tree::Text(text) | Tree::Date(text) => {
            day(text).ok_or_else(|| bad(place, format!("not a day: `{text}`; write it as `2027-01-31`")))
        }
        other => Err(bad(place, format!("a day such as `2027-01-31` is needed, found {}", other.kind()))),
    }
}

pub(super) type Members<'a> = Vec<(Cow<'a, str>, Tree<'a>)>;

pub(super) fn table<'a>(tree: Tree<'a>, place: &str) -> Read<Members<'a>> {
    match tree {
        Tree::Table(members) => Ok(members),
        other => Err(bad(place, format!("a table is needed, found {}", other.kind()))),
    }
}

pub(super) fn items<'a>(tree: Tree<'a>, place: &str) -> Read<Vec<Tree<'a>>> {
    match tree {
        Tree::List(items) => Ok(items),
        other => Err(bad(place, format!("a list is needed, found {}", other.kind()))),
    }
}

/// Takes a member out of a table.
pub(super) fn take<'a>(members: &mut Members<'a>, name: &str) -> Option<Tree<'a>> {
    let at = members.iter().position(|(n, _)| n == name)?;
    Some(members.remove(at).1)
}

pub(super) fn bad(place: &str, why: impl Into<String>) -> Problem {
    Problem { place: place.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_with_and_without_exponents() {
        assert_eq!(scaled("0.00875", 6), Some(8_750));
        assert_eq!(scaled("6e-05", 12), Some(60_000_000));
        assert_eq!(scaled("3.5e-08", 12), Some(35_000));
        assert_eq!(scaled("3.5E-8", 12), Some(35_000));
        assert_eq!(scaled("1.5e+2", 6), Some(150_000_000));
        assert_eq!(scaled("200e-1", 0), Some(20));
        for refused in ["0.0000001", "1e-7", "-1", "1e400", "1e-400", "", "e5", "1.2.3", "0x10", "205e-1e"] {
            assert_eq!(scaled(refused, 6), None, "{refused}");
        }
        assert_eq!(scaled("205e-2", 0), None);
        assert_eq!(scaled("99999999999999", 6), None);
    }
}
