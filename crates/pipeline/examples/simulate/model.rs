//! What is true, in small: every call that ever was, what it held, and what it came to. It knows nothing of slices.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bedplate_core::budget::{Account, BudgetId, Charge, NodeId, Unit, Why, Window};
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos};
use bedplate_cost::Worst;
use bedplate_cost::budget::{Budget, Kind, Outage, Period, Unpriced, Who};
use bedplate_pipeline::budget::{Hold, Likely, Need, Refused, Spent};

use crate::rule::Checked;
use crate::schedule::{Fate, Plan, Want};
use crate::trace::Short;

#[derive(Default)]
pub(crate) struct Model {
    pub calls: Vec<Call>,
    /// Budgets that some state of the configuration does not limit strictly.
    pub loose: BTreeSet<BudgetId>,
    /// What was taken of an account, by window, when a limit or a period was last in force that is no longer: what
    /// was granted under it stays granted.
    pub before: BTreeMap<Account, BTreeMap<Timestamp, i64>>,
}

pub(crate) struct Call {
    pub id: CallId,
    /// Which process, of all there were.
    pub node: usize,
    pub name: NodeId,
    /// When it asked, by its node's clock.
    pub at: Timestamp,
    pub plan: Plan,
    pub state: State,
    pub lines: Vec<Line>,
    /// What it was given was held.
    pub given: bool,
    output: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Asking,
    Holding,
    /// Settled; whether its record is written is the ledger's to say.
    Settled,
    Recorded,
    /// Its process died: what it came to is known to nobody but the upstream.
    Lost,
    /// It came to nothing.
    Over,
}

/// One budget that concerns a call.
pub(crate) struct Line {
    pub budget: Arc<Budget>,
    pub window: Window,
    pub held: i64,
    pub charge: i64,
}

impl Call {
    pub(crate) fn new(
        id: CallId,
        node: usize,
        name: NodeId,
        at: Timestamp,
        plan: Plan,
        budgets: &[Arc<Budget>],
    ) -> Self {
        let key = KEYS[plan.key];
        let line = |budget: &Arc<Budget>| {
            let account = budget.account(&who(key))?;
            let window = Window { account, starts: budget.period.part(at).starts };
            Some(Line { budget: Arc::clone(budget), window, held: 0, charge: 0 })
        };
        let lines = budgets.iter().filter_map(line).collect();
        Self { id, node, name, at, plan, state: State::Asking, lines, given: false, output: plan.need.output }
    }

    /// What it is true that a line spends, or may yet spend.
    fn weight(&self, line: &Line) -> i64 {
        match self.state {
            State::Asking | State::Over => 0,
            State::Holding => line.held,
            State::Settled | State::Recorded | State::Lost => line.charge,
        }
    }

    /// What it came to beyond its worst case.
    fn excess(&self, line: &Line) -> i64 {
        (self.weight(line) - line.held).max(0)
    }

    /// What it is true that it came to, if it was sent.
    pub(crate) fn spent(&self) -> Option<Spent> {
        let Plan { need, fate, .. } = self.plan;
        let (part, certain) = match fate {
            Fate::Costs(part) => (part, true),
            Fate::Unsure(part) => (part, false),
            Fate::Dropped => return None,
        };
        let usd = Nanos(worst_usd(need, self.output) * part as i64 / 1_000);
        let known = need.priced && (certain || part % 2 == 0);
        let cost = if known { Cost::Known(usd) } else { Cost::Unknown(usd) };
        Some(Spent { cost, tokens: (need.prompt_tokens + self.output) * part / 1_000, certain })
    }

    /// It ended, and `spent` is what it came to.
    pub(crate) fn end(&mut self, spent: Option<Spent>, state: State) {
        self.state = if spent.is_some() { state } else { State::Over };
        let Some(spent) = spent else { return };
        for line in &mut self.lines {
            let (said, sure) = match line.budget.limit.unit {
                Unit::Usd => (spent.cost.priced().0, spent.certain && spent.cost.is_known()),
                Unit::Tokens => (spent.tokens as i64, spent.certain),
            };
            line.charge = if sure { said } else { said.max(line.held) };
        }
    }

