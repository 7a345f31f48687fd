//! What happens in one run: made from a seed, and printed when the run fails.

use std::fmt;
use std::ops::Range;

use bedplate_testkit::Cue;

use crate::dice::Dice;
use crate::model::KEYS;

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
    /// For so long none of these questions of a node arrives, and all others do.
    Jam(usize, Jam, u64),
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

/// What can be jammed by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Jam {
    Records,
    Returns,
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

/// How much a call may cost, roughly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Any,
    Tiny,
    Small,
    Large,
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

/// How many there are of what events choose from.
struct World {
    nodes: usize,
    configs: usize,
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
            steps: dice.percent(30),
            reloads: dice.percent(40),
            overruns: dice.percent(40),
            large: *dice.pick(&[2, 10, 40]),
            gap: *dice.pick(&[60, 250, 600, 1_200]),
        };
        let nodes = *dice.pick(&[1, 1, 2, 3, 4, 5]);
        let configs = crate::budgets::configs(&dice, nature.reloads);
        let world = World { nodes, configs: configs.len() };
        let mut events = Vec::new();
        let mut at = 0;
        for _ in 0..dice.within(15..70) {
            at += dice.within(0..2 * nature.gap);
            let node = dice.within(0..nodes as u64) as usize;
            let event = nature.event(&dice, node, &world);
            nature.follow(&dice, at, &event, &world, &mut events);
            events.push((at, event));
        }
        events.sort_by_key(|(at, _)| *at);
        let before_midnight = dice.within(0..2 * (at / 1_000 + 2));
        Self { seed, before_midnight, nodes, configs, events }
    }
}

impl Nature {
    fn event(&self, dice: &Dice, node: usize, of: &World) -> Event {
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
                let some = (0..of.nodes).filter(|_| dice.percent(60)).collect();
                let all = (0..of.nodes).collect();
                let config = dice.within(0..of.configs as u64) as usize;
                Event::Reload(if dice.percent(70) { all } else { some }, config)
            }
            25 => Event::Repeat,
            _ => Event::Call(self.call(dice, node, Size::Any)),
        }
    }

    /// What makes an event worth something: calls come just before it and when it is over, and somebody decides about
    /// what was lost.
    fn follow(&self, dice: &Dice, at: u64, event: &Event, of: &World, events: &mut Vec<(u64, Event)>) {
        let mut calls = |range: Range<u64>, node: usize, most: u64, size: Size| {
            for _ in 0..dice.within(0..most + 1) {
                events.push((dice.within(range.clone()), Event::Call(self.call(dice, node, size))));
            }
        };
        match event {
            Event::Freeze(node, ms) | Event::Cut(node, ms) => {
                let (over, reconciled) = (at + ms, at + 10_200);
                let before = at.saturating_sub(1_500)..at + 1;
                calls(before.clone(), *node, 3, Size::Small);
                calls(before, *node, 2, Size::Any);
                // after the next round of its keeper
                let round = if matches!(event, Event::Cut(..)) { over + 1_250 } else { over + 20 };
                calls(round..round + 1_100, *node, 4, Size::Tiny);
                if *ms > 10_500 && dice.percent(80) {
                    let when = dice.within(reconciled..over);
                    calls(when..over, *node, 6, Size::Tiny);
                    events.push((when, Event::Reconcile));
                }
            }
            Event::Crash(_) => events.push((at + 12_000, Event::Reconcile)),
            Event::Jam(node, Jam::Returns, ms) => {
                calls(at.saturating_sub(1_500)..at + 800, *node, 3, Size::Any);
                calls(at + ms..at + ms + 2_000, *node, 2, Size::Any);
                if self.overruns {
                    // what one leaves is given back, and then another costs more than it held
                    let key = dice.within(0..3) as usize;
                    for (lasts, fate) in [(400, Fate::Costs(100)), (1_200, Fate::Costs(1_400))] {
                        let call =
                            Plan { key, lasts, fate, patience: None, ..self.call(dice, *node, Size::Any) };
                        events.push((at.saturating_sub(200), Event::Call(call)));
                    }
                }
            }
            Event::Drain(node, _) if self.faults => {
                // something is granted, and the node does not hear of it
                calls(at.saturating_sub(600)..at, *node, 3, Size::Any);
                events.push((at.saturating_sub(700), Event::Cue(*node, vec![Cue::After; 2])));
            }
            Event::Jam(node, Jam::Records, ms) if self.steps => {
                // an earlier window comes back before the ledger has heard what was spent of it
                calls(at.saturating_sub(500)..at + 200, *node, 4, Size::Small);
                let (there, far) = (dice.within(at + 800..at + 1_500), *dice.pick(&[2_000, 70_000]));
                let back = dice.within(there + 1_300..there + 2_600);
                calls(back + 1..at + ms, *node, 3, Size::Small);
                events.extend([(there, Event::Step(*node, far)), (back, Event::Step(*node, -far))]);
            }
            Event::Reload(..) if dice.percent(30) => self.fro(dice, at, of, events),
            Event::Reload(nodes, _) if !nodes.is_empty() => {
                calls(at..at + 2_500, *dice.pick(nodes), 3, Size::Any)
            }
            _ => {}
        }
    }

    /// To another configuration and back: what a node drew before is still there when others have spent by wider limits.
    fn fro(&self, dice: &Dice, at: u64, of: &World, events: &mut Vec<(u64, Event)>) {
        let one = dice.within(0..of.configs as u64) as usize;
        let other = (one + dice.within(1..of.configs as u64) as usize) % of.configs;
        let node = dice.within(0..of.nodes as u64) as usize;
        let there = at + dice.within(400..1_000);
        // who asked for more has an answer by then, and nothing lies idle yet
        let back = there + dice.within(1_400..1_900);
        for (when, config) in [(at + 1, one), (there, other), (back, one)] {
            events.push((when, Event::Reload((0..of.nodes).collect(), config)));
        }
        let some = |range: Range<u64>, node: usize, size: Size| {
            (dice.within(range), Event::Call(self.call(dice, node, size)))
        };
        for _ in 0..dice.within(1..3) {
            events.push(some(there - 300..there, node, Size::Small));
            events.push(some(back + 1..back + 500, node, Size::Tiny));
        }
        for _ in 0..dice.within(1..6) {
            let node = dice.within(0..of.nodes as u64) as usize;
            events.push(some(there + 1..there + 300, node, Size::Large));
        }
    }

    fn call(&self, dice: &Dice, node: usize, size: Size) -> Plan {
        // of a budget of a dollar; what is small may fit into what a node has left
        let (worst, output, prompt_tokens) = match size {
            Size::Tiny => (dice.within(1..4) as i64 * 100_000, dice.within(1..5), dice.within(1..5)),
            Size::Small => (dice.within(5..30) as i64 * 100_000, dice.within(10..50), dice.within(1..20)),
            Size::Any | Size::Large => {
                let large = size == Size::Large || dice.percent(self.large);
                let worst = if large { dice.within(50..600) } else { dice.within(1..60) };
                (worst as i64 * 1_000_000, dice.within(10..4_000), dice.within(1..2_000))
            }
        };
        let open = dice.percent(35);
        let prompt = worst / dice.within(2..20) as i64;
        let need = Want {
            prompt,
            rate: ((worst - prompt) as u64 * 1_000 / output).max(1),
            prompt_tokens,
            output,
            least: if open { 1 + output / 20 } else { output },
            priced: !dice.percent(2),
        };
        let fate = match dice.within(0..100) {
            0..10 => Fate::Dropped,
            10..22 => Fate::Unsure(dice.within(0..1_000)),
            22..46 if self.overruns => Fate::Costs(dice.within(1_000..1_500)),
            46..60 => Fate::Costs(1_000),
            _ => Fate::Costs(dice.within(0..1_000)),
        };
        let patience = dice.percent(12).then(|| dice.within(1..3_000));
        let long = matches!(size, Size::Any | Size::Large);
        let lasts = if long { dice.within(0..4_000) } else { dice.within(0..800) };
        Plan { node, key: dice.within(0..3) as usize, need, lasts, patience, fate }
    }
}

