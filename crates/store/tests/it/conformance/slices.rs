use bedplate_core::budget::{BudgetId, Draw, Drawn, Slice};
use bedplate_core::clock::Timestamp;
use bedplate_testkit::SeededIds;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::draws::{
    LEASE, NOW, all, charge, draw, exactly, give_back, granted, node, only, spending, stand, sums, window,
};
use crate::outcomes::shared;

on_every_ledger!(
    a_draw_takes_its_part_and_short_says_where_the_account_stands,
    whoever_only_asks_leaves_nothing_behind,
    a_rolling_period_sums_its_windows,
    accounts_have_nothing_in_common,
    what_a_dead_node_left_is_unknown_until_it_lives_again,
    a_lease_is_never_made_shorter,
    what_is_given_back_counts_once,
    what_is_settled_stays_spent_when_it_was_given_back,
    reconciling_ends_what_is_unknown,
    only_what_was_seen_is_reconciled,
    what_is_over_is_forgotten,
    slices_come_by_window_and_node,
    amounts_of_any_size_add_up,
);

on_memory!(
    a_draw_takes_its_part_and_short_says_where_the_account_stands,
    whoever_only_asks_leaves_nothing_behind,
    a_rolling_period_sums_its_windows,
    accounts_have_nothing_in_common,
    what_a_dead_node_left_is_unknown_until_it_lives_again,
    a_lease_is_never_made_shorter,
    what_is_given_back_counts_once,
    what_is_settled_stays_spent_when_it_was_given_back,
    reconciling_ends_what_is_unknown,
    only_what_was_seen_is_reconciled,
    what_is_over_is_forgotten,
    slices_come_by_window_and_node,
    amounts_of_any_size_add_up,
);

async fn a_draw_takes_its_part_and_short_says_where_the_account_stands(bed: &Bed) {
    let (ledger, w) = (&bed.ledger, window("", 5));
    let half = Draw { share: 2, ..draw(&w, 1, 100, 10) };
    let first = ledger.draw(&half, NOW).await.unwrap();
    assert_eq!(first, Drawn::Granted { amount: 55, sums: sums(55, 0, 0, 0), stand: stand(0, 55, 0) });
    let second = ledger.draw(&Draw { node: node(2), ..half.clone() }, NOW).await.unwrap();
    assert_eq!(second, Drawn::Granted { amount: 27, sums: sums(27, 0, 0, 0), stand: stand(0, 82, 0) });
    let again = ledger.draw(&half, NOW).await.unwrap();
    assert_eq!(again, Drawn::Granted { amount: 14, sums: sums(69, 0, 0, 0), stand: stand(0, 96, 0) });
    let short = ledger.draw(&half, NOW).await.unwrap();
    assert_eq!(short, Drawn::Short { sums: sums(69, 0, 0, 0), stand: stand(0, 96, 0) });
    let other = ledger.draw(&draw(&w, 3, 100, 5), NOW).await.unwrap();
    assert_eq!(other, Drawn::Short { sums: sums(0, 0, 0, 0), stand: stand(0, 96, 0) });
    assert_eq!(all(&**ledger).await.len(), 2, "who got nothing has no slice");
    // another limit, another answer
    assert_eq!(granted(ledger.draw(&draw(&w, 3, 101, 5), NOW).await.unwrap()).0, 5);
    assert!(matches!(ledger.draw(&draw(&w, 3, -1, 0), NOW).await.unwrap(), Drawn::Short { .. }));
}

async fn whoever_only_asks_leaves_nothing_behind(bed: &Bed) {
    let (ledger, w) = (&bed.ledger, window("", 5));
    let ask = Draw { want: 0, ..draw(&w, 9, 100, 0) };
    assert_eq!(granted(ledger.draw(&ask, NOW).await.unwrap()), (0, stand(0, 0, 0)));
    ledger.draw(&exactly(&w, 1, 100, 30), NOW).await.unwrap();
    assert_eq!(granted(ledger.draw(&ask, NOW).await.unwrap()), (0, stand(0, 30, 0)));
    assert_eq!(all(&**ledger).await.len(), 1);
}

async fn a_rolling_period_sums_its_windows(bed: &Bed) {
    let ledger = &bed.ledger;
    for (n, starts) in [(1, 10), (2, 20), (1, 30)] {
        ledger.draw(&exactly(&window("", starts), n, 1_000, 100), NOW).await.unwrap();
    }
    let from =
        |counts_from| Draw { counts_from: Timestamp(counts_from), ..draw(&window("", 30), 3, 400, 400) };
    for (counts_from, taken) in [(30, 100), (25, 100), (20, 200), (10, 300), (i64::MIN, 300)] {
        let short = ledger.draw(&from(counts_from), NOW).await.unwrap();
        assert_eq!(short, Drawn::Short { sums: sums(0, 0, 0, 0), stand: stand(0, taken, 0) });
    }
    // the window that is drawn from counts, whatever is said
    let drawn = ledger.draw(&Draw { need: 300, ..from(i64::MAX) }, NOW).await.unwrap();
    assert_eq!(granted(drawn), (300, stand(0, 400, 0)));
    assert!(matches!(ledger.draw(&from(i64::MAX), NOW).await.unwrap(), Drawn::Short { .. }));
}

