-- oldest: 1
-- Amounts are nano-dollars or tokens. `change_counter` also takes a step with every change of a budget.

-- Budgets made at run time. One that was removed stays, so that nodes hear of it.
CREATE TABLE budget (
    id         TEXT PRIMARY KEY,
    spec       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    version    INTEGER NOT NULL UNIQUE
) STRICT;

-- What each node was granted of a window. `starts` is when the window begins, `whose` is empty when the budget has
-- one account. The four sums only grow; `returned` is never more than `granted`.
CREATE TABLE budget_slice (
    budget      TEXT NOT NULL,
    whose       TEXT NOT NULL,
    starts      INTEGER NOT NULL,
    node        TEXT NOT NULL,
    granted     INTEGER NOT NULL,
    returned    INTEGER NOT NULL,
    settled     INTEGER NOT NULL,
    reconciled  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (budget, whose, starts, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_slice_node ON budget_slice (node);
