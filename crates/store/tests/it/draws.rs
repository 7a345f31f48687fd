//! Windows, draws and charges.

use bedplate_core::budget::{
    Account, BudgetId, Charge, Draw, Drawn, NodeId, Return, Slice, Stand, Sums, Window,
};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids;
use bedplate_core::ports::Ledger;
use bedplate_core::record::Outcome;

use crate::outcomes::{answered, at};

/// When draws are made, and until when their leases last.
pub(crate) const NOW: Timestamp = Timestamp(1_000);
pub(crate) const LEASE: Timestamp = Timestamp(2_000);

pub(crate) fn node(n: u32) -> NodeId {
    NodeId(format!("node{n:012}").into())
}

/// The window of `month` that begins at `starts`.
pub(crate) fn window(of: &str, starts: i64) -> Window {
    let account = Account { budget: BudgetId("month".into()), of: of.into() };
    Window { account, starts: Timestamp(starts) }
}

/// Wants `need` or more, as much as there is.
pub(crate) fn draw(window: &Window, n: u32, limit: i64, need: i64) -> Draw {
    Draw {
        window: window.clone(),
        counts_from: window.starts,
        limit,
        need,
        want: i64::MAX,
        share: 1,
        node: node(n),
        lease_until: LEASE,
    }
}

/// Just `amount`.
pub(crate) fn exactly(window: &Window, n: u32, limit: i64, amount: i64) -> Draw {
    Draw { want: amount, ..draw(window, n, limit, amount) }
}

pub(crate) fn charge(window: &Window, n: u32, amount: i64) -> Charge {
    Charge { window: window.clone(), node: node(n), amount }
}

/// A call that spends.
pub(crate) fn spending(ids: &dyn Ids, charges: Vec<Charge>) -> Outcome {
    let mut outcome = answered(ids, at("2026-11-22T12:00:00Z"));
    outcome.call.charges = charges;
    outcome
}

pub(crate) fn give_back(window: &Window, total: i64) -> [Return; 1] {
    [Return { window: window.clone(), total }]
}

/// What was granted, and where that leaves the account; the test fails when the account is short.
pub(crate) fn granted(drawn: Drawn) -> (i64, Stand) {
    match drawn {
        Drawn::Granted { amount, stand, .. } => (amount, stand),
        Drawn::Short { .. } => panic!("{drawn:?}"),
    }
}

pub(crate) fn stand(settled: i64, granted: i64, unknown: i64) -> Stand {
    Stand { settled, granted, unknown }
}

pub(crate) fn sums(granted: i64, returned: i64, settled: i64, reconciled: i64) -> Sums {
    Sums { granted, returned, settled, reconciled }
}

/// All slices.
pub(crate) async fn all(ledger: &dyn Ledger) -> Vec<Slice> {
    ledger.slices(None, Timestamp(i64::MIN)).await.unwrap()
}

/// The only slice's sums.
pub(crate) async fn only(ledger: &dyn Ledger) -> Sums {
    let slices = all(ledger).await;
    assert_eq!(slices.len(), 1, "{slices:?}");
    slices[0].sums
}