    /// A hold was given.
    pub(crate) fn hold(&mut self, hold: &Hold) -> Checked {
        let want = self.plan.need;
        let output = hold.output().unwrap_or(want.output);
        if hold.output().is_some() && !(want.least <= output && output < want.output) {
            return Err(format!("bounded to {output} of {}..{}", want.least, want.output));
        }
        (self.state, self.output, self.given) = (State::Holding, output, true);
        for line in &mut self.lines {
            line.held = worst(&line.budget, want, output).unwrap_or(0);
        }
        let mut mine: Vec<_> = self.lines.iter().map(|l| (&l.window, l.held)).collect();
        let mut theirs: Vec<_> = hold.parts().collect();
        mine.sort();
        theirs.sort();
        if mine == theirs { Ok(()) } else { Err(format!("held {theirs:?}, and should be {mine:?}")) }
    }

    /// The charges that its record should carry.
    pub(crate) fn charges(&self) -> Vec<Charge> {
        let charge = |line: &Line| Charge {
            window: line.window.clone(),
            node: self.name.clone(),
            amount: line.charge,
        };
        let mut charges: Vec<_> = self.lines.iter().filter(|l| l.charge > 0).map(charge).collect();
        charges.sort_by(|a, b| a.window.cmp(&b.window));
        charges
    }
}

impl Model {
    /// A hold was given: no limit may be exceeded, whatever the calls on their way come to. `ceiling` is the highest
    /// limit that is in force anywhere.
    pub(crate) fn limits(&self, call: &Call, ceiling: impl Fn(&Line) -> Option<i64>) -> Checked {
        for line in call.lines.iter().filter(|l| !self.loose.contains(&l.budget.id)) {
            let Some(ceiling) = ceiling(line) else { continue };
            let reach = Reach::new(&line.budget.period, call.at);
            let counted =
                self.lines().filter(|(c, l)| l.window.account == line.window.account && reach.counts(c, l));
            let (weight, excess) = counted.fold((0, 0), |(w, e), (c, l)| (w + c.weight(l), e + c.excess(l)));
            let before = self.before.get(&line.window.account);
            let before: i64 = before.map_or(0, |b| b.range(reach.windows.clone()).map(|(_, n)| n).sum());
            let most = ceiling.max(before) + excess;
            if weight > most {
                let window = Short(&line.window);
                return Err(format!("{weight} of {most} (the limit is {ceiling}) in {window}"));
            }
        }
        Ok(())
    }

    /// A call was refused; `elsewhere` says what went wrong besides.
    pub(crate) fn refused(&self, call: &Call, refused: &Refused, elsewhere: Elsewhere) -> Checked {
        let blocked = &refused.blocked;
        let Some(line) = call.lines.iter().find(|l| l.window == blocked.window) else {
            return Err(format!("for a window that it does not spend from: {blocked:?}"));
        };
        let budget = &line.budget;
        let least = worst(budget, call.plan.need, call.plan.need.least);
        let fits = |amount: i64| blocked.limit - amount >= least.unwrap_or(0);
        let fair = match blocked.why {
            Why::TooLarge => !fits(0),
            Why::Unpriced => least.is_none() && budget.unpriced == Unpriced::Refuse,
            Why::Unreachable => elsewhere.faulty,
            Why::Spent => !fits(self.at_worst(budget, &line.window) + elsewhere.reconciled),
            Why::Unknown => elsewhere.dead,
            Why::Held => !elsewhere.alone,
        };
        if fair { Ok(()) } else { Err(format!("{blocked:?}")) }
    }

    /// All of an account that counts with a window if each call on its way costs its worst case.
    fn at_worst(&self, budget: &Budget, window: &Window) -> i64 {
        let from = budget.period.part(window.starts).counts_from;
        let counts = |l: &Line| l.window.account == window.account && l.window.starts >= from;
        self.lines().filter(|(_, l)| counts(l)).map(|(c, l)| c.weight(l)).sum()
    }

