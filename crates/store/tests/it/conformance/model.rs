//! Random operations, and a model of the ledger in the plainest words.

use std::collections::BTreeMap;

use bedplate_core::budget::{Draw, Drawn, NodeId, Return, Slice, Stand, Sums, Window};
use bedplate_core::clock::Timestamp;
use bedplate_core::record::Outcome;
use bedplate_testkit::SeededIds;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::draws::{all, charge, node, spending, window};
use crate::outcomes::shared;

on_every_ledger!(any_operations_do_what_the_model_does);
on_memory!(any_operations_do_what_the_model_does);

#[derive(Clone, Debug)]
enum Op {
    Draw(Draw),
    GiveBack(NodeId, Vec<Return>),
    Renew(NodeId, Timestamp),
    /// Calls that spend; the first one again, now and then.
    Charge(Vec<Vec<(Window, u32, i64)>>, bool),
    Reconcile(Index, i64),
    Forget(Timestamp),
    Wait(i64),
}

/// In wild rounds also numbers at their ends; one of them fills an account for good, so most rounds are tame.
fn any_amount(wild: bool) -> impl Strategy<Value = i64> {
    let ends = prop::sample::select(vec![i64::MAX, i64::MAX - 1, i64::MAX / 2, i64::MIN]);
    prop_oneof![
        16 => 0i64..60,
        1 => Just(0),
        1 => -5i64..0,
        u32::from(wild) * 3 => ends,
    ]
}

fn any_window() -> impl Strategy<Value = Window> {
    (prop::sample::select(vec!["", "team=a"]), prop::sample::select(vec![10, 20, 30]))
        .prop_map(|(of, starts)| window(of, starts))
}

fn any_draw(wild: bool) -> impl Strategy<Value = Draw> {
    let limits = prop_oneof![9 => 200i64..900, 1 => any_amount(wild)];
    let times = (prop::sample::select(vec![i64::MIN, 10, 20, 30, 99]), 0i64..400);
    (any_window(), 0u32..3, limits, any_amount(wild), any_amount(wild), -1i64..4, times).prop_map(
        |(window, n, limit, need, want, share, (counts_from, lease))| Draw {
            window,
            counts_from: Timestamp(counts_from),
            limit,
            need,
            want,
            share,
            node: node(n),
            lease_until: Timestamp(lease),
        },
    )
}

fn any_op(wild: bool) -> impl Strategy<Value = Op> {
    let returns = prop::collection::vec(
        (any_window(), any_amount(wild)).prop_map(|(window, total)| Return { window, total }),
        0..4,
    );
    let charge = (any_window(), 0u32..3, prop_oneof![4 => 0i64..15, 1 => any_amount(wild)]);
    let charges = prop::collection::vec(charge, 0..3);
    prop_oneof![
        8 => any_draw(wild).prop_map(Op::Draw),
        3 => (0u32..3, returns).prop_map(|(n, returns)| Op::GiveBack(node(n), returns)),
        1 => (0u32..3, 0i64..400).prop_map(|(n, until)| Op::Renew(node(n), Timestamp(until))),
        4 => (prop::collection::vec(charges, 1..4), any::<bool>()).prop_map(|(c, again)| Op::Charge(c, again)),
        2 => (any::<Index>(), any_amount(wild)).prop_map(|(at, spent)| Op::Reconcile(at, spent)),
        1 => prop::sample::select(vec![20, 31]).prop_map(|at| Op::Forget(Timestamp(at))),
        2 => (0i64..60).prop_map(Op::Wait),
    ]
}

