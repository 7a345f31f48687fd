//! Where budgets stand, the fullest first.

use bedplate_core::budget::Unit;
use bedplate_core::clock::Timestamp;
use bedplate_core::money::Nanos;

use super::{fresh, show};
use crate::budgets::{AccountView, BudgetView, Status};

/// How many accounts are shown.
const LINES: usize = 8;
/// Of each budget, so many are looked at.
pub(crate) const OF_EACH: usize = 20;

pub(super) struct Budgets {
    /// Whether there is anything to show at all.
    pub(super) any: bool,
    pub(super) lines: Vec<Line>,
    pub(super) more: usize,
    /// Why the ledger does not say; empty when it does.
    pub(super) trouble: String,
}

pub(super) struct Line {
    pub(super) name: String,
    /// `team support, each key · $250.00 a month · hard`.
    pub(super) terms: String,
    /// Per cent of the limit, one after the other; together 100 at most.
    pub(super) settled: String,
    pub(super) held_from: String,
    pub(super) held: String,
    pub(super) unknown_from: String,
    pub(super) unknown: String,
    /// `ok`, `warn` or `bad`.
    pub(super) tone: &'static str,
    pub(super) share: String,
    pub(super) spent: String,
    pub(super) limit: String,
    /// `held $1.20, unknown $0.10`; empty when nothing is.
    pub(super) open: String,
    pub(super) resets: String,
}

impl Budgets {
    pub(super) fn of(answer: &fresh::Answer<Vec<Status>>, now: Timestamp) -> Self {
        let (statuses, trouble) = match answer {
            Ok(statuses) => (statuses.as_slice(), String::new()),
            Err(e) => (&[][..], e.clone()),
        };
        let mut all: Vec<(&BudgetView, Option<&AccountView>)> = Vec::new();
        for status in statuses {
            all.extend(status.accounts.iter().map(|account| (&status.budget, Some(account))));
            if status.accounts.is_empty() {
                all.push((&status.budget, None));
            }
        }
        let fullness = |(budget, account): &(&BudgetView, Option<&AccountView>)| {
            let taken = account.map_or(0, |account| account.amounts.taken());
            i128::from(taken) * 1_000_000 / i128::from(budget.limit.max(1))
        };
        all.sort_by_key(|line| std::cmp::Reverse(fullness(line)));
        let beyond: usize = statuses.iter().map(|status| status.more_accounts).sum();
        let more = all.len().saturating_sub(LINES) + beyond;
        let lines = all.iter().take(LINES).map(|(budget, account)| line(budget, *account, now)).collect();
        Self { any: !all.is_empty() || !trouble.is_empty(), lines, more, trouble }
    }
}

fn line(budget: &BudgetView, account: Option<&AccountView>, now: Timestamp) -> Line {
    let amounts = account.map(|account| account.amounts);
    let [settled, held, unknown] = amounts.map_or([0; 3], |a| [a.settled, a.held, a.unknown]);
    let percent = |amount: i64| (amount as f64 * 100.0 / budget.limit.max(1) as f64).clamp(0.0, 100.0);
    let (first, second) = (percent(settled), percent(settled.saturating_add(held)));
    let all = percent(settled.saturating_add(held).saturating_add(unknown));
    let text = |x: f64| format!("{x:.2}");
    let ceiling = budget.blocks_at.unwrap_or(budget.limit);
    let spent = settled.saturating_add(unknown);
    let tone = match (spent, ceiling) {
        (spent, ceiling) if i128::from(spent) * 100 >= i128::from(ceiling) * 98 => "bad",
        (spent, ceiling) if i128::from(spent) * 100 >= i128::from(ceiling) * 80 => "warn",
        _ => "ok",
    };
    let parts = [("held", held), ("unknown", unknown)];
    let open: Vec<_> = parts
        .into_iter()
        .filter(|(_, amount)| *amount > 0)
        .map(|(what, amount)| format!("{what} {}", money(budget.unit, amount)))
        .collect();
    let kind = serde_json::to_value(budget.kind).unwrap_or_default();
    let of = account.map_or("", |account| &account.account);
    Line {
        name: if of.is_empty() { budget.name.clone() } else { format!("{} · {of}", budget.name) },
        terms: format!("{} · {} · {}", budget.concerns, budget.terms(), kind.as_str().unwrap_or_default()),
        settled: text(first),
        held_from: text(first),
        held: text(second - first),
        unknown_from: text(second),
        unknown: text(all - second),
        tone,
        share: share(spent, budget.limit),
        spent: money(budget.unit, settled),
        limit: money(budget.unit, budget.limit),
        open: open.join(", "),
        resets: account.map_or_else(|| "nothing yet".into(), |account| resets(account, now)),
    }
}

