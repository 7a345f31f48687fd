//! What operators are told of budgets.

use bedplate_control::budgets::Standing;
use bedplate_core::budget::{Blocked, Stand, Unit};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids;
use bedplate_core::notice::{Kind, Notice, Severity};
use bedplate_cost::budget::{self, Budget, Period, Rung, Step};

/// In which period something is told once. A rolling one has no beginning: so it is counted in its lengths.
pub(super) fn window(period: &Period, now: Timestamp) -> Timestamp {
    match period {
        Period::Calendar(..) => period.part(now).starts,
        Period::Rolling(length) => {
            let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
            Timestamp(now.0.div_euclid(length) * length)
        }
    }
}

/// What is told once, by all nodes.
pub(super) fn key(budget: &Budget, of: &str, window: Timestamp, rung: &str) -> String {
    format!("budget/{}/{of}/{window}/{rung} of {}", budget.id, budget.limit.amount)
}

/// A rung that only warns.
pub(super) fn reached(
    budget: &Budget,
    account: &Standing,
    rung: &Rung,
    now: Timestamp,
    ids: &dyn Ids,
) -> Notice {
    let subject = format!("{} has reached {}", named(budget, &account.of), rung.at);
    let notice = Notice::new(ids, now, Kind::Budget, Severity::Warning, subject);
    fields(notice.text(text(budget, account.stand, now)), budget, &account.of, account.stand, now)
        .field("rung", rung.at)
}

/// The limit, when it blocks for the first time.
pub(super) fn blocks(budget: &Budget, blocked: &Blocked, now: Timestamp, ids: &dyn Ids) -> Notice {
    let of = &blocked.window.account.of;
    let (does, rung) = match budget.stops().map(|rung| rung.step) {
        Some(Step::CacheOnly) => ("lets only kept answers be given", "cache-only"),
        _ => ("blocks calls", "block"),
    };
    let subject = format!("{} {does}", named(budget, of));
    let need = budget.limit.unit.show(blocked.need);
    let ends = match budget.kind {
        budget::Kind::Hard => "Callers get an error that SDKs do not retry.",
        budget::Kind::Soft => "Callers get an error that SDKs retry.",
    };
    let text = format!(
        "A call that may cost {need} found no room. {} {ends} `bedplate budget status {}` shows more.",
        text(budget, blocked.stand, now),
        budget.id
    );
    let notice = Notice::new(ids, now, Kind::Budget, Severity::Critical, subject).text(text);
    fields(notice, budget, of, blocked.stand, now).field("rung", rung)
}

fn named(budget: &Budget, of: &str) -> String {
    if of.is_empty() { format!("budget `{}`", budget.id) } else { format!("budget `{}` ({of})", budget.id) }
}

fn text(budget: &Budget, stand: Stand, now: Timestamp) -> String {
    let show = |amount| budget.limit.unit.show(amount);
    let over = match budget.period {
        Period::Calendar(..) => format!("this {}", budget.period),
        Period::Rolling(_) => {
            format!("in the last {}", budget.period.to_string().trim_start_matches("rolling "))
        }
    };
    let mut text = format!("{} of {} are spent {over}", show(stand.settled), show(budget.limit.amount));
    if stand.unknown > 0 {
        text += &format!(", {} more are unknown", show(stand.unknown));
    }
    format!(
        "{text}; calls on their way hold {}. Free again: {}.",
        show(stand.granted),
        budget.period.resets(now)
    )
}

fn fields(notice: Notice, budget: &Budget, of: &str, stand: Stand, now: Timestamp) -> Notice {
    let unit = match budget.limit.unit {
        Unit::Usd => "nano_usd",
        Unit::Tokens => "tokens",
    };
    notice
        .field("budget", &budget.id)
        .field("account", of)
        .field("scope", budget.scope.describe())
        .field("unit", unit)
        .field("limit", budget.limit.amount)
        .field("settled", stand.settled)
        .field("held", stand.granted)
        .field("unknown", stand.unknown)
        .field("window", window(&budget.period, now))
        .field("resets", budget.period.resets(now))
}