async fn accounts_have_nothing_in_common(bed: &Bed) {
    let ledger = &bed.ledger;
    let mut other = window("team=a", 5);
    other.account.budget = BudgetId("day".into());
    for w in [window("", 5), window("team=a", 5), window("team=b", 5), other] {
        let drawn = ledger.draw(&draw(&w, 1, 100, 100), NOW).await.unwrap();
        assert_eq!(granted(drawn), (100, stand(0, 100, 0)), "{w:?}");
    }
}

async fn what_a_dead_node_left_is_unknown_until_it_lives_again(bed: &Bed) {
    let (ledger, w) = (&bed.ledger, window("", 5));
    ledger.draw(&exactly(&w, 1, 100, 40), NOW).await.unwrap();
    let wish = draw(&w, 2, 40, 10);
    let ask = |now| ledger.draw(&wish, now);
    assert_eq!(ask(Timestamp(LEASE.0 - 1)).await.unwrap().stand(), stand(0, 40, 0));
    let short = ask(LEASE).await.unwrap();
    assert_eq!(short, Drawn::Short { sums: sums(0, 0, 0, 0), stand: stand(0, 0, 40) }, "it still counts");
    // the node is back: by a lease
    let later = Timestamp(3_000);
    let renewed = ledger.renew(&node(1), Timestamp(4_000)).await.unwrap();
    let expected =
        Slice { window: w.clone(), node: node(1), sums: sums(40, 0, 0, 0), lease_until: Timestamp(4_000) };
    assert_eq!(renewed, [expected]);
    assert_eq!(ask(later).await.unwrap().stand(), stand(0, 40, 0));
    // and, when that is over, by a draw
    assert_eq!(ask(Timestamp(4_000)).await.unwrap().stand(), stand(0, 0, 40));
    let more = Draw { lease_until: Timestamp(5_000), ..exactly(&w, 1, 100, 10) };
    assert_eq!(granted(ledger.draw(&more, Timestamp(4_500)).await.unwrap()), (10, stand(0, 50, 0)));
    // a draw that comes away with nothing extends nothing
    let short = Draw { need: 60, lease_until: Timestamp(9_000), ..more };
    assert!(matches!(ledger.draw(&short, Timestamp(4_500)).await.unwrap(), Drawn::Short { .. }));
    assert_eq!(all(&**ledger).await[0].lease_until, Timestamp(5_000));
}

async fn a_lease_is_never_made_shorter(bed: &Bed) {
    let (ledger, w) = (&bed.ledger, window("", 5));
    ledger.draw(&exactly(&w, 1, 100, 10), NOW).await.unwrap();
    let late = Draw { lease_until: Timestamp(7), ..exactly(&w, 1, 100, 10) };
    ledger.draw(&late, NOW).await.unwrap();
    assert_eq!(ledger.renew(&node(1), Timestamp(8)).await.unwrap()[0].lease_until, LEASE);
    // nothing open: nothing to renew; and nobody else's is
    let ids = SeededIds::new(1);
    ledger.draw(&exactly(&w, 2, 100, 10), NOW).await.unwrap();
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 20)])])).await.unwrap();
    assert_eq!(ledger.renew(&node(1), Timestamp(9_000)).await.unwrap(), []);
    assert!(all(&**ledger).await.iter().all(|s| s.lease_until == LEASE));
}

async fn what_is_given_back_counts_once(bed: &Bed) {
    let (ledger, w, v) = (&bed.ledger, window("", 5), window("x", 5));
    ledger.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
    ledger.draw(&exactly(&v, 1, 100, 50), NOW).await.unwrap();
    ledger.draw(&exactly(&w, 2, 100, 50), NOW).await.unwrap();
    for _ in 0..2 {
        ledger.give_back(&node(1), &give_back(&w, 20)).await.unwrap();
        ledger.give_back(&node(1), &give_back(&v, 50)).await.unwrap();
    }
    let found: Vec<_> = all(&**ledger).await.iter().map(|s| s.sums).collect();
    assert_eq!(found, [sums(50, 20, 0, 0), sums(50, 0, 0, 0), sums(50, 50, 0, 0)]);
    // one that was late, one of a window that never was, and many at once
    let returns = [give_back(&w, 30), give_back(&w, 10), give_back(&window("y", 5), 9), give_back(&w, -5)];
    ledger.give_back(&node(1), &returns.concat()).await.unwrap();
    ledger.give_back(&node(1), &give_back(&w, 10)).await.unwrap();
    ledger.give_back(&node(1), &[]).await.unwrap();
    assert_eq!(all(&**ledger).await[0].sums, sums(50, 30, 0, 0));
    let drawn = ledger.draw(&draw(&w, 1, 100, 30), NOW).await.unwrap();
    assert_eq!(drawn, Drawn::Granted { amount: 30, sums: sums(80, 30, 0, 0), stand: stand(0, 100, 0) });
}

