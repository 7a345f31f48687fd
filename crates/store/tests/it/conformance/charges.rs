use bedplate_core::budget::{Account, BudgetId, Charge, Draw, Drawn, Window};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::CallFilter;
use bedplate_testkit::SeededIds;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::draws::{LEASE, NOW, all, charge, draw, exactly, node, only, spending, stand, sums, window};
use crate::outcomes::{answered, at, shared};

on_every_ledger!(
    a_call_is_charged_once_however_often_it_is_written,
    a_batch_is_charged_by_slice,
    calls_without_charges_leave_slices_alone,
    a_charge_makes_the_slice_that_is_missing,
    late_records_take_from_what_is_unknown,
    more_than_was_granted_is_kept_as_it_is,
    names_of_any_kind_are_charged_and_drawn_alike,
);

on_memory!(
    a_call_is_charged_once_however_often_it_is_written,
    a_batch_is_charged_by_slice,
    calls_without_charges_leave_slices_alone,
    a_charge_makes_the_slice_that_is_missing,
    late_records_take_from_what_is_unknown,
    more_than_was_granted_is_kept_as_it_is,
);

async fn a_call_is_charged_once_however_often_it_is_written(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    ledger.draw(&exactly(&w, 1, 1_000, 500), NOW).await.unwrap();
    let first = spending(&ids, vec![charge(&w, 1, 30)]);
    ledger.append(&shared([first.clone()])).await.unwrap();
    ledger.append(&shared([first.clone()])).await.unwrap();
    assert_eq!(only(&**ledger).await.settled, 30);
    // again with another charge, beside new ones, one of which stands twice
    let mut changed = first.clone();
    changed.call.charges = vec![charge(&w, 1, 400)];
    let second = spending(&ids, vec![charge(&w, 1, 5)]);
    let third = spending(&ids, vec![charge(&w, 1, 2)]);
    let batch = [changed, second.clone(), third, second];
    ledger.append(&shared(batch.clone())).await.unwrap();
    ledger.append(&shared(batch)).await.unwrap();
    assert_eq!(only(&**ledger).await, sums(500, 0, 37, 0));
    assert_eq!(ledger.call(first.call.id).await.unwrap(), Some(first));
}

async fn a_batch_is_charged_by_slice(bed: &Bed) {
    let (ledger, ids) = (&bed.ledger, SeededIds::new(1));
    let windows: Vec<_> = (0..150).map(|n| window(&format!("team={n}"), 5)).collect();
    let calls = (0..600usize).map(|n| {
        let twice = [charge(&windows[n % 150], 1, 7), charge(&windows[n % 150], 1, 1)];
        let other = charge(&windows[(n + 1) % 150], u32::try_from(n % 2).unwrap() + 1, 100);
        spending(&ids, [&twice[..], &[other]].concat())
    });
    let calls: Vec<_> = calls.collect();
    ledger.append(&shared(calls.clone())).await.unwrap();
    let slices = all(&**ledger).await;
    assert_eq!(slices.len(), 225);
    assert_eq!(slices.iter().map(|s| s.sums.settled).sum::<i64>(), 600 * 108);
    let one = slices.iter().find(|s| s.window == windows[1] && s.node == node(1)).unwrap();
    assert_eq!(one.sums.settled, 4 * 108);
    assert_eq!(ledger.recent(&CallFilter::default(), 1_000).await.unwrap().len(), 600);
}

async fn calls_without_charges_leave_slices_alone(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    let free = spending(&ids, vec![charge(&w, 1, 0), charge(&w, 1, -5)]);
    ledger.append(&shared([answered(&ids, at("2026-11-22T12:00:00Z")), free])).await.unwrap();
    assert_eq!(all(&**ledger).await, []);
}

async fn a_charge_makes_the_slice_that_is_missing(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 60)])])).await.unwrap();
    let slice = all(&**ledger).await.remove(0);
    assert_eq!((slice.sums, slice.lease_until), (sums(0, 0, 60, 0), Timestamp(0)));
    let short = ledger.draw(&draw(&w, 2, 100, 50), NOW).await.unwrap();
    assert_eq!(short, Drawn::Short { sums: sums(0, 0, 0, 0), stand: stand(60, 0, 0) });
    // what is granted later comes on top of what was spent without a grant
    let drawn = ledger.draw(&draw(&w, 1, 100, 40), NOW).await.unwrap();
    assert_eq!(drawn, Drawn::Granted { amount: 40, sums: sums(100, 0, 60, 0), stand: stand(60, 40, 0) });
}

async fn late_records_take_from_what_is_unknown(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    ledger.draw(&exactly(&w, 1, 100, 80), NOW).await.unwrap();
    let ask = Draw { want: 0, ..draw(&w, 2, 100, 0) };
    assert_eq!(ledger.draw(&ask, LEASE).await.unwrap().stand(), stand(0, 0, 80));
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 50)])])).await.unwrap();
    assert_eq!(ledger.draw(&ask, LEASE).await.unwrap().stand(), stand(50, 0, 30));
    assert_eq!(all(&**ledger).await[0].lease_until, LEASE, "a record is no sign of life");
}

async fn more_than_was_granted_is_kept_as_it_is(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    ledger.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 130)])])).await.unwrap();
    assert_eq!(only(&**ledger).await, sums(50, 0, 130, 0));
    let short = ledger.draw(&draw(&w, 2, 100, 1), NOW).await.unwrap();
    assert_eq!(short, Drawn::Short { sums: sums(0, 0, 0, 0), stand: stand(130, 0, 0) });
}

/// Names that no database takes as they are must not keep a batch from being written, nor lead a charge away from
/// the slice that was drawn.
async fn names_of_any_kind_are_charged_and_drawn_alike(bed: &Bed) {
    let (ledger, ids) = (&bed.ledger, SeededIds::new(1));
    for of in ["a\0b".to_owned(), "漢".repeat(5_000), "it's \"né\"".into()] {
        let account = Account { budget: BudgetId("month".into()), of: of.as_str().into() };
        let w = Window { account, starts: Timestamp(5) };
        ledger.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
        let charge = Charge { window: w.clone(), node: node(1), amount: 20 };
        ledger.append(&shared([spending(&ids, vec![charge])])).await.unwrap();
        let drawn = ledger.draw(&exactly(&w, 1, 100, 10), NOW).await.unwrap();
        assert_eq!(drawn, Drawn::Granted { amount: 10, sums: sums(60, 0, 20, 0), stand: stand(20, 40, 0) });
    }
}
