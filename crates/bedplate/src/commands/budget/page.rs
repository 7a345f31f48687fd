//! Budgets for people.

use bedplate_control::budgets::{
    Amounts, BudgetView, Explained, History, Source, Status, UnknownSlice, Unreadable,
};

use crate::out::table;

/// Cells of a bar.
const CELLS: i64 = 24;

pub(super) fn list(budgets: &[BudgetView], unreadable: &[Unreadable]) -> String {
    let mut table = table(&["BUDGET", "CONCERNS", "LIMIT", "KIND", "ZONE", "LADDER", "FROM"]);
    for budget in budgets {
        let ladder: Vec<String> =
            budget.ladder.iter().map(|r| format!("{} {}", r.at, word(&r.step))).collect();
        table.add_row([
            &*budget.name,
            &budget.concerns,
            &budget.terms(),
            &word(&budget.kind),
            &budget.zone,
            &ladder.join(", "),
            match budget.source {
                Source::Configuration => "bedplate.toml",
                Source::Made => budget.created_at.as_deref().unwrap_or("-"),
            },
        ]);
    }
    for Unreadable { name, created_at, .. } in unreadable {
        table.add_row([&**name, "unreadable", "-", "not in force", "-", "-", created_at]);
    }
    table.to_string()
}

pub(super) fn status(statuses: &[Status]) -> String {
    let mut table =
        table(&["BUDGET", "ACCOUNT", "", "FULL", "SETTLED", "HELD", "UNKNOWN", "LEFT", "LIMIT", "RESETS"]);
    for Status { budget, accounts, .. } in statuses {
        let show = |amount| budget.unit.show(amount);
        let stops = match budget.blocks_at {
            None => ", only tells".to_owned(),
            Some(at) if at < budget.limit => format!(", stops at {}", budget.unit.show(at)),
            Some(_) => String::new(),
        };
        let limit = format!("{} ({}{stops})", budget.terms(), word(&budget.kind));
        if accounts.is_empty() {
            let cells =
                [&budget.name, "none yet", &bar(None, budget.limit), "0%", "", "", "", "", &limit, ""];
            table.add_row(cells.map(str::to_owned));
        }
        for account in accounts {
            let a = &account.amounts;
            table.add_row([
                budget.name.clone(),
                if account.account.is_empty() { "all".into() } else { account.account.clone() },
                bar(Some(a), budget.limit),
                percent(a.taken(), budget.limit),
                show(a.settled),
                show(a.held),
                show(a.unknown),
                show(a.left),
                limit.clone(),
                account.resets.clone(),
            ]);
        }
    }
    format!("{table}\n\n█ settled  ▓ unknown  ▒ held by calls on their way  · left")
}

pub(super) fn history(history: &History) -> String {
    let mut table = table(&["FROM", "TO", "ACCOUNT", "SETTLED", "UNKNOWN", "OF TODAY'S LIMIT"]);
    for past in &history.windows {
        let a = &past.amounts;
        table.add_row([
            past.starts.clone(),
            past.ends.clone(),
            if past.account.is_empty() { "all".into() } else { past.account.clone() },
            history.unit.show(a.settled),
            history.unit.show(a.unknown),
            percent(a.settled.saturating_add(a.unknown), history.limit),
        ]);
    }
    format!("{}: {}\n\n{table}", history.name, history.terms)
}

pub(super) fn unknown(slices: &[UnknownSlice]) -> String {
    let mut table = table(&["WINDOW", "ACCOUNT", "NODE", "UNKNOWN", "SINCE"]);
    for slice in slices {
        table.add_row([
            slice.window.clone(),
            if slice.account.is_empty() { "all".into() } else { slice.account.clone() },
            slice.node.clone(),
            slice.unit.show(slice.unknown),
            slice.since.clone(),
        ]);
    }
    table.to_string()
}

pub(super) fn explained(e: &Explained) -> String {
    let show = |amount| e.unit.show(amount);
    let code = e.code.map_or_else(|| "no code".into(), |code| code.to_string());
    let of = if e.account.is_empty() { String::new() } else { format!(", account {}", e.account) };
    let mut lines = vec![
        format!("call       {}, {} of {}", e.call, code, e.at),
        format!("asked      {}", e.model),
        format!("budget     {}{of}, the window from {}", e.budget, e.window),
        format!("why        {}: {}", e.why.name(), e.because),
        String::new(),
        format!("needed     {}", show(e.need)),
        format!("limit      {}", show(e.limit)),
        format!("settled    {}", show(e.settled)),
        format!(
            "held       {}, of it {} by calls on their way through the node that refused, and {} spent there a moment before",
            show(e.held),
            show(e.held_here),
            show(e.unrecorded)
        ),
        format!("unknown    {}", show(e.unknown)),
        format!("left       {}", show(e.left)),
        String::new(),
        "It would have fit with any of:".into(),
    ];
    lines.extend(e.fits_with.iter().map(|fit| format!("- {fit}")));
    lines.join("\n")
}

/// A word of the configuration: `hard`, `warn`.
fn word(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn bar(amounts: Option<&Amounts>, limit: i64) -> String {
    let [settled, unknown, held] = amounts.map_or([0; 3], |a| [a.settled, a.unknown, a.held]);
    let cells = |amount: i64| {
        let cells = (i128::from(amount) * i128::from(CELLS)).div_euclid(i128::from(limit.max(1)));
        usize::try_from(cells.clamp(0, i128::from(CELLS))).unwrap_or(0)
    };
    let (first, second) = (cells(settled), cells(settled.saturating_add(unknown)));
    let third = cells(settled.saturating_add(unknown).saturating_add(held));
    let all = cells(limit);
    format!(
        "{}{}{}{}",
        "█".repeat(first),
        "▓".repeat(second - first),
        "▒".repeat(third - second),
        "·".repeat(all.saturating_sub(third))
    )
}

/// Rounded down: 100% only when all is gone.
fn percent(part: i64, whole: i64) -> String {
    format!("{}%", i128::from(part) * 100 / i128::from(whole.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_its_length_and_parts_in_order() {
        let amounts = |settled, held, unknown| Amounts { settled, held, unknown, left: 0 };
        assert_eq!(
            bar(Some(&amounts(50, 25, 0)), 100),
            format!("{}{}{}", "█".repeat(12), "▒".repeat(6), "·".repeat(6))
        );
        assert_eq!(bar(Some(&amounts(0, 50, 50)), 100), format!("{}{}", "▓".repeat(12), "▒".repeat(12)));
        assert_eq!(bar(Some(&amounts(900, 0, 0)), 100), "█".repeat(24), "over the limit");
        assert_eq!(bar(None, 100), "·".repeat(24));
        assert_eq!(bar(Some(&amounts(i64::MAX, 0, 0)), i64::MAX).chars().count(), 24);
        assert_eq!([percent(999, 1_000), percent(0, 5), percent(12, 10)], ["99%", "0%", "120%"]);
    }
}