/// A call may cost more than it held, after the node gave back what was free then. What it is granted next it has.
async fn what_is_settled_stays_spent_when_it_was_given_back(bed: &Bed) {
    let (ledger, ids) = (&bed.ledger, SeededIds::new(1));
    for returned_first in [true, false] {
        let w = window(if returned_first { "x" } else { "y" }, 5);
        ledger.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
        let spent = shared([spending(&ids, vec![charge(&w, 1, 35)])]);
        if returned_first {
            ledger.give_back(&node(1), &give_back(&w, 40)).await.unwrap();
            ledger.append(&spent).await.unwrap();
        } else {
            ledger.append(&spent).await.unwrap();
            ledger.give_back(&node(1), &give_back(&w, 40)).await.unwrap();
        }
        let ask = ledger.draw(&Draw { want: 0, ..draw(&w, 2, 100, 0) }, NOW).await.unwrap();
        assert_eq!(ask.stand(), stand(35, 0, 0));
        let drawn = ledger.draw(&exactly(&w, 1, 100, 5), NOW).await.unwrap();
        assert_eq!(drawn, Drawn::Granted { amount: 5, sums: sums(80, 40, 35, 0), stand: stand(35, 5, 0) });
        // no more than was ever granted
        ledger.give_back(&node(1), &give_back(&w, 1_000)).await.unwrap();
        let ask = ledger.draw(&Draw { want: 0, ..draw(&w, 1, 100, 0) }, NOW).await.unwrap();
        assert_eq!((ask.sums().returned, ask.stand()), (80, stand(35, 0, 0)));
    }
}

async fn reconciling_ends_what_is_unknown(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    ledger.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 10)])])).await.unwrap();
    let slice = all(&**ledger).await.remove(0);
    assert!(!ledger.reconcile(&slice, 25, Timestamp(LEASE.0 - 1)).await.unwrap(), "it lives");
    assert!(ledger.reconcile(&slice, 25, LEASE).await.unwrap());
    assert!(!ledger.reconcile(&slice, 25, LEASE).await.unwrap(), "once");
    assert_eq!(only(&**ledger).await, sums(50, 40, 10, 25));
    let now = all(&**ledger).await.remove(0);
    assert!(!ledger.reconcile(&now, 25, LEASE).await.unwrap(), "nothing is open");
    // the node is back and learns that nothing is left of what it had
    assert_eq!(ledger.renew(&node(1), Timestamp(9_000)).await.unwrap(), []);
    let wish = Draw { lease_until: Timestamp(9_000), ..exactly(&w, 1, 100, 5) };
    let drawn = ledger.draw(&wish, LEASE).await.unwrap();
    assert_eq!(drawn, Drawn::Granted { amount: 5, sums: sums(55, 40, 10, 25), stand: stand(35, 5, 0) });
    // records that come after all count on top
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 20)])])).await.unwrap();
    assert_eq!(only(&**ledger).await.taken(), 55);
    // more than was unknown, and less than nothing
    for (spent, reconciled) in [(70, 70), (-5, 0)] {
        let v = window(&spent.to_string(), 5);
        ledger.draw(&exactly(&v, 1, 100, 50), NOW).await.unwrap();
        let slices = all(&**ledger).await;
        let slice = slices.iter().find(|s| s.window == v).unwrap();
        assert!(ledger.reconcile(slice, spent, LEASE).await.unwrap());
        let drawn = ledger.draw(&Draw { want: 0, ..draw(&v, 2, 100, 0) }, LEASE).await.unwrap();
        assert_eq!(drawn.stand(), stand(reconciled, 0, 0));
    }
}

async fn only_what_was_seen_is_reconciled(bed: &Bed) {
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    ledger.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
    let seen = all(&**ledger).await.remove(0);
    ledger.append(&shared([spending(&ids, vec![charge(&w, 1, 10)])])).await.unwrap();
    assert!(!ledger.reconcile(&seen, 50, LEASE).await.unwrap(), "a record came in between");
    let mut elsewhere = all(&**ledger).await.remove(0);
    elsewhere.node = node(2);
    assert!(!ledger.reconcile(&elsewhere, 50, LEASE).await.unwrap(), "there is none");
    assert_eq!(only(&**ledger).await, sums(50, 0, 10, 0));
}