async fn any_operations_do_what_the_model_does(bed: &Bed) {
    let mut runner = TestRunner::deterministic();
    let ids = SeededIds::new(1);
    let mut seen = Seen::default();
    for round in 0..20 {
        let ops = prop::collection::vec(any_op(round % 4 == 3), 80).new_tree(&mut runner).unwrap().current();
        let (mut model, mut now, mut last) = (Model::default(), 0, None);
        for (n, op) in ops.iter().enumerate() {
            if let Op::Wait(micros) = op {
                now += micros;
            }
            step(bed, &mut model, op, Timestamp(now), &ids, &mut last, &mut seen).await;
            let found = all(&*bed.ledger).await;
            assert_eq!(found, model.slices(), "round {round}, after {n}: {op:?}");
        }
        bed.ledger.forget_slices(Timestamp(i64::MAX)).await.unwrap();
        for slice in all(&*bed.ledger).await {
            assert!(bed.ledger.reconcile(&slice, 0, Timestamp(i64::MAX)).await.unwrap());
        }
        bed.ledger.forget_slices(Timestamp(i64::MAX)).await.unwrap();
    }
    assert!(seen.granted > 200 && seen.short > 30, "{seen:?}");
    assert!(seen.returned > 50 && seen.late > 20 && seen.reconciled > 10, "{seen:?}");
}

/// How often what matters came about: a test whose accounts are always full shows nothing.
#[derive(Default, Debug)]
struct Seen {
    granted: u32,
    short: u32,
    returned: u32,
    /// A smaller total after a larger one.
    late: u32,
    reconciled: u32,
}

/// Does it here and there.
async fn step(
    bed: &Bed,
    model: &mut Model,
    op: &Op,
    now: Timestamp,
    ids: &SeededIds,
    last: &mut Option<Outcome>,
    seen: &mut Seen,
) {
    let ledger = &bed.ledger;
    match op {
        Op::Draw(draw) => {
            let drawn = ledger.draw(draw, now).await.unwrap();
            assert_eq!(drawn, model.draw(draw, now), "{draw:?}");
            match drawn {
                Drawn::Granted { amount, .. } => seen.granted += u32::from(amount > 0),
                Drawn::Short { .. } => seen.short += 1,
            }
        }
        Op::GiveBack(node, returns) => {
            ledger.give_back(node, returns).await.unwrap();
            for part in returns {
                let (returned, late) = model.give_back(&part.window, node, part.total);
                seen.returned += u32::from(returned);
                seen.late += u32::from(late);
            }
        }
        Op::Renew(node, until) => {
            assert_eq!(ledger.renew(node, *until).await.unwrap(), model.renew(node, *until));
        }
        Op::Charge(calls, again) => {
            let charges = |c: &Vec<(Window, u32, i64)>| c.iter().map(|(w, n, a)| charge(w, *n, *a)).collect();
            let mut batch: Vec<_> = calls.iter().map(|c| spending(ids, charges(c))).collect();
            calls.iter().flatten().for_each(|(w, n, amount)| model.charge(w, &node(*n), *amount));
            let next = batch[0].clone();
            batch.extend(last.take().filter(|_| *again));
            *last = Some(next);
            ledger.append(&shared(batch)).await.unwrap();
        }
        Op::Reconcile(at, spent) => {
            let slices = all(&**ledger).await;
            if !slices.is_empty() {
                let slice = at.get(&slices);
                let expected = model.reconcile(slice, *spent, now);
                assert_eq!(ledger.reconcile(slice, *spent, now).await.unwrap(), expected);
                seen.reconciled += u32::from(expected);
            }
        }
        Op::Forget(before) => {
            assert_eq!(ledger.forget_slices(*before).await.unwrap(), model.forget(*before));
        }
        Op::Wait(_) => {}
    }
}

