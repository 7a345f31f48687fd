//! From text to a book, saying the place of whatever cannot be read.

use bedplate_core::money::decimal;

use crate::book::Book;
use crate::entry::{Counter, Entry, LongContext, Rates};
use crate::tree::Tree;

/// A price file that cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct BadPrices {
    /// `models."us.amazon.nova-lite-v1:0".price.input`.
    pub place: String,
    pub why: String,
}

type Read<T> = Result<T, BadPrices>;

/// The list that the binary carries.
pub(crate) fn list(text: &str) -> Read<Book> {
    let mut book = Book::default();
    for (name, tree) in table(Tree::read(text).map_err(|e| bad("the list", e))?, "the list")? {
        let place = &*name;
        match place {
            "generated" => book.version = self::text(&tree, place)?.into(),
            "source" => book.source = self::text(&tree, place)?.into(),
            "guardrail_usd_per_unit" => guardrail(tree, place, &mut book)?,
            "models" => {
                for (i, tree) in items(tree, place)?.into_iter().enumerate() {
                    let place = format!("models[{i}]");
                    let mut entry = Entry::default();
                    members(tree, &place, &mut entry)?;
                    entry.settle();
                    entry.see_regions();
                    let of =
                        if entry.endpoint == "bedrock-mantle" { &mut book.mantle } else { &mut book.runtime };
                    of.insert(entry.id.clone(), entry);
                }
            }
            _ => {}
        }
    }
    Ok(book)
}

/// An operator's file, over `book`.
pub(crate) fn overrides(text: &str, book: &mut Book) -> Read<()> {
    for (name, tree) in table(Tree::read(text).map_err(|e| bad("the price file", e))?, "the price file")? {
        match &*name {
            "guardrail_usd_per_unit" => guardrail(tree, &name, book)?,
            "models" => {
                for (id, tree) in table(tree, &name)? {
                    let place = format!("models.\"{id}\"");
                    let entry = book.runtime.entry(id.to_string()).or_insert_with(|| Entry {
                        id: id.to_string(),
                        endpoint: "bedrock-runtime".to_owned(),
                        ..Entry::default()
                    });
                    replace(tree, &place, entry)?;
                    entry.settle();
                }
            }
            other => {
                return Err(bad(other, "no such member; `models` and `guardrail_usd_per_unit` are taken"));
            }
        }
    }
    Ok(())
}

/// An operator's members over an entry.
fn replace(tree: Tree<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    const TAKEN: [&str; 7] = [
        "price",
        "price_tiers",
        "price_by_region",
        "price_long_context",
        "context_window",
        "max_output_tokens",
        "provider",
    ];
    let members = table(tree, place)?;
    if let Some((name, _)) = members.iter().find(|(name, _)| !TAKEN.contains(&&**name)) {
        return Err(bad(
            &format!("{place}.{name}"),
            format!("no such member; taken are {}", TAKEN.join(", ")),
        ));
    }
    if members.iter().any(|(name, _)| name == "price") {
        // the list's other rows belong to the list's price
        entry.tiers.clear();
        entry.regions.clear();
        entry.long_context.clear();
    }
    members.into_iter().try_for_each(|(name, tree)| member(&name, tree, &format!("{place}.{name}"), entry))
}

fn members(tree: Tree<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    table(tree, place)?
        .into_iter()
        .try_for_each(|(name, tree)| member(&name, tree, &format!("{place}.{name}"), entry))
}

fn member(name: &str, tree: Tree<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    match name {
        "id" => entry.id = text(&tree, place)?,
        "endpoint" => entry.endpoint = text(&tree, place)?,
        "provider" => entry.provider = text(&tree, place)?,
        "base_model_id" => entry.base_model_id = text(&tree, place)?,
        "geo" => entry.geo = Some(text(&tree, place)?),
        "mode" => entry.mode = text(&tree, place)?,
        "context_window" => entry.context_window = Some(whole(&tree, place)?),
        "max_output_tokens" => entry.max_output_tokens = Some(whole(&tree, place)?),
        "price" => rates(tree, place, &mut entry.price)?,
        "price_tiers" => named(tree, place, &mut entry.tiers)?,
        "price_by_region" => named(tree, place, &mut entry.regions)?,
        "price_long_context" => {
            entry.long_context = items(tree, place)?
                .into_iter()
                .enumerate()
                .map(|(i, tree)| long_context(tree, &format!("{place}[{i}]")))
                .collect::<Read<_>>()?;
        }
        "lifecycle" => {
            for (name, tree) in table(tree, place)? {
                match (&*name, &tree) {
                    (_, Tree::Null) => {}
                    ("state", tree) => entry.lifecycle = Some(text(tree, place)?),
                    ("eol_date", tree) => entry.eol_date = Some(text(tree, place)?),
                    _ => {}
                }
            }
        }
        _ => return Err(bad(place, "no such member")),
    }
    Ok(())
}

