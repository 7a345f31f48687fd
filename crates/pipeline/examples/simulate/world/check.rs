//! What must hold at every moment.

use std::collections::BTreeMap;

use bedplate_core::budget::{Account, NodeId, Slice, Stand, Window};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Budgets as _, Calls as _};

use super::{World, at_once};
use crate::model::State;
use crate::node::Phase;
use crate::rule::{Checked, Rule};
use crate::trace::{Short, list};

impl World {
    pub(super) fn check(&self) {
        if !self.stands() {
            return;
        }
        self.hear_of_records();
        let slices = at_once(self.memory.slices(None, Timestamp(0)));
        self.remember();
        let sums = self.model.borrow().sums();
        self.must(Rule::Ledger, settled(&slices, &sums));
        self.must(Rule::Room, self.room(&slices, &sums));
        self.must(Rule::Hold, self.holds());
        if self.nodes.borrow().iter().any(|n| n.phase.get() == Phase::Closed(true)) {
            self.must(Rule::Drain, self.drained(&slices));
        }
        if self.nodes.borrow().iter().all(|n| !n.lives()) {
            self.must(Rule::Lease, over(&slices));
        }
        for node in self.nodes.borrow().iter() {
            let (grants, useless) = node.wire.grants();
            self.tally.borrow_mut().checked_often(Rule::Grant, grants);
            if let Some(said) = useless {
                self.must(Rule::Grant, Err(said));
            }
        }
    }

    /// Which records are written by now.
    fn hear_of_records(&self) {
        let mut model = self.model.borrow_mut();
        for call in model.calls.iter_mut().filter(|c| c.state == State::Settled) {
            if let Some(outcome) = at_once(self.memory.call(call.id)) {
                call.state = State::Recorded;
                let (should, are) = (call.charges(), outcome.call.charges);
                let said = || format!("{} is recorded with {are:?}", call.id);
                self.must(Rule::Charge, if are == should { Ok(()) } else { Err(said()) });
            }
        }
    }

    /// While one process still goes by an older limit than another, or by another period, all is fair that it may draw.
    pub(super) fn remember(&self) {
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
        let slices = at_once(self.memory.slices(None, Timestamp(0)));
        let mut taken = BTreeMap::<&Account, BTreeMap<Timestamp, i64>>::new();
        for slice in slices.iter().filter(|s| mixed.contains(&s.window.account.budget)) {
            *taken.entry(&slice.window.account).or_default().entry(slice.window.starts).or_default() +=
                slice.sums.taken();
        }
        for (account, taken) in taken {
            model.before.insert(account.clone(), taken);
        }
    }

    /// What is not recorded is kept room for.
    fn room(&self, slices: &[Slice], sums: &Sums) -> Checked {
        let model = self.model.borrow();
        for ((window, node), (_, unrecorded, excess)) in sums {
            let slice = slices.iter().find(|s| s.window == *window && s.node == *node);
            let kept = slice.map_or(0, |s| s.sums.open() + s.sums.reconciled);
            if !model.loose.contains(&window.account.budget) && kept < unrecorded - excess {
                let place = format!("{} of {}", node.0, Short(window));
                return Err(format!("{place}: {unrecorded} may be spent, and room is kept for {kept}"));
            }
        }
        Ok(())
    }

    /// Each process knows what its calls hold, and nothing else is held.
    fn holds(&self) -> Checked {
        for node in self.nodes.borrow().iter().filter(|n| n.phase.get() != Phase::Dead) {
            let stands = node.purses.stands().into_iter().filter(|(_, _, held)| *held != 0);
            let theirs: BTreeMap<_, _> = stands.map(|(window, _, held)| (window, held)).collect();
            let mut mine = self.model.borrow().held(node.at);
            mine.retain(|_, held| *held != 0);
            if mine != theirs {
                let show =
                    |holds: BTreeMap<_, i64>| list(holds, |(w, held)| format!("{held} of {}", Short(&w)));
                return Err(format!("{} holds {}, and its calls {}", node.name.0, show(theirs), show(mine)));
            }
        }
        Ok(())
    }

    /// Who was drained has nothing.
    fn drained(&self, slices: &[Slice]) -> Checked {
        let nodes = self.nodes.borrow();
        for slice in slices {
            let node = nodes.iter().find(|n| n.name == slice.node);
            if node.is_none_or(|n| n.phase.get() == Phase::Closed(true)) && slice.sums.open() != 0 {
                return Err(Short(slice).to_string());
            }
        }
        Ok(())
    }
}

/// Who died has nothing that lives when its leases are over.
fn over(slices: &[Slice]) -> Checked {
    let last = slices.iter().map(|s| s.lease_until).max().unwrap_or_default();
    let stand = slices.iter().fold(Stand::default(), |sum, s| sum.plus(s.stand(last)));
    if stand.granted == 0 { Ok(()) } else { Err(Short(stand).to_string()) }
}

/// Of each window and process: what should be settled, what the ledger must keep room for, what was spent beyond the
/// worst case.
type Sums = BTreeMap<(Window, NodeId), (i64, i64, i64)>;

/// To the nano-dollar: what is settled is what the records say.
fn settled(slices: &[Slice], sums: &Sums) -> Checked {
    let mut recorded: BTreeMap<_, _> =
        sums.iter().filter(|(_, s)| s.0 != 0).map(|(place, s)| (place, s.0)).collect();
    for slice in slices {
        let of = recorded.remove(&(slice.window.clone(), slice.node.clone())).unwrap_or(0);
        if slice.sums.settled != of {
            return Err(format!("{of} are recorded of {}", Short(slice)));
        }
    }
    let lost = recorded.first_key_value();
    lost.map_or(Ok(()), |((window, node), of)| {
        Err(format!("{}: {of} are recorded of {}", node.0, Short(window)))
    })
}
