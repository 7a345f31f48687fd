//! What stands about one model.

use bedplate_core::view::Takes;

use super::Read;
use super::holes;
use super::values::{Members, bad, date, items, picos, table, take, text, whole};
use crate::entry::{Counter, Entry, LongContext, Rates};
use crate::tree::Tree;

const PRICES: [&str; 5] =
    ["price", "price_tiers", "price_by_region", "price_long_context", "price_latency_optimized"];

/// A model of a list. What is not about prices and not known is passed over; lists grow.
pub(super) fn listed(members: Members<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    members.into_iter().try_for_each(|(name, tree)| {
        let at = format!("{place}.{name}");
        match &*name {
            "id" => entry.id = text(&tree, &at)?,
            "endpoint" => entry.endpoint = text(&tree, &at)?,
            "base_model_id" => entry.base_model_id = text(&tree, &at)?,
            "geo" if matches!(tree, Tree::Null) => {}
            "geo" => entry.geo = Some(text(&tree, &at)?),
            "mode" => entry.mode = text(&tree, &at)?,
            "lifecycle" => lifecycle(tree, &at, entry)?,
            "supports" => entry.takes = takes(tree, &at)?,
            _ if matches!(tree, Tree::Null) => {}
            _ if member(&name, tree, &at, entry)? => {}
            _ if name.starts_with("price") => return Err(bad(&at, "no such member")),
            _ => {}
        }
        Ok(())
    })
}

/// An operator's members over an entry.
pub(super) fn replace(members: Members<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    let price = members.iter().any(|(name, _)| name == "price");
    if price {
        // the list's other rows belong to the list's price
        entry.tiers.clear();
        entry.regions.clear();
        entry.long_context.clear();
        entry.optimized = None;
        // an operator's price holds in all commercial regions but those with a row
        entry.varies = false;
    }
    let prices = members.iter().any(|(name, _)| PRICES.contains(&&**name));
    for (name, tree) in members {
        let at = format!("{place}.{name}");
        if name == "lifecycle" {
            of_operator(tree, &at, entry)?;
        } else if !member(&name, tree, &at, entry)? {
            let others = ["context_window", "max_output_tokens", "provider", "lifecycle"];
            let taken: Vec<&str> = ["from"].into_iter().chain(PRICES).chain(others).collect();
            return Err(bad(&at, format!("no such member; taken are {}", taken.join(", "))));
        }
    }
    if prices { holes::find(entry, price, place) } else { Ok(()) }
}

