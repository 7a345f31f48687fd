//! What happens in one run: made from a seed, and printed when the run fails.

use bedplate_testkit::Cue;

use crate::dice::Dice;

/// Everything that is decided before a run. Times are milliseconds from its start.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub seed: u64,
    /// When the run begins, in seconds before the last midnight of a month.
    pub before_midnight: u64,
    pub nodes: usize,
    /// Sections `[[budget]]`. The first is in force at the start.
    pub configs: Vec<String>,
    pub events: Vec<(u64, Event)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Call(Plan),
    /// The process ends at once: its memory is gone, and the records it had not written.
    Crash(usize),
    /// It stands still for so long, and does not know.
    Freeze(usize, u64),
    /// It lets its calls end, writes their records and gives back; `true` when late questions arrive before that.
    Drain(usize, bool),
    /// A process begins where one ended.
    Start(usize),
    /// What becomes of a node's next questions to the ledger.
    Cue(usize, Vec<Cue>),
    /// Questions that were late arrive.
    Deliver(usize),
    /// For so long the ledger answers a node slowly or not at all.
    Slow(usize, u64),
    /// For so long a node does not reach the ledger.
    Cut(usize, u64),
    /// No question arrives, from anybody, and some of them come late.
    Failover(u64),
    /// A node's wall clock is set, by so much.
    Step(usize, i64),
    /// Nodes take over another configuration.
    Reload(Vec<usize>, usize),
    /// An operator decides about slices of processes that were not heard of for a lease.
    Reconcile,
    /// A record that is written is written again.
    Repeat,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub node: usize,
    pub key: usize,
    pub need: Want,
    /// How long the upstream takes.
    pub lasts: u64,
    /// After so long the caller is gone, whatever has come.
    pub patience: Option<u64>,
    pub fate: Fate,
}

/// What a call may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    /// Nano-dollars.
    pub prompt: i64,
    /// Pico-dollars for a token of the answer.
    pub rate: u64,
    pub prompt_tokens: u64,
    pub output: u64,
    pub least: u64,
    pub priced: bool,
}

/// What it comes to, in thousandths of its worst case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Costs(u64),
    /// The upstream did not say, or has no price: so much is known or guessed.
    Unsure(u64),
    /// It was never sent.
    Dropped,
}

/// Of everything that can happen, what may happen in this run.
struct Nature {
    faults: bool,
    deaths: bool,
    steps: bool,
    reloads: bool,
    overruns: bool,
    /// Of a hundred calls, how many are large.
    large: u64,
    /// How far apart calls are, on average.
    gap: u64,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let nature = Nature {
            faults: dice.percent(55),
            deaths: dice.percent(50),
            steps: dice.percent(20),
            reloads: dice.percent(40),
            overruns: dice.percent(25),
            large: *dice.pick(&[2, 10, 40]),
            gap: *dice.pick(&[60, 250, 600, 1_200]),
        };
        let nodes = *dice.pick(&[1, 1, 2, 3, 4, 5]);
        let configs = crate::budgets::configs(&dice, nature.reloads);
        let mut events = Vec::new();
        let mut at = 0;
        for _ in 0..dice.within(15..70) {
            at += dice.within(0..2 * nature.gap);
            let node = dice.within(0..nodes as u64) as usize;
            let event = nature.event(&dice, node, nodes, configs.len());
            nature.follow(&dice, at, &event, &mut events);
            events.push((at, event));
        }
        events.sort_by_key(|(at, _)| *at);
        let before_midnight = dice.within(0..2 * (at / 1_000 + 2));
        Self { seed, before_midnight, nodes, configs, events }
    }
}

impl Nature {
    fn event(&self, dice: &Dice, node: usize, nodes: usize, configs: usize) -> Event {
        let throw = dice.within(0..100);
        match throw {
            0..8 if self.faults => fault(dice, node),
            8..15 if self.deaths => death(dice, node),
            15..19 if self.steps => {
                let length = *dice.pick(&[200, 5_000, 15_000, 90_000, 86_400_000]);
                let length = dice.within(1..length) as i64;
                Event::Step(node, if dice.percent(50) { length } else { -length })
            }
            19..25 if self.reloads => {
                let some = (0..nodes).filter(|_| dice.percent(60)).collect();
                let all = (0..nodes).collect();
                let config = dice.within(0..configs as u64) as usize;
                Event::Reload(if dice.percent(70) { all } else { some }, config)
            }
            25 => Event::Repeat,
            _ => Event::Call(self.call(dice, node)),
        }
    }

    /// What makes an event worth something: somebody decides about what was lost, and calls come when it is over.
    fn follow(&self, dice: &Dice, at: u64, event: &Event, events: &mut Vec<(u64, Event)>) {
        let over = match event {
            Event::Crash(_) => at + 12_000,
            Event::Freeze(_, ms) | Event::Cut(_, ms) => at + ms,
            Event::Reload(..) => at,
            _ => return,
        };
        if over >= at + 10_500 && dice.percent(80) {
            events.push((dice.within(at + 10_200..over), Event::Reconcile));
        }
        let node = match event {
            Event::Freeze(node, _) | Event::Cut(node, _) => *node,
            Event::Reload(nodes, _) if !nodes.is_empty() => *dice.pick(nodes),
            _ => return,
        };
        for _ in 0..dice.within(0..4) {
            events.push((over + dice.within(0..2_500), Event::Call(self.call(dice, node))));
        }
    }

    fn call(&self, dice: &Dice, node: usize) -> Plan {
        let large = dice.percent(self.large);
        // of a budget of a dollar
        let worst = if large { dice.within(50..600) } else { dice.within(1..60) } as i64 * 1_000_000;
        let output = dice.within(10..4_000);
        let open = dice.percent(35);
        let prompt = worst / dice.within(2..20) as i64;
        let need = Want {
            prompt,
            rate: ((worst - prompt) as u64 * 1_000 / output).max(1),
            prompt_tokens: dice.within(1..2_000),
            output,
            least: if open { 1 + output / 20 } else { output },
            priced: !dice.percent(2),
        };
        let fate = match dice.within(0..100) {
            0..10 => Fate::Dropped,
            10..22 => Fate::Unsure(dice.within(0..1_000)),
            22..30 if self.overruns => Fate::Costs(dice.within(1_000..1_500)),
            30..50 => Fate::Costs(1_000),
            _ => Fate::Costs(dice.within(0..1_000)),
        };
        let patience = dice.percent(12).then(|| dice.within(1..3_000));
        Plan { node, key: dice.within(0..3) as usize, need, lasts: dice.within(0..4_000), patience, fate }
    }
}

fn fault(dice: &Dice, node: usize) -> Event {
    match dice.within(0..10) {
        0..6 => {
            let cues = [Cue::Before, Cue::After, Cue::Late, Cue::Succeed];
            Event::Cue(node, (0..dice.within(1..5)).map(|_| *dice.pick(&cues)).collect())
        }
        6 => Event::Deliver(node),
        7 => Event::Cut(node, *dice.pick(&[1_000, 4_000, 12_000, 16_000])),
        8 => Event::Slow(node, dice.within(500..8_000)),
        _ => Event::Failover(dice.within(500..6_000)),
    }
}

fn death(dice: &Dice, node: usize) -> Event {
    match dice.within(0..14) {
        0..3 => Event::Crash(node),
        3..6 => Event::Freeze(node, *dice.pick(&[300, 2_000, 6_000, 12_000, 14_000])),
        6..8 => Event::Drain(node, dice.percent(70)),
        8..11 => Event::Start(node),
        _ => Event::Reconcile,
    }
}
