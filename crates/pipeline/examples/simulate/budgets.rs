//! The budgets of a run, in several states: before a reload and after it.

use std::fmt::Write as _;

use bedplate_cost::budget::{Budget, BudgetConfig};

use crate::dice::Dice;

/// One to three states of a configuration.
pub(crate) fn configs(dice: &Dice, reloads: bool) -> Vec<String> {
    let all: Vec<_> = BUDGETS.iter().map(|(name, scope)| Shape::new(dice, name, scope)).collect();
    let some = dice.within(1..4) as usize;
    let shapes: Vec<_> = (0..some).map(|_| dice.within(0..all.len() as u64) as usize).collect();
    let states = if reloads { dice.within(2..4) } else { 1 };
    (0..states)
        .map(|state| {
            let mut said = String::new();
            for (at, shape) in all.iter().enumerate().filter(|(at, _)| shapes.contains(at)) {
                // now and then a budget comes or goes
                if state == 0 || at == shapes[0] || !dice.percent(15) {
                    shape.write(dice, state > 0, &mut said);
                }
            }
            said
        })
        .collect()
}

/// What a section says.
pub(crate) fn read(config: &str) -> Vec<Budget> {
    #[derive(serde::Deserialize)]
    struct File {
        budget: Vec<BudgetConfig>,
    }
    let file: File = toml::from_str(config).unwrap();
    file.budget.iter().map(|b| b.build().unwrap()).collect()
}

const BUDGETS: [(&str, &str); 5] = [
    ("all", "{}"),
    ("each", "{ key = '*' }"),
    ("team", "{ team = 'support' }"),
    ("words", "{ environment = 'prod' }"),
    ("hint", "{ feature = 'triage' }"),
];

/// What stays the same over reloads.
struct Shape {
    name: &'static str,
    scope: &'static str,
    tokens: bool,
    soft: bool,
    outage: Option<&'static str>,
    allow: bool,
    limit: u64,
    period: &'static str,
}

const PERIODS: [&str; 5] = ["month", "day", "rolling 1m", "rolling 2m", "rolling 1h"];

impl Shape {
    fn new(dice: &Dice, name: &'static str, scope: &'static str) -> Self {
        let tokens = name == "words";
        Self {
            name,
            scope,
            tokens,
            soft: name == "hint",
            outage: *dice.pick(&[None, None, Some("closed"), Some("slice"), Some("slice"), Some("open")]),
            allow: dice.percent(10),
            limit: if tokens { dice.within(5_000..60_000) } else { dice.within(200..1_500) },
            period: *dice.pick(&PERIODS),
        }
    }

    fn write(&self, dice: &Dice, changed: bool, to: &mut String) {
        let limit = if changed { self.limit * dice.within(15..150) / 100 } else { self.limit };
        let limit = if self.tokens {
            format!("{limit} tokens")
        } else {
            format!("{}.{:03} USD", limit / 1_000, limit % 1_000)
        };
        let period = if changed && dice.percent(30) { *dice.pick(&PERIODS) } else { self.period };
        let Self { name, scope, .. } = self;
        writeln!(to, "[[budget]]\nname = '{name}'\nscope = {scope}\nlimit = '{limit}'\nperiod = '{period}'")
            .unwrap();
        if self.soft {
            to.push_str("kind = 'soft'\n");
        }
        if let Some(outage) = self.outage {
            writeln!(to, "outage = '{outage}'").unwrap();
        }
        if self.allow {
            to.push_str("unpriced = 'allow'\n");
        }
        if dice.percent(15) {
            to.push_str("ladder = [{ at = '90%', do = 'block' }]\n");
        }
    }
}