fn fault(dice: &Dice, node: usize) -> Event {
    match dice.within(0..15) {
        0..6 => {
            let cues = [Cue::Before, Cue::After, Cue::Late, Cue::Succeed];
            Event::Cue(node, (0..dice.within(1..5)).map(|_| *dice.pick(&cues)).collect())
        }
        6 => Event::Deliver(node),
        7..10 => Event::Cut(node, *dice.pick(&[1_000, 4_000, 12_000, 16_000])),
        10 => Event::Slow(node, dice.within(500..8_000)),
        11..13 => Event::Jam(node, Jam::Records, 6_000),
        13 => Event::Jam(node, Jam::Returns, dice.within(2_000..6_000)),
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

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, before_midnight, nodes, configs, events } = self;
        let end = events.last().map_or(0, |(at, _)| *at);
        writeln!(
            f,
            "seed {seed}: {nodes} nodes, {} events in {end} ms, {before_midnight} s before midnight",
            events.len()
        )?;
        for (state, config) in configs.iter().enumerate() {
            writeln!(f, "state {state} of the configuration:")?;
            config.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        write!(f, "milliseconds, and what happens; amounts in nano-dollars or tokens")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(plan) => write!(f, "{plan}"),
            Self::Crash(at) => write!(f, "crash of node {at}"),
            Self::Freeze(at, ms) => write!(f, "node {at} stands still for {ms} ms"),
            Self::Drain(at, true) => write!(f, "drain of node {at}"),
            Self::Drain(at, false) => write!(f, "drain of node {at}, which some questions outlive"),
            Self::Start(at) => write!(f, "a process begins where node {at} ended, if it did"),
            Self::Cue(at, cues) => write!(f, "next questions of node {at}: {cues:?}"),
            Self::Deliver(at) => write!(f, "what was late of node {at} arrives"),
            Self::Slow(at, ms) => write!(f, "the way of node {at} is slow for {ms} ms"),
            Self::Jam(at, Jam::Records, ms) => write!(f, "records of node {at} are not written for {ms} ms"),
            Self::Jam(at, Jam::Returns, ms) => write!(f, "node {at} cannot give back for {ms} ms"),
            Self::Cut(at, ms) => write!(f, "node {at} is cut off for {ms} ms"),
            Self::Failover(ms) => write!(f, "failover of the ledger for {ms} ms"),
            Self::Step(at, ms) => write!(f, "the clock of node {at} is set by {ms} ms"),
            Self::Reload(places, config) => write!(f, "nodes {places:?} take over state {config}"),
            Self::Reconcile => write!(f, "somebody reconciles"),
            Self::Repeat => write!(f, "the last record is written again"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, key, need, lasts, patience, fate } = self;
        let Want { prompt, rate, prompt_tokens, output, least, priced } = need;
        write!(f, "call on node {node} by {}: {prompt} + {least}..{output} × {rate}/1000", KEYS[*key])?;
        write!(f, ", {prompt_tokens} + {least}..{output} tokens; {lasts} ms, {fate:?}")?;
        if let Some(ms) = patience {
            write!(f, ", its caller leaves after {ms} ms")?;
        }
        if *priced { Ok(()) } else { write!(f, ", no price") }
    }
}
