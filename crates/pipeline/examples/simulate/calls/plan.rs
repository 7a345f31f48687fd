//! What happens in a run, from its seed: who calls what and when, and what goes wrong.

use bedplate_core::pace::Class;

use super::config::{self, Config, MODELS};
use crate::dice::Dice;

#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub seed: u64,
    pub config: Config,
    /// Tokens a minute that each upstream lets through of each model; `None` without end.
    pub truth: Vec<Option<u64>>,
    /// By when they happen, in milliseconds.
    pub events: Vec<(u64, Event)>,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Call(Plan),
    /// An upstream does nothing else any more.
    Outage(usize, Option<Cue>),
    Reload(Box<Config>),
    Nodes(u32),
    /// The quota of an upstream is another now.
    Truth(usize, Option<u64>),
}

/// A call, its caller, and what upstreams make of it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub name: Name,
    pub class: Class,
    pub streams: bool,
    /// Tokens.
    pub prompt: u64,
    pub cached: u64,
    pub most: u64,
    pub writes: u64,
    /// Which of [`MODELS`] cannot read it, beyond the first.
    pub foreign: bool,
    /// Milliseconds.
    pub deadline: Option<u64>,
    pub caller: Caller,
    /// What becomes of its requests, in order; then it is answered.
    pub cues: Vec<Cue>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    Alias(usize),
    Bare(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Caller {
    Stays,
    /// Hangs up after so many milliseconds, whatever has come.
    Leaves(u64),
    /// Hangs up after so many pieces.
    Reads(usize),
    /// Takes nothing more after so many pieces, until the door gives up.
    Silent(usize),
}

/// What an upstream does with a request; milliseconds, or pieces of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cue {
    Well(u64),
    Error(u16, u64),
    /// No connection, at once.
    Refuses,
    /// No connection, and nobody says so.
    Dark,
    /// The work is done, and the answer is lost on its way.
    Loses(u64),
    /// Nothing comes.
    Hangs,
    /// A stream breaks, throws, or stands still after so many pieces.
    Breaks(usize),
    Throws(usize),
    Stalls(usize),
    /// It never says what it used.
    Untold,
}

/// Where a schedule ends, but for what is under way then.
const LASTS: u64 = 30_000;

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed ^ 0x0c0a_11e5);
        let config = Config::new(&dice);
        let scarce = dice.percent(30);
        let truth = || match scarce && dice.percent(60) {
            true => Some(*dice.pick(&[3_000, 8_000, 20_000])),
            false => None,
        };
        let truth: Vec<_> = (0..config.upstreams.len()).map(|_| truth()).collect();
        let mut events = calls(&dice, &config);
        events.extend(troubles(&dice, &config));
        events.sort_by_key(|(at, _)| *at);
        Self { seed, config, truth, events }
    }
}

fn calls(dice: &Dice, config: &Config) -> Vec<(u64, Event)> {
    let (mut all, mut at) = (Vec::new(), 0);
    // some come in bursts, so that they wait
    let (burst, gap) = *dice.pick(&[(1, 1_500), (4, 2_000), (12, 6_000)]);
    let rough = *dice.pick(&[0, 15, 50]);
    let leaves = *dice.pick(&[5, 25, 50]);
    let number = dice.within(6..32);
    while (all.len() as u64) < number && at < LASTS {
        for _ in 0..dice.within(1..burst + 1) {
            let later = if dice.percent(40) { 0 } else { dice.within(0..400) };
            all.push((at + later, Event::Call(Plan::new(dice, config, rough, leaves))));
        }
        at += dice.within(0..gap);
    }
    all
}

fn troubles(dice: &Dice, config: &Config) -> Vec<(u64, Event)> {
    let mut all = Vec::new();
    let upstreams = config.upstreams.len() as u64;
    if dice.percent(35) {
        let cue = *dice.pick(&[
            Cue::Refuses,
            Cue::Error(503, 5),
            Cue::Hangs,
            Cue::Loses(300),
            Cue::Dark,
            Cue::Error(429, 10),
        ]);
        let (from, lasts) = (dice.within(0..15_000), dice.within(1_000..15_000));
        let everybody = dice.percent(40);
        let one = dice.within(0..upstreams) as usize;
        for at in (0..config.upstreams.len()).filter(|at| everybody || *at == one) {
            all.push((from, Event::Outage(at, Some(cue))));
            all.push((from + lasts, Event::Outage(at, None)));
        }
    }
    if dice.percent(40) {
        let mut last = config.clone();
        for _ in 0..dice.within(1..4) {
            last = last.changed(dice);
            all.push((dice.within(0..LASTS), Event::Reload(Box::new(last.clone()))));
        }
    }
    if dice.percent(30) {
        for _ in 0..dice.within(1..4) {
            all.push((dice.within(0..LASTS), Event::Nodes(*dice.pick(&[1, 2, 3, 4]))));
        }
    }
    if dice.percent(20) {
        let one = dice.within(0..upstreams) as usize;
        all.push((dice.within(0..LASTS), Event::Truth(one, *dice.pick(&[None, Some(2_000), Some(50_000)]))));
    }
    all
}

impl Plan {
    fn new(dice: &Dice, config: &Config, rough: u64, leaves: u64) -> Self {
        let name = match dice.percent(15) {
            true => Name::Bare(dice.within(0..MODELS.len() as u64) as usize),
            false => Name::Alias(dice.within(0..config.aliases.len() as u64) as usize),
        };
        let prompt = *dice.pick(&[20, 100, 500, 2_000]);
        let most = *dice.pick(&[50, 300, 1_500]);
        let caller = match dice.within(0..100) {
            n if n >= leaves => Caller::Stays,
            n if n % 5 < 3 => Caller::Leaves(dice.within(0..*dice.pick(&[50, 1_000, 8_000]))),
            n if n % 5 < 4 => Caller::Reads(dice.within(0..6) as usize),
            _ => Caller::Silent(dice.within(0..6) as usize),
        };
        Self {
            name,
            class: *dice.pick(&Class::ALL),
            streams: dice.percent(50),
            prompt,
            cached: if dice.percent(20) { prompt / 2 } else { 0 },
            most,
            writes: dice.within(1..most + 1),
            // who names a model writes for it
            foreign: dice.percent(25) && matches!(name, Name::Alias(_)),
            deadline: dice.percent(30).then(|| dice.within(1..*dice.pick(&[500, 4_000, 15_000]))),
            caller,
            cues: (0..dice.within(1..4)).map(|_| Cue::new(dice, rough)).collect(),
        }
    }
}

impl Cue {
    fn new(dice: &Dice, rough: u64) -> Self {
        let after = dice.within(1..*dice.pick(&[20, 600, 3_500]));
        if !dice.percent(rough) {
            return Self::Well(after);
        }
        let piece = dice.within(0..6) as usize;
        match dice.within(0..14) {
            0..3 => Self::Error(*dice.pick(&[500, 503, 529]), after),
            3 | 4 => Self::Error(429, after),
            5 => Self::Error(*dice.pick(&[400, 403, 404, 408, 424]), after),
            6 => Self::Refuses,
            7 => Self::Dark,
            8 => Self::Loses(after),
            9 => Self::Hangs,
            10 => Self::Breaks(piece),
            11 => Self::Throws(piece),
            12 => Self::Stalls(piece),
            _ => Self::Untold,
        }
    }
}

impl Name {
    pub(super) fn said(self) -> String {
        match self {
            Self::Alias(at) => config::alias(at),
            Self::Bare(at) => MODELS[at].into(),
        }
    }
}