/// Numbers have no end here; [`low`] says what a ledger holds of them.
#[derive(Default)]
struct Model {
    slices: BTreeMap<(Window, NodeId), Held>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Held {
    granted: i128,
    returned: i128,
    settled: i128,
    reconciled: i128,
    lease: i64,
}

fn low(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Held {
    fn open(&self) -> i128 {
        (self.granted - self.returned - self.settled).max(0)
    }

    fn sums(&self) -> Sums {
        Sums {
            granted: low(self.granted),
            returned: low(self.returned),
            settled: low(self.settled),
            reconciled: low(self.reconciled),
        }
    }
}

impl Model {
    fn slices(&self) -> Vec<Slice> {
        let slice = |((window, node), held): (&(Window, NodeId), &Held)| Slice {
            window: window.clone(),
            node: node.clone(),
            sums: held.sums(),
            lease_until: Timestamp(held.lease),
        };
        self.slices.iter().map(slice).collect()
    }

    /// Settled, granted and unknown.
    fn stand(&self, draw: &Draw, now: Timestamp) -> [i128; 3] {
        let from = draw.counts_from.min(draw.window.starts);
        let mut sums = [0; 3];
        for ((window, _), held) in &self.slices {
            if window.account == draw.window.account && window.starts >= from {
                sums[0] += held.settled + held.reconciled;
                sums[if held.lease > now.0 { 1 } else { 2 }] += held.open();
            }
        }
        sums
    }

    fn draw(&mut self, draw: &Draw, now: Timestamp) -> Drawn {
        let place = (draw.window.clone(), draw.node.clone());
        let own = self.slices.get(&place).copied();
        let mut slice = own.unwrap_or_default();
        let base = slice.granted.max(slice.returned + slice.settled);
        let taken: i128 = self.stand(draw, now).iter().sum();
        let free = (i128::from(draw.limit) - taken).min(i128::from(i64::MAX) - base);
        let need = i128::from(draw.need).max(0);
        let mut amount = None;
        if free >= need {
            let most = need + (free - need) / i128::from(draw.share.max(1));
            let granted = i128::from(draw.want).clamp(need, most);
            amount = Some(granted);
            if granted > 0 || own.is_some() {
                slice.granted = base + granted;
                slice.lease = draw.lease_until.0.max(own.map_or(i64::MIN, |o| o.lease));
                self.slices.insert(place, slice);
            }
        }
        let [settled, granted, unknown] = self.stand(draw, now).map(low);
        let (sums, stand) = (slice.sums(), Stand { settled, granted, unknown });
        match amount {
            Some(amount) => Drawn::Granted { amount: low(amount), sums, stand },
            None => Drawn::Short { sums, stand },
        }
    }

    /// Whether something was returned, and whether something could have been that was returned before.
    fn give_back(&mut self, window: &Window, node: &NodeId, total: i64) -> (bool, bool) {
        let Some(held) = self.slices.get_mut(&(window.clone(), node.clone())) else { return (false, false) };
        let (before, total, most) = (held.returned, i128::from(total), held.granted);
        held.returned = before.max(total.min(most));
        (held.returned > before, total < before && before < most)
    }

    fn renew(&mut self, node: &NodeId, until: Timestamp) -> Vec<Slice> {
        for ((_, whose), held) in &mut self.slices {
            if whose == node && held.open() > 0 {
                held.lease = held.lease.max(until.0);
            }
        }
        let open = |s: &Slice| s.node == *node && s.sums.granted - s.sums.returned > s.sums.settled;
        self.slices().into_iter().filter(open).collect()
    }

    fn charge(&mut self, window: &Window, node: &NodeId, amount: i64) {
        if amount > 0 {
            let held = self.slices.entry((window.clone(), node.clone())).or_default();
            held.settled = (held.settled + i128::from(amount)).min(i128::from(i64::MAX));
        }
    }

    fn reconcile(&mut self, slice: &Slice, spent: i64, now: Timestamp) -> bool {
        let held = self.slices.get_mut(&(slice.window.clone(), slice.node.clone())).unwrap();
        let unknown = held.open() > 0 && held.lease <= now.0;
        if unknown {
            held.returned = held.granted - held.settled;
            held.reconciled = (held.reconciled + i128::from(spent.max(0))).min(i128::from(i64::MAX));
        }
        unknown
    }

    fn forget(&mut self, before: Timestamp) -> u64 {
        let all = self.slices.len();
        self.slices.retain(|(window, _), held| window.starts >= before || held.open() > 0);
        (all - self.slices.len()) as u64
    }
}
