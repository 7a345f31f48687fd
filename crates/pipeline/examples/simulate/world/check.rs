//! What must hold at every moment.

use std::collections::BTreeMap;

use bedplate_core::budget::{Account, Slice, Stand};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Budgets as _, Calls as _};

use super::{World, at_once};
use crate::model::{Checked, State};
use crate::node::Phase;

impl World {
    pub(super) fn check(&self) {
        if !self.stands() {
            return;
        }
        self.hear_of_records();
        let slices = at_once(self.memory.slices(None, Timestamp(0)));
        self.remember(&slices);
        let sound = self.sums(&slices).and_then(|()| self.holds()).and_then(|()| self.closed(&slices));
        if let Err(said) = sound {
            self.fail(said);
        }
    }

    /// Which records are written by now.
    fn hear_of_records(&self) {
        let mut model = self.model.borrow_mut();
        for call in model.calls.iter_mut().filter(|c| c.state == State::Settled) {
            if let Some(outcome) = at_once(self.memory.call(call.id)) {
                call.state = State::Recorded;
                if outcome.call.charges != call.charges() {
                    self.fail(format!("{} is recorded with {:?}", call.id, outcome.call.charges));
                }
            }
        }
    }

    /// While one process still goes by an older limit than another, or by another period, all is fair that it may draw.
    fn remember(&self, slices: &[Slice]) {
        let mut model = self.model.borrow_mut();
        let mut terms = BTreeMap::new();
        let mut mixed = std::collections::BTreeSet::new();
        let asking = model
            .calls
            .iter()
            .filter(|c| c.state == State::Asking)
            .flat_map(|c| &c.lines)
            .map(|l| l.budget.clone());
        let mut budgets: Vec<_> = asking.collect();
        for node in self.nodes.borrow().iter().filter(|n| n.lives()) {
            budgets.extend(node.budgets.borrow().iter().cloned());
        }
        for budget in &budgets {
            let these = terms.entry(&budget.id).or_insert(budget);
            if these.ceiling() != budget.ceiling() || these.period != budget.period {
                mixed.insert(&budget.id);
            }
        }
        if mixed.is_empty() {
            return;
        }
        let mut taken = BTreeMap::<&Account, BTreeMap<Timestamp, i64>>::new();
        for slice in slices.iter().filter(|s| mixed.contains(&s.window.account.budget)) {
            *taken.entry(&slice.window.account).or_default().entry(slice.window.starts).or_default() +=
                slice.sums.taken();
        }
        for (account, taken) in taken {
            model.before.insert(account.clone(), taken);
        }
    }

    /// To the nano-dollar: what is settled is what the records say, and what is not recorded is kept room for.
    fn sums(&self, slices: &[Slice]) -> Checked {
        let model = self.model.borrow();
        let mut sums = model.sums();
        for slice in slices {
            let place = (slice.window.clone(), slice.node.clone());
            let (settled, unrecorded, excess) = sums.remove(&place).unwrap_or_default();
            if slice.sums.settled != settled {
                return Err(format!("{place:?}: {} are settled, and {settled} recorded", slice.sums.settled));
            }
            let kept = slice.sums.open() + slice.sums.reconciled;
            if !model.loose.contains(&slice.window.account.budget) && kept < unrecorded - excess {
                return Err(format!(
                    "{place:?}: {unrecorded} may be spent, and room is kept for {kept}: {:?}",
                    slice.sums
                ));
            }
        }
        let lost = sums.iter().find(|((window, _), (settled, unrecorded, excess))| {
            *settled > 0 || !model.loose.contains(&window.account.budget) && *unrecorded > *excess
        });
        lost.map_or(Ok(()), |(place, sums)| Err(format!("{place:?}: no slice is there, for {sums:?}")))
    }

    /// Each process knows what its calls hold, and nothing else is held.
    fn holds(&self) -> Checked {
        for node in self.nodes.borrow().iter().filter(|n| n.phase.get() != Phase::Dead) {
            let stands = node.purses.stands().into_iter().filter(|(_, _, held)| *held != 0);
            let theirs: BTreeMap<_, _> = stands.map(|(window, _, held)| (window, held)).collect();
            let mut mine = self.model.borrow().held(node.at);
            mine.retain(|_, held| *held != 0);
            if mine != theirs {
                return Err(format!("{} holds {theirs:?}, and its calls {mine:?}", node.name.0));
            }
        }
        Ok(())
    }

    /// Who was drained has nothing; who died has nothing that lives when its leases are over.
    fn closed(&self, slices: &[Slice]) -> Checked {
        let nodes = self.nodes.borrow();
        for slice in slices {
            let node = nodes.iter().find(|n| n.name == slice.node);
            if node.is_none_or(|n| n.phase.get() == Phase::Closed(true)) && slice.sums.open() != 0 {
                return Err(format!("left after a drain: {slice:?}"));
            }
        }
        if nodes.iter().all(|n| !n.lives()) {
            let last = slices.iter().map(|s| s.lease_until).max().unwrap_or_default();
            let stand = slices.iter().fold(Stand::default(), |sum, s| sum.plus(s.stand(last)));
            if stand.granted != 0 {
                return Err(format!("still granted when all leases are over: {stand:?}"));
            }
        }
        Ok(())
    }
}
