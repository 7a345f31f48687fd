//! What happened in all runs together: proof that they reach what they are to test.

use std::fmt;

use bedplate_core::budget::Why;
use bedplate_pipeline::budget::Hold;

use crate::schedule::Event;

#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub runs: u64,
    pub calls: u64,
    pub holds: u64,
    pub bounded: u64,
    pub several: u64,
    /// Spent, held, unknown, too large, unpriced, unreachable.
    pub refused: [u64; 6],
    pub crashes: u64,
    pub freezes: u64,
    pub drains: u64,
    pub faults: u64,
    pub steps: u64,
    pub reloads: u64,
    pub reconciled: u64,
}

impl Tally {
    pub(crate) fn happened(&mut self, event: &Event) {
        let count = match event {
            Event::Call(_) => &mut self.calls,
            Event::Crash(_) => &mut self.crashes,
            Event::Freeze(..) => &mut self.freezes,
            Event::Drain(..) => &mut self.drains,
            Event::Cue(..) | Event::Slow(..) | Event::Cut(..) | Event::Failover(_) | Event::Deliver(_) => {
                &mut self.faults
            }
            Event::Step(..) => &mut self.steps,
            Event::Reload(..) => &mut self.reloads,
            Event::Start(_) | Event::Reconcile | Event::Repeat => return,
        };
        *count += 1;
    }

    pub(crate) fn held(&mut self, hold: &Hold) {
        self.holds += 1;
        self.bounded += u64::from(hold.output().is_some());
        self.several += u64::from(hold.parts().count() > 1);
    }

    pub(crate) fn refused(&mut self, why: Why) {
        let at = [Why::Spent, Why::Held, Why::Unknown, Why::TooLarge, Why::Unpriced, Why::Unreachable];
        self.refused[at.iter().position(|w| *w == why).unwrap()] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.calls += other.calls;
        self.holds += other.holds;
        self.bounded += other.bounded;
        self.several += other.several;
        self.refused.iter_mut().zip(other.refused).for_each(|(mine, theirs)| *mine += theirs);
        self.crashes += other.crashes;
        self.freezes += other.freezes;
        self.drains += other.drains;
        self.faults += other.faults;
        self.steps += other.steps;
        self.reloads += other.reloads;
        self.reconciled += other.reconciled;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            holds,
            bounded,
            several,
            crashes,
            freezes,
            drains,
            faults,
            steps,
            reloads,
            reconciled,
            ..
        } = self;
        let [spent, held, unknown, large, unpriced, unreachable] = self.refused;
        writeln!(
            f,
            "  {calls} calls; {holds} holds, {bounded} of them bounded, {several} in several budgets"
        )?;
        writeln!(
            f,
            "  refused: {spent} spent, {held} held, {unknown} unknown, {large} too large, {unpriced} unpriced, \
             {unreachable} unreachable"
        )?;
        write!(
            f,
            "  {crashes} crashes, {freezes} freezes, {drains} drains, {faults} faults of the ledger, {steps} clock \
             steps, {reloads} reloads, {reconciled} slices reconciled"
        )
    }
}