    /// What a process holds in each window.
    pub(crate) fn held(&self, node: usize) -> BTreeMap<Window, i64> {
        let mut held = BTreeMap::new();
        for (_, line) in self.lines().filter(|(c, _)| c.node == node && c.state == State::Holding) {
            *held.entry(line.window.clone()).or_default() += line.held;
        }
        held
    }

    /// Of each window and process: what the ledger should have settled; what it does not know and must keep room for;
    /// what calls came to beyond their worst case.
    pub(crate) fn sums(&self) -> BTreeMap<(Window, NodeId), (i64, i64, i64)> {
        let mut sums = BTreeMap::<_, (i64, i64, i64)>::new();
        for (call, line) in self.lines() {
            let sum = sums.entry((line.window.clone(), call.name.clone())).or_default();
            match call.state {
                State::Recorded => sum.0 += line.charge,
                _ => sum.1 += call.weight(line),
            }
            sum.2 += call.excess(line);
        }
        sums
    }

    fn lines(&self) -> impl Iterator<Item = (&Call, &Line)> {
        self.calls.iter().flat_map(|call| call.lines.iter().map(move |line| (call, line)))
    }
}

/// Why a refusal may be fair though the account has room.
#[derive(Clone, Copy)]
pub(crate) struct Elsewhere {
    /// Questions were lost or slow.
    pub faulty: bool,
    /// A process ended, stood still, or did not reach the ledger.
    pub dead: bool,
    /// Nobody else ever held anything while the call asked.
    pub alone: bool,
    /// What an operator counted of the account.
    pub reconciled: i64,
}

/// Which calls count together with one that asked at `at`.
struct Reach<'a> {
    period: &'a Period,
    at: Timestamp,
    /// When its own window began; those of another zone that count may have begun before.
    starts: Timestamp,
    windows: Range<Timestamp>,
}

impl<'a> Reach<'a> {
    fn new(period: &'a Period, at: Timestamp) -> Self {
        let part = period.part(at);
        Self { period, at, starts: part.starts, windows: part.counts_from..part.ends }
    }

    /// By the moments at which calls asked, and not by windows, but where another period was in force.
    fn counts(&self, call: &Call, line: &Line) -> bool {
        if line.budget.period != *self.period {
            return self.windows.contains(&line.window.starts);
        }
        match self.period {
            Period::Rolling(length) => self.at.minus(*length) < call.at && call.at <= self.at,
            Period::Calendar(..) => self.starts <= call.at && call.at < self.windows.end,
        }
    }
}

/// Whether a state of a budget limits strictly.
pub(crate) fn strict(budget: &Budget) -> bool {
    budget.outage != Outage::Open && budget.ceiling().is_some()
}

pub(crate) const KEYS: [&str; 3] = ["key_a", "key_b", "key_c"];

pub(crate) fn who(key: &str) -> Who<'_> {
    Who { team: "support", feature: "triage", environment: "prod", key, alias: "small", model: "small" }
}

/// What the engine is told of a call.
pub(crate) fn need(want: Want) -> Need {
    let Want { prompt, rate, prompt_tokens, output, least, priced } = want;
    let cost = Nanos(worst_usd(want, output));
    let worst = Worst { cost, tokens: prompt_tokens + output, prompt: Nanos(prompt), output_rate: rate };
    let likely = Likely { cost: Nanos(prompt), tokens: prompt_tokens };
    Need {
        bounded: true,
        worst: priced.then_some(worst),
        likely: priced.then_some(likely),
        prompt: prompt_tokens,
        output,
        least,
    }
}

fn worst(budget: &Budget, want: Want, output: u64) -> Option<i64> {
    match (budget.kind, budget.limit.unit) {
        (Kind::Hard, Unit::Tokens) => Some((want.prompt_tokens + output) as i64),
        (Kind::Hard, Unit::Usd) => want.priced.then(|| worst_usd(want, output)),
        (Kind::Soft, Unit::Tokens) => want.priced.then_some(want.prompt_tokens as i64),
        (Kind::Soft, Unit::Usd) => want.priced.then_some(want.prompt),
    }
}

fn worst_usd(want: Want, output: u64) -> i64 {
    want.prompt + (want.rate * output).div_ceil(1_000) as i64
}