/// A member that both know; `false` when it is none.
fn member(name: &str, tree: Tree<'_>, place: &str, entry: &mut Entry) -> Read<bool> {
    match name {
        "provider" => entry.provider = text(&tree, place)?,
        "context_window" => entry.context_window = Some(whole(&tree, place)?),
        "max_output_tokens" => entry.max_output_tokens = Some(whole(&tree, place)?),
        "price" => rates(table(tree, place)?, place, &mut entry.price)?,
        "price_tiers" => named(tree, place, &mut entry.tiers, a_tier)?,
        "price_by_region" => named(tree, place, &mut entry.regions, a_region)?,
        "price_long_context" => entry.long_context = long_context(tree, place)?,
        "price_latency_optimized" => {
            let mut row = Rates::default();
            rates(table(tree, place)?, place, &mut row)?;
            entry.optimized = Some(row);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn lifecycle(tree: Tree<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    for (name, tree) in table(tree, place)? {
        match (&*name, &tree) {
            (_, Tree::Null) => {}
            ("state", tree) => entry.lifecycle = Some(text(tree, place)?),
            ("eol_date", tree) => {
                let day = text(tree, place)?;
                entry.ends = crate::dated::day(&day);
                entry.eol_date = Some(day);
            }
            _ => {}
        }
    }
    Ok(())
}

fn takes(tree: Tree<'_>, place: &str) -> Read<Takes> {
    let mut takes = Takes::default();
    for (name, tree) in table(tree, place)? {
        let Tree::YesNo(yes) = tree else { continue };
        match &*name {
            "sampling_params" => takes.sampling = Some(yes),
            "assistant_prefill" => takes.prefill = Some(yes),
            "tools" => takes.tools = Some(yes),
            "prompt_caching" => takes.cache_points = Some(yes),
            _ => {}
        }
    }
    Ok(takes)
}

/// What an operator says of a model's life: all of it, in place of what the list says.
fn of_operator(tree: Tree<'_>, place: &str, entry: &mut Entry) -> Read<()> {
    (entry.lifecycle, entry.eol_date, entry.ends) = (None, None, None);
    for (name, tree) in table(tree, place)? {
        let at = format!("{place}.{name}");
        match &*name {
            "state" => {
                let state = text(&tree, &at)?;
                if !matches!(&*state, "active" | "legacy") {
                    return Err(bad(&at, format!("`{state}` is neither `active` nor `legacy`")));
                }
                entry.lifecycle = Some(state);
            }
            "eol_date" => {
                let day = date(&tree, &at)?;
                (entry.ends, entry.eol_date) = (Some(day), Some(crate::dated::day_of(day)));
            }
            _ => return Err(bad(&at, "no such member; taken are state, eol_date")),
        }
    }
    Ok(())
}

fn long_context(tree: Tree<'_>, place: &str) -> Read<Vec<LongContext>> {
    let mut rows: Vec<LongContext> = Vec::new();
    for (i, tree) in items(tree, place)?.into_iter().enumerate() {
        let place = format!("{place}[{i}]");
        let mut members = table(tree, &place)?;
        let above = take(&mut members, "above_input_tokens");
        let above = above.ok_or_else(|| bad(&place, "`above_input_tokens` is missing"))?;
        let above = whole(&above, &format!("{place}.above_input_tokens"))?;
        if rows.iter().any(|row| row.above == above) {
            return Err(bad(&place, format!("overlaps: two rows begin above {above} tokens")));
        }
        let mut row = LongContext { above, rates: Rates::default() };
        rates(members, &place, &mut row.rates)?;
        rows.push(row);
    }
    Ok(rows)
}

fn named(
    tree: Tree<'_>,
    place: &str,
    rows: &mut Vec<(String, Rates)>,
    check: impl Fn(&str) -> Result<(), &'static str>,
) -> Read<()> {
    for (name, tree) in table(tree, place)? {
        let at = format!("{place}.{name}");
        check(&name).map_err(|why| bad(&at, why))?;
        let mut row = Rates::default();
        rates(table(tree, &at)?, &at, &mut row)?;
        rows.retain(|(n, _)| *n != *name);
        rows.push((name.into_owned(), row));
    }
    Ok(())
}

fn a_tier(name: &str) -> Result<(), &'static str> {
    match name {
        "" | "default" | "standard" => Err("the standard tier is `price`"),
        "optimized" => Err("no service tier: write `price_latency_optimized`"),
        _ => Ok(()),
    }
}

/// `us-gov-west-1`: parts of small letters and a number.
fn a_region(name: &str) -> Result<(), &'static str> {
    let (parts, number) = name.rsplit_once('-').unwrap_or_default();
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let good = !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && parts.split('-').count() >= 2
        && parts.split('-').all(letters);
    if good { Ok(()) } else { Err("not the name of a region, such as `eu-central-1`") }
}

/// The members of one price, over what `row` holds.
fn rates(members: Members<'_>, place: &str, row: &mut Rates) -> Read<()> {
    let mut sizes_differ = false;
    for (name, tree) in members {
        let at = format!("{place}.{name}");
        match &*name {
            // for bidirectional streams, which are not metered; and equal to `input` where it is listed
            "audio_input" | "audio_output" | "image_token_input" => {}
            "usd_per_output_image_by_size" => {
                let sizes = table(tree, &at)?.into_iter();
                let sizes: Vec<u64> = sizes.map(|(_, tree)| picos(&tree, 12, &at)).collect::<Read<_>>()?;
                sizes_differ = sizes.windows(2).any(|pair| pair[0] != pair[1]);
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