fn long_context(tree: Tree<'_>, place: &str) -> Read<LongContext> {
    let mut members = table(tree, place)?;
    let at = members.iter().position(|(name, _)| name == "above_input_tokens");
    let (_, above) = members.remove(at.ok_or_else(|| bad(place, "`above_input_tokens` is missing"))?);
    let above = whole(&above, &format!("{place}.above_input_tokens"))?;
    let mut row = LongContext { above, rates: Rates::default() };
    rates(Tree::Table(members), place, &mut row.rates)?;
    Ok(row)
}

fn named(tree: Tree<'_>, place: &str, rows: &mut Vec<(String, Rates)>) -> Read<()> {
    for (name, tree) in table(tree, place)? {
        let mut row = Rates::default();
        rates(tree, &format!("{place}.{name}"), &mut row)?;
        rows.retain(|(n, _)| *n != *name);
        rows.push((name.into_owned(), row));
    }
    Ok(())
}

/// The members of one price, over what `row` holds.
fn rates(tree: Tree<'_>, place: &str, row: &mut Rates) -> Read<()> {
    let mut sizes_differ = false;
    for (name, tree) in table(tree, place)? {
        let at = format!("{place}.{name}");
        match &*name {
            // for bidirectional streams, which are not metered; and equal to `input` where it is listed
            "audio_input" | "audio_output" | "image_token_input" => {}
            "usd_per_output_image_by_size" => {
                let mut sizes = table(tree, &at)?.into_iter().map(|(_, tree)| picos(&tree, 12, &at));
                let first = sizes.next().transpose()?;
                sizes_differ = sizes.any(|size| size.ok() != first);
            }
            _ => {
                let counter = Counter::ALL.into_iter().find(|c| c.member() == name);
                let counter = counter.ok_or_else(|| bad(&at, "no such price"))?;
                row.set(counter, picos(&tree, counter.places(), &at)?);
            }
        }
    }
    if sizes_differ {
        // usage counts images, not their sizes: what one cost cannot be known
        row.clear(Counter::OutputImage);
    }
    Ok(())
}

fn guardrail(tree: Tree<'_>, place: &str, book: &mut Book) -> Read<()> {
    for (name, tree) in table(tree, place)? {
        let at = format!("{place}.{name}");
        let slot = Book::guardrail_slot(&name).ok_or_else(|| bad(&at, "no such guardrail unit"))?;
        book.guardrail[slot] = Some(picos(&tree, 12, &at)?);
    }
    Ok(())
}

/// A price in pico-dollars, exactly.
fn picos(tree: &Tree<'_>, places: u32, place: &str) -> Read<u64> {
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

fn whole(tree: &Tree<'_>, place: &str) -> Read<u64> {
    let Tree::Number(number) = tree else {
        return Err(bad(place, format!("a whole number is needed, found {}", tree.kind())));
    };
    scaled(number, 0).ok_or_else(|| bad(place, format!("not a whole number: `{number}`")))
}

fn text(tree: &Tree<'_>, place: &str) -> Read<String> {
    match tree {
        Tree::Text(text) => Ok(text.clone().into_owned()),
        other => Err(bad(place, format!("text is needed, found {}", other.kind()))),
    }
}

fn table<'a>(tree: Tree<'a>, place: &str) -> Read<Vec<(std::borrow::Cow<'a, str>, Tree<'a>)>> {
    match tree {
        Tree::Table(members) => Ok(members),
        other => Err(bad(place, format!("a table is needed, found {}", other.kind()))),
    }
}

fn items<'a>(tree: Tree<'a>, place: &str) -> Read<Vec<Tree<'a>>> {
    match tree {
        Tree::List(items) => Ok(items),
        other => Err(bad(place, format!("a list is needed, found {}", other.kind()))),
    }
}

fn bad(place: &str, why: impl Into<String>) -> BadPrices {
    BadPrices { place: place.to_owned(), why: why.into() }
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