async fn what_is_over_is_forgotten(bed: &Bed) {
    let (ledger, ids) = (&bed.ledger, SeededIds::new(1));
    for (n, starts) in [(1, 10), (2, 10), (1, 20), (1, 30)] {
        ledger.draw(&exactly(&window("", starts), n, 1_000, 100), NOW).await.unwrap();
    }
    let settle = |n, starts| spending(&ids, vec![charge(&window("", starts), n, 100)]);
    ledger.append(&shared([settle(1, 10), settle(1, 20), settle(1, 30)])).await.unwrap();
    assert_eq!(ledger.forget_slices(Timestamp(10)).await.unwrap(), 0);
    assert_eq!(ledger.forget_slices(Timestamp(30)).await.unwrap(), 2);
    let left: Vec<_> = all(&**ledger).await.into_iter().map(|s| (s.window.starts.0, s.node)).collect();
    assert_eq!(left, [(10, node(2)), (30, node(1))], "what is open stays");
    ledger.give_back(&node(2), &give_back(&window("", 10), 100)).await.unwrap();
    assert_eq!(ledger.forget_slices(Timestamp(i64::MAX)).await.unwrap(), 2);
    assert_eq!(all(&**ledger).await, []);
}

async fn slices_come_by_window_and_node(bed: &Bed) {
    let ledger = &bed.ledger;
    let mut expected = Vec::new();
    for (budget, of, starts, n) in [
        ("month", "b", 10, 1),
        ("day", "", 20, 1),
        ("month", "b", 10, 2),
        ("month", "B", 30, 2),
        ("month", "", 30, 1),
        ("month", "b", -9, 1),
    ] {
        let mut w = window(of, starts);
        w.account.budget = BudgetId(budget.into());
        ledger.draw(&exactly(&w, n, 100, 1), NOW).await.unwrap();
        expected.push((w, node(n)));
    }
    expected.sort();
    let places = |slices: Vec<Slice>| slices.into_iter().map(|s| (s.window, s.node)).collect::<Vec<_>>();
    assert_eq!(places(all(&**ledger).await), expected);
    expected.retain(|(w, _)| w.starts >= Timestamp(10) && &*w.account.budget.0 == "month");
    let month = BudgetId("month".into());
    assert_eq!(places(ledger.slices(Some(&month), Timestamp(10)).await.unwrap()), expected);
    let renewed = ledger.renew(&node(1), Timestamp(9_999)).await.unwrap();
    assert!(renewed.len() == 4 && renewed.is_sorted_by_key(|s| s.window.clone()), "{renewed:?}");
}

async fn amounts_of_any_size_add_up(bed: &Bed) {
    const MAX: i64 = i64::MAX;
    let (ledger, w, ids) = (&bed.ledger, window("", 5), SeededIds::new(1));
    assert_eq!(granted(ledger.draw(&exactly(&w, 1, MAX, MAX - 7), NOW).await.unwrap()).0, MAX - 7);
    assert_eq!(granted(ledger.draw(&draw(&w, 2, MAX, 1), NOW).await.unwrap()), (7, stand(0, MAX, 0)));
    assert!(matches!(ledger.draw(&draw(&w, 3, MAX, 1), NOW).await.unwrap(), Drawn::Short { .. }));
    // what is granted of one slice has an end, also when it was given back
    ledger.give_back(&node(1), &give_back(&w, MAX - 7)).await.unwrap();
    assert_eq!(granted(ledger.draw(&draw(&w, 1, MAX, 1), NOW).await.unwrap()).0, 7);
    assert!(matches!(ledger.draw(&draw(&w, 1, MAX, 1), NOW).await.unwrap(), Drawn::Short { .. }));
    assert_eq!(granted(ledger.draw(&exactly(&w, 4, MAX, 9), NOW).await.unwrap()).0, 9);
    // three times more than the whole is spent
    let over = |n| spending(&ids, vec![charge(&w, n, MAX), charge(&w, n, MAX)]);
    for _ in 0..2 {
        ledger.append(&shared([over(1), over(2), over(3)])).await.unwrap();
    }
    let short = ledger.draw(&draw(&w, 5, MAX, 1), NOW).await.unwrap();
    assert_eq!(short, Drawn::Short { sums: sums(0, 0, 0, 0), stand: stand(MAX, 9, 0) });
    assert_eq!(all(&**ledger).await[2].sums, sums(0, 0, MAX, 0));
}