fn share(part: i64, whole: i64) -> String {
    match (u64::try_from(part).unwrap_or(0), u64::try_from(whole).unwrap_or(0)) {
        (part, whole) if part > whole => format!("{:.0}%", part as f64 * 100.0 / whole.max(1) as f64),
        (part, whole) => show::share(part, whole),
    }
}

fn money(unit: Unit, amount: i64) -> String {
    match unit {
        Unit::Usd => show::dollars(Nanos(amount)),
        Unit::Tokens => format!("{} tokens", show::short(u64::try_from(amount).unwrap_or(0))),
    }
}

fn resets(account: &AccountView, now: Timestamp) -> String {
    match Timestamp::parse(&account.resets) {
        Ok(at) => format!("in {}", show::ago(now, at)),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
pub(super) mod samples {
    use std::sync::Arc;

    use bedplate_core::budget::Stand;
    use bedplate_cost::budget::BudgetConfig;

    use super::*;

    fn status(json: &str, accounts: &[(&str, i64, i64, i64)]) -> Status {
        let config: BudgetConfig = serde_json::from_str(json).unwrap();
        let stands = accounts.iter().map(|(of, settled, granted, unknown)| crate::budgets::Standing {
            of: (*of).into(),
            stand: Stand { settled: *settled, granted: *granted, unknown: *unknown },
        });
        let now = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        Status::sample(&config, stands.collect(), now)
    }

    pub(crate) fn statuses() -> Vec<Status> {
        let dollar = 1_000_000_000;
        vec![
            status(
                r#"{"name":"support","limit":"250 USD","scope":{"team":"support"}}"#,
                &[("", 83 * dollar, 2 * dollar, dollar / 2)],
            ),
            status(
                r#"{"name":"keys","limit":"10 USD","scope":{"key":"*"},"period":"day"}"#,
                &[("key=key_a", 9 * dollar + 900_000_000, dollar / 20, 0), ("key=key_b", dollar, 0, 0)],
            ),
            status(r#"{"name":"quiet","limit":"1000 tokens","scope":{"team":"*"},"kind":"soft"}"#, &[]),
        ]
    }

    #[test]
    fn the_fullest_stands_first_and_parts_add_up() {
        let now = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        let budgets = Budgets::of(&Ok(Arc::new(statuses())), now);
        let said: Vec<_> = budgets.lines.iter().map(|l| (&*l.name, &*l.share, l.tone)).collect();
        assert_eq!(
            said,
            [
                ("keys · key=key_a", "99%", "bad"),
                ("support", "33%", "ok"),
                ("keys · key=key_b", "10%", "ok"),
                ("quiet", "0%", "ok"),
            ]
        );
        let support = &budgets.lines[1];
        assert_eq!((&*support.settled, &*support.held_from, &*support.held), ("33.20", "33.20", "0.80"));
        assert_eq!((&*support.unknown_from, &*support.unknown), ("34.00", "0.20"));
        assert_eq!(support.open, "held $2.00, unknown $0.5000");
        assert_eq!((&*support.resets, &*budgets.lines[3].resets), ("in 8 d", "nothing yet"));
        assert_eq!(support.terms, "team support · $250.00 a month · hard");
    }

    #[test]
    fn without_budgets_there_is_nothing_and_without_a_ledger_it_is_said() {
        let now = Timestamp(0);
        assert!(!Budgets::of(&Ok(Arc::new(Vec::new())), now).any);
        let gone = Budgets::of(&Err("the disk is gone".into()), now);
        assert!(gone.any && gone.trouble == "the disk is gone");
    }
}
