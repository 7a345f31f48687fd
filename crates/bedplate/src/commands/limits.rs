//! `bedplate limits`: what bounds calls, what is used of it, who waits and who was turned away. Asks the running
//! gateway.

mod rates;

use std::process::ExitCode;

use bedplate_core::money::grouped;
use bedplate_core::pace::{Answered, Class, LaneStand, LimitStands, Origin, QuotaStand, RateStand, Shed};

use super::admin::Admin;
use super::runtime;
use crate::cli::ProjectArgs;
use crate::exit::Failure;
use crate::out::{self, Format, note, say};

pub(crate) fn run(args: &ProjectArgs) -> Result<ExitCode, Failure> {
    let shown = runtime()?.block_on(async { Admin::of(args)?.get("/admin/v1/limits").await })?;
    let limits: LimitStands = serde_json::from_value(shown)
        .map_err(|e| Failure::problem(format!("the gateway's answer cannot be read: {e}")))?;
    match args.format {
        Format::Json => out::json(&limits)?,
        Format::Human => print(&limits)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(limits: &LimitStands) -> Result<(), Failure> {
    let LimitStands { lanes, more_slots, rates, quotas } = limits;
    if lanes.is_empty() && rates.counts.is_empty() {
        say(
            "nothing bounds calls, or none came yet: `quota` of a provider, `[[model]]` and `[[throttle]]` do",
        )?;
    }
    if !lanes.is_empty() {
        say(page(lanes))?;
    }
    if *more_slots > 0 {
        note(format!("{} slots of throttles more are used, or turned calls away", count(*more_slots)));
    }
    if !rates.counts.is_empty() {
        say(rates::page(rates))?;
    }
    rates::notes(rates).into_iter().for_each(note);
    for stand in quotas {
        say(told(stand))?;
    }
    Ok(())
}

fn page(lanes: &[LaneStand]) -> String {
    let head = [
        "where",
        "requests/min",
        "tokens/min",
        "from",
        "learned",
        "under way",
        "waiting",
        "passed",
        "shed",
        "throttled",
    ];
    let mut table = out::table(&head);
    for lane in lanes {
        table.add_row([
            format!("{} {}", lane.place, lane.name),
            rate(lane.requests),
            rate(lane.tokens),
            lane.origin.map_or_else(String::new, from),
            lane.learned.map_or_else(String::new, |part| format!("{:.0} %", part * 100.0)),
            match lane.slots {
                Some(slots) => format!("{} of {slots}", lane.under_way),
                None => lane.under_way.to_string(),
            },
            classes(lane.waiting.map(u64::from)),
            count(lane.passed.iter().sum()),
            shed(lane),
            count(lane.throttled),
        ]);
    }
    table.to_string()
}

fn from(origin: Origin) -> String {
    match origin {
        Origin::Config => "config".into(),
        Origin::ServiceQuotas { at } => format!("service quotas at {at}"),
        Origin::Both { at } => format!("config, service quotas at {at}"),
        Origin::Awaited => "service quotas: no answer yet".into(),
        Origin::NotFound { at } => format!("service quotas at {at}: none found"),
    }
}

/// `Service Quotas of 111122223333/us-east-1: 214 quotas of models at …`
fn told(stand: &QuotaStand) -> String {
    let QuotaStand { place, answered, failing } = stand;
    let said = match answered {
        Some(Answered { at, named }) => {
            format!("Service Quotas of {place}: {named} quotas of models at {at}")
        }
        None => format!("Service Quotas of {place}: no answer yet"),
    };
    match failing {
        Some(why) => format!("{said}; the last question failed: {why}"),
        None => said,
    }
}

fn rate(stand: Option<RateStand>) -> String {
    stand.map_or_else(String::new, |r| format!("{} of {}", count(r.used), count(r.limit)))
}

/// `2 interactive, 7 background`
fn classes(of: [u64; 3]) -> String {
    let some = Class::ALL.into_iter().zip(of).filter(|(_, n)| *n > 0);
    let some: Vec<String> = some.map(|(class, n)| format!("{} {class}", count(n))).collect();
    if some.is_empty() { "0".to_owned() } else { some.join(", ") }
}

/// `12 background (late 10, displaced 2)`
fn shed(lane: &LaneStand) -> String {
    let mut all = Vec::new();
    for (class, counts) in Class::ALL.into_iter().zip(lane.shed) {
        let whys = Shed::ALL.into_iter().zip(counts).filter(|(_, n)| *n > 0);
        let whys: Vec<String> = whys.map(|(why, n)| format!("{} {}", why.name(), count(n))).collect();
        if !whys.is_empty() {
            all.push(format!("{} {class} ({})", count(counts.iter().sum()), whys.join(", ")));
        }
    }
    if all.is_empty() { "0".to_owned() } else { all.join("; ") }
}

fn count(n: u64) -> String {
    grouped(n.into())
}
